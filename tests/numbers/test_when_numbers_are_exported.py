"""When numbers are exported: the same ones, as one asker may see them, in three formats (N11, P2, §9)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.numbers.stock import PARTIES, drawn, folded, keep, open_views, scope, seen
from trunkline.eventstore.event_store import Store
from trunkline.files.csv_reader import read_csv
from trunkline.files.formula_escaping import bare
from trunkline.files.table_writer import Format, text_of
from trunkline_numbers.application.imports.parse import LAYOUT, Terms, preview
from trunkline_numbers.queries import export as exported_view
from trunkline_numbers.queries.export import LAYOUTS, Export
from trunkline_numbers.queries.filters import Wanted, conditions

LIVES = drawn(300, seed=23)
NUMBERS = folded(LIVES)
HEADINGS = [column.heading for column in LAYOUTS["full"]]


@pytest.fixture(scope="module")
def store(databases: Any) -> Iterator[Store]:
    """300 numbers of every kind."""
    url = databases.create()
    found = open_views(url)
    keep(found, LIVES.items())
    yield found
    found.close()
    databases.drop(url)


def exported(store: Store, form: Format, subject: str | None = None, layout: Any = "full") -> bytes:
    """A whole export of everything the asker sees."""
    seen_by = scope(subject)
    return b"".join(Export(store.url, conditions(Wanted(), seen_by), seen_by, layout).pieces(form))


def table(data: bytes) -> list[list[str]]:
    """A CSV file as another program reads it."""
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("asker", [None, *PARTIES])
def test_then_all_formats_have_the_same_rows_and_only_what_is_the_askers(
    store: Store, asker: str | None, tmp_path: Path
) -> None:
    """N11, P2: CSV, XLSX (read by openpyxl) and JSON lines; no number, party or domain of another branch."""
    header, *rows = table(exported(store, "csv", asker))
    assert header == HEADINGS
    assert [bare(row[1]) for row in rows] == [n.number for n in NUMBERS if seen(n, asker)]
    lines = [json.loads(line) for line in exported(store, "jsonl", asker).splitlines()]
    assert [list(map(bare, row)) for row in rows] == [[text_of(value) for value in line.values()] for line in lines]
    path = tmp_path / "numbers.xlsx"
    path.write_bytes(exported(store, "xlsx", asker))
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    by_another = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert by_another[0] == HEADINGS
    assert [[text_of(cell) for cell in row] for row in by_another[1:]] == [list(map(bare, row)) for row in rows]  # type: ignore[arg-type]
    told = exported(store, "jsonl", asker).decode()
    mine = scope(asker)
    if mine is not None:
        assert not [party for party in PARTIES if party not in mine.branch and f'"{party}"' in told]
        assert not [d for d in ("east.example", "w.example") if d not in (mine.domains or ()) and f'"{d}"' in told]


def test_then_no_cell_is_one_that_a_spreadsheet_executes(store: Store) -> None:
    """§9: SKUs and vendors that look like formulas, and every number with its `+`."""
    cells = [cell for row in table(exported(store, "csv")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'=SKU", "'@two", "C;'-1"} <= set(cells)


def test_then_what_was_exported_can_be_uploaded_again(store: Store) -> None:
    """§9, R1: the numbers and all that an upload takes come back as they were."""
    file = read_csv(exported(store, "csv", layout="upload"), LAYOUT, max_bytes=10**7)
    assert [row.cells["Phone Number"] for row in file] == [n.number for n in NUMBERS]
    for row, n in zip(file, NUMBERS, strict=True):
        said = n.listing
        assert (row.cells["SKU"], row.cells["Vendor"], row.cells["Routing"]) == (
            said.sku,
            said.vendor,
            said.routing or "",
        )
        assert row.cells["Domains"].split() == list(said.domains)
        assert (row.cells["Golden"] == "TRUE", row.cells["Fax"] == "TRUE") == (said.golden, said.fax)
    read = preview(file, Terms(legacy=True), lambda numbers: set())
    assert read.rows == len(NUMBERS)
    assert {row.wrong.column for row in read.bad if row.wrong is not None} <= {"Phone Number"}, "made-up numbers"


def test_then_it_is_one_snapshot_read_piece_by_piece(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11: what changes while the file is being read is not in it by halves."""
    monkeypatch.setattr(exported_view, "_ROWS", 3)
    rows = Export(store.url, conditions(Wanted(), None), None, "full").rows()
    first = next(rows)
    with store.connection() as conn:
        conn.execute("UPDATE number_view_g1 SET sku = 'changed ' || sku")
        try:
            skus = [row[6] for row in [first, *rows]]
        finally:
            conn.execute("UPDATE number_view_g1 SET sku = substr(sku, 9)")
    assert skus == [n.listing.sku for n in NUMBERS]
