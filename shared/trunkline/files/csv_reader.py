"""CSV files from outside, read strictly: every refusal names what, where and why (DOMAIN §9).

`read_csv` looks at the whole file before it gives out a row: whatever makes a file unreadable is refused before
anything is begun. What is wrong with one row only (more cells than columns) is that row's `fault`, and its siblings go
on.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.errors import Refused
from trunkline.files.csv_encoding import read_text
from trunkline.files.csv_errors import (
    CellTooLong,
    ColumnMissing,
    ColumnTwice,
    ColumnUnknown,
    ColumnUnnamed,
    DelimiterWrong,
    FileEmpty,
    QuoteMisplaced,
    QuoteOpen,
    RowTooLong,
    TooManyColumns,
    TooManyRows,
)
from trunkline.files.formula_escaping import bare

MOST_REPEATED: Final = 50
"""Columns of the repeated kind: every row is padded to the width of the header."""
_DELIMITERS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SPACES: Final = re.compile(r"\s+")


@dataclass(frozen=True)
class Layout:
    """The columns a file may have, by the names its header uses (case and spaces do not matter).

    Attributes:
        name: what refusals and callers call it.
        required: must be there.
        optional: may be there.
        repeated: may be there any number of times; its cells are a row's `more`.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    repeated: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that can be there once."""
        return self.required + self.optional


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        line: where it begins, counted from 1 with the header's.
        cells: every column of the layout -> what the row has there, without spaces around; empty where the file has no
            such column.
        more: the cells of the repeated column that are not empty.
        fault: why the row cannot be used, if so.
    """

    line: int
    cells: Mapping[str, str]
    more: tuple[str, ...] = ()
    fault: Refused | None = None


@dataclass(frozen=True)
class CsvFile:
    """A file that can be read from its beginning to its end, as often as needed.

    Attributes:
        layout: the one that its header fits.
        columns: those of the layout that the file has.
        count: its rows; those without any content are not counted, nor given out.
    """

    layout: Layout
    columns: frozenset[str]
    count: int
    _text: str
    _places: tuple[tuple[str, int], ...]
    _more: tuple[int, ...]
    _width: int

    def __iter__(self) -> Iterator[Row]:
        """The rows in the file's order."""
        blank = dict.fromkeys(self.layout.columns, "")
        places, more_places, width = self._places, self._more, self._width
        records = _records(self._text)
        next(records)
        for line, record in records:
            record.extend([""] * (width - len(record)))
            fault = _overflow(line, record, width) if len(record) > width else None
            cells = {**blank, **{name: bare(record[index].strip()) for name, index in places}}
            more = tuple(bare(cell) for index in more_places if (cell := record[index].strip()))
            yield Row(line, cells, more, fault)


def read_csv(data: bytes | Iterable[bytes], *layouts: Layout, max_bytes: int, max_rows: int | None = None) -> CsvFile:
    """Check a whole file and open it for reading.

    Args:
        data: the file, or its pieces as they come in; no more of them is taken than `max_bytes`.
        layouts: at least one; the header decides which it is.
        max_bytes: the largest file.
        max_rows: the most rows.

    Raises:
        Refused: FileTooLarge, FileEmpty, FileIsOther, NotUtf8, NulByte, DelimiterWrong, ColumnMissing, ColumnUnknown,
            ColumnTwice, TooManyColumns, ColumnUnnamed, QuoteOpen, QuoteMisplaced, CellTooLong, TooManyRows.
    """
    text = read_text(data, max_bytes)
    records = _records(text)
    line, header = next(records, (1, []))
    while header and not header[-1].strip():  # commas at the end
        header.pop()
    if not header:
        raise FileEmpty
    layout, names = _recognized(line, header, layouts)
    repeated = names.count(layout.repeated) if layout.repeated is not None else 0
    if repeated > MOST_REPEATED:
        where = {"line": line, "part": "file", "pointer": f"#/{line}"}
        raise TooManyColumns(count=repeated, value=layout.repeated, limit=MOST_REPEATED, **where)
    count = 0
    for at, _ in records:
        count += 1
        if max_rows is not None and count > max_rows:
            raise TooManyRows(limit=max_rows, line=at, part="file", pointer=f"#/{at}")
    places = tuple((name, index) for index, name in enumerate(names) if name != layout.repeated)
    more = tuple(index for index, name in enumerate(names) if name == layout.repeated)
    return CsvFile(layout, frozenset(names), count, text, places, more, len(names))


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Every record that has any content, with the line it begins in. Lines may end in CR, LF or both, mixed."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    line = 1
    try:
        for record in reader:
            if any(map(str.strip, record)):
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unreadable(str(error), line) from None


def _unreadable(message: str, line: int) -> Refused:
    where = {"part": "file", "pointer": f"#/{line}", "line": line}
    if "field larger" in message:
        return CellTooLong(limit=csv.field_size_limit(), **where)
    return QuoteOpen(**where) if "end of data" in message else QuoteMisplaced(**where)


def _overflow(line: int, record: Sequence[str], width: int) -> Refused | None:
    """Cells beyond the header's, where they have content."""
    beyond = next(((index, cell) for index, cell in enumerate(record[width:], start=width + 1) if cell.strip()), None)
    if beyond is None:
        return None
    index, cell = beyond
    return RowTooLong(line=line, columns=width, column=index, value=cell[:60], part="file", pointer=f"#/{line}/{index}")


def _folded(name: str) -> str:
    return _SPACES.sub("", name.replace("\u2019", "'")).casefold()


def _recognized(line: int, header: Sequence[str], layouts: Sequence[Layout]) -> tuple[Layout, list[str]]:
    """The layout that a header fits, and its columns in the header's order; else why it does not fit the nearest."""
    written = [name.strip() for name in header]
    folded = [_folded(name) for name in written]
    nearest = max(layouts, key=lambda layout: _likeness(layout, folded))
    for layout in (nearest, *layouts):
        if _fault(layout, written, folded, line) is None:
            names = {_folded(name): name for name in (*layout.columns, *filter(None, [layout.repeated]))}
            return layout, [names[name] for name in folded]
    fault = _delimited(written, line) or _fault(nearest, written, folded, line)
    assert fault is not None
    raise fault


def _likeness(layout: Layout, folded: Sequence[str]) -> tuple[int, int]:
    """How many of its columns a header has, and how few it lacks."""
    required, optional = set(map(_folded, layout.required)), set(map(_folded, layout.optional))
    found = required.intersection(folded)
    repeated = layout.repeated is not None and _folded(layout.repeated) in folded
    return len(found) + len(optional.intersection(folded)) + repeated, len(found) - len(required)


def _delimited(written: Sequence[str], line: int) -> Refused | None:
    """Whether the header shows that cells are set apart by something else."""
    joined = ",".join(written)
    sign = max(_DELIMITERS, key=joined.count)
    if joined.count(sign) <= len(written) - 1:
        return None
    return DelimiterWrong(found=_DELIMITERS[sign], part="file", pointer=f"#/{line}", value=joined[:60])


def _fault(layout: Layout, written: Sequence[str], folded: Sequence[str], line: int) -> Refused | None:
    where = {"part": "file", "pointer": f"#/{line}", "line": line}
    known = set(map(_folded, layout.columns))
    repeated = None if layout.repeated is None else _folded(layout.repeated)
    for index, name in enumerate(folded, start=1):
        if not name:
            return ColumnUnnamed(column=index, **where)
        if name not in known and name != repeated:
            takes = ", ".join((*layout.columns, *filter(None, [layout.repeated])))
            return ColumnUnknown(value=written[index - 1][:60], column=index, takes=takes, **where)
        if name != repeated and name in folded[: index - 1]:
            return ColumnTwice(value=written[index - 1][:60], column=index, first=folded.index(name) + 1, **where)
    missing = [name for name in layout.required if _folded(name) not in folded]
    return ColumnMissing(missing=", ".join(missing), **where) if missing else None
