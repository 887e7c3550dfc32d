"""When a table goes out: another program reads the same cells, and none of them is a formula (§9, N11)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.files import table_writer
from trunkline.files.csv_reader import Layout, read_csv
from trunkline.files.table_writer import Cell, csv_bytes, json_bytes, table_bytes, xlsx_bytes

HEADINGS = ("Number", "Golden", "Units", "Since", "Domains", "Vendor")
NAMES = ("number", "golden", "units", "since", "domains", "vendor")
AT = datetime(2026, 3, 1, 12, 30, 0, 5000, tzinfo=UTC)
ROWS: list[tuple[Cell, ...]] = [
    ("+6512345678", True, 3, AT, ("a.example", "b.example"), "=HYPERLINK(1)"),
    ("+6512345679", False, None, None, (), 'Tel, "co"\nLtd'),
]
TEXTS: list[list[str]] = [
    ["+6512345678", "TRUE", "3", "2026-03-01T12:30:00.005000Z", "a.example b.example", "=HYPERLINK(1)"],
    ["+6512345679", "FALSE", "", "", "", 'Tel, "co"\nLtd'],
]


def test_then_a_csv_file_is_safe_and_read_in_again_as_it_was() -> None:
    """§9: `+6512345678` survives an export → import round trip, and no cell begins as a formula."""
    data = b"".join(csv_bytes(HEADINGS, ROWS))
    by_another = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in by_another for cell in row)
    again = read_csv(data, Layout("numbers", HEADINGS), max_bytes=len(data))
    assert [list(row.cells.values()) for row in again] == TEXTS


def test_then_an_xlsx_file_has_the_cells_and_their_types(tmp_path: Path) -> None:
    """N11, §9: openpyxl reads the same; what looks like a formula is a text."""
    path = tmp_path / "numbers.xlsx"
    path.write_bytes(b"".join(table_bytes("xlsx", "Numbers", HEADINGS, NAMES, ROWS)))
    sheet = openpyxl.load_workbook(path)["Numbers"]
    header, first, second = sheet.iter_rows()
    assert [cell.value for cell in header] == list(HEADINGS)
    assert [cell.value for cell in first] == ["+6512345678", True, 3, TEXTS[0][3], TEXTS[0][4], "=HYPERLINK(1)"]
    assert [cell.data_type for cell in first] == ["s", "b", "n", "s", "s", "s"]
    assert [cell.value for cell in second] == ["+6512345679", False, None, None, None, 'Tel, "co"\nLtd']


def test_then_json_lines_have_an_object_for_each_row() -> None:
    """N11: names and types are kept."""
    lines = b"".join(json_bytes(NAMES, ROWS)).decode().splitlines()
    assert json.loads(lines[0]) == {
        "number": "+6512345678",
        "golden": True,
        "units": 3,
        "since": "2026-03-01T12:30:00.005000Z",
        "domains": ["a.example", "b.example"],
        "vendor": "=HYPERLINK(1)",
    }
    assert len(lines) == 2


def test_then_what_a_sheet_cannot_hold_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """N11: an export is whole, whatever its format; a cell too long for it ends in an ellipsis."""
    monkeypatch.setattr(table_writer, "ROWS_A_SHEET", 2)
    path = tmp_path / "numbers.xlsx"
    path.write_bytes(b"".join(xlsx_bytes("Numbers", ("N",), [("1",), ("2",), ("x" * 40_000,)])))
    book = openpyxl.load_workbook(path)
    assert [[row[0] for row in sheet.iter_rows(values_only=True)][:2] for sheet in book] == [
        ["N", "1"],
        ["N", "x" * 32_766 + "…"],
    ]
    assert book.sheetnames == ["Numbers", "Numbers 2"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_then_rows_are_taken_as_the_bytes_are(form: table_writer.Format) -> None:
    """§9: memory stays flat: no more rows are read than the piece at hand needs."""
    read = 0

    def rows() -> Iterator[tuple[Cell, ...]]:
        nonlocal read
        while True:
            read += 1
            yield ROWS[0]

    pieces = table_bytes(form, "Numbers", HEADINGS, NAMES, rows())
    first = next(pieces)
    assert read < 2_000
    assert len(first) < 2 * table_writer.CHUNK_BYTES
    next(pieces)
    assert read < 4_000


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=8), min_size=1))
def test_then_any_text_without_spaces_around_comes_back(texts: list[str]) -> None:
    """§9: whatever the cells hold."""
    kept = [text.strip() for text in texts]
    data = b"".join(csv_bytes(("Line", "Text"), [(str(line), text) for line, text in enumerate(kept)]))
    again = read_csv(data, Layout("texts", ("Line", "Text")), max_bytes=len(data))
    assert [row.cells["Text"] for row in again] == kept
