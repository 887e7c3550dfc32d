"""Tables going out: CSV, XLSX and JSON lines, as a stream of bytes in flat memory (N11, L18, L19, DOMAIN §9).

A CSV file opens safely in spreadsheets (`formula_escaping.py`) and can be read in again. In an XLSX file every cell has
its type, so nothing in it is a formula and nothing has to be escaped.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import xlsxwriter

from trunkline.clock import rfc3339
from trunkline.files.formula_escaping import tame

Format = Literal["csv", "xlsx", "jsonl"]
Cell = str | bool | int | float | datetime | Sequence[str] | None
Rows = Iterable[Sequence[Cell]]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/jsonl",
}
CHUNK_BYTES: Final = 65_536
ROWS_A_SHEET: Final = 1_048_575
"""A sheet's most, without the header; what is more goes on in a further sheet."""
LONGEST_CELL: Final = 32_767
"""Characters that a cell of XLSX can hold; a longer text is cut there and ends in `…`."""


def text_of(cell: Cell) -> str:
    """A cell as text: nothing for None, TRUE or FALSE, instants in RFC 3339, a list with spaces between."""
    match cell:
        case str():
            return cell
        case None:
            return ""
        case bool():
            return "TRUE" if cell else "FALSE"
        case datetime():
            return rfc3339(cell)
        case int() | float():
            return str(cell)
        case _:
            return " ".join(cell)


def csv_bytes(headings: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """A CSV file in UTF-8: commas, CRLF, a header, nothing that a spreadsheet would execute."""
    pieces = io.StringIO()
    write = csv.writer(pieces).writerow
    write(map(tame, headings))
    for row in rows:
        write([tame(text_of(cell)) for cell in row])
        if pieces.tell() >= CHUNK_BYTES:
            yield pieces.getvalue().encode()
            pieces.seek(0)
            pieces.truncate()
    yield pieces.getvalue().encode()


def json_bytes(names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """JSON lines: an object a row, with the types that the cells have."""
    encode = msgspec.json.Encoder(enc_hook=str).encode
    pieces = bytearray()
    for row in rows:
        pieces += encode(dict(zip(names, map(_json_value, row), strict=True))) + b"\n"
        if len(pieces) >= CHUNK_BYTES:
            yield bytes(pieces)
            pieces.clear()
    yield bytes(pieces)


def _json_value(cell: Cell) -> Any:
    return rfc3339(cell) if isinstance(cell, datetime) else cell


def xlsx_bytes(title: str, headings: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """An XLSX file. It lies in a temporary folder until it has been handed out: its parts end up in another order."""
    with tempfile.TemporaryDirectory(prefix="trunkline-xlsx-") as folder:
        path = Path(folder) / "table.xlsx"
        with xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": folder}) as book:
            sheets = _Sheets(book, title, headings)
            for row in rows:
                sheets.write(row)
        with path.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece


class _Sheets:
    """The sheets of one file, filled one after the other."""

    def __init__(self, book: Any, title: str, headings: Sequence[str]) -> None:
        self._book, self._title, self._headings = book, title, headings
        self._bold = book.add_format({"bold": True})
        self._begin(title)

    def _begin(self, title: str) -> None:
        self._sheet = self._book.add_worksheet(title)
        self._sheet.freeze_panes(1, 0)
        for column, heading in enumerate(self._headings):
            self._sheet.write_string(0, column, heading, self._bold)
        self._next = 1

    def write(self, row: Sequence[Cell]) -> None:
        """Below the row before it; a text is a text, whatever it looks like."""
        if self._next > ROWS_A_SHEET:
            self._begin(f"{self._title} {len(self._book.worksheets()) + 1}")
        at, sheet = self._next, self._sheet
        for column, cell in enumerate(row):
            if isinstance(cell, bool):
                sheet.write_boolean(at, column, cell)
            elif isinstance(cell, int | float):
                sheet.write_number(at, column, cell)
            elif text := text_of(cell):
                sheet.write_string(at, column, text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…")
        self._next += 1


def table_bytes(form: Format, title: str, headings: Sequence[str], names: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """A table in the format asked for.

    Args:
        form: which format.
        title: the sheet's, where there are sheets; at most 25 characters.
        headings: for people, in CSV and XLSX.
        names: for programs, in JSON lines.
        rows: in order; read as the bytes are taken.
    """
    match form:
        case "csv":
            return csv_bytes(headings, rows)
        case "xlsx":
            return xlsx_bytes(title, headings, rows)
        case "jsonl":
            return json_bytes(names, rows)
