"""Why a CSV file is not taken (DOMAIN §9): one sentence each, with what, where and why."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class FileRefused(Refused):
    """The file was refused."""

    status: ClassVar[int] = 422


class FileTooLarge(FileRefused):
    """The file is larger than {limit:,} bytes, the most that is taken."""

    status: ClassVar[int] = 413


class FileEmpty(FileRefused):
    """The file is empty: its first line must name the columns."""


class FileIsOther(FileRefused):
    """The file is {kind}: {remedy}."""


class NotUtf8(FileRefused):
    """The file is not UTF-8: {why}; save it as CSV UTF-8."""


class NulByte(FileRefused):
    """Line {line} has a NUL byte in column {column}: a text file has none."""


class DelimiterWrong(FileRefused):
    """The columns are set apart by {found}; a CSV file has commas between."""


class ColumnUnnamed(FileRefused):
    """Column {column} has no name in line {line}, and there are named ones after it."""


class ColumnUnknown(FileRefused):
    """Column {column} is called {value!r} in line {line}, which is not known; the file takes: {takes}."""


class ColumnTwice(FileRefused):
    """Columns {first} and {column} are both called {value!r} in line {line}."""


class TooManyColumns(FileRefused):
    """Line {line} has {count:,} columns called {value!r}; at most {limit} are taken."""


class ColumnMissing(FileRefused):
    """The header in line {line} lacks: {missing}."""


class QuoteOpen(FileRefused):
    """A quotation mark in the row that begins in line {line} is never closed."""


class QuoteMisplaced(FileRefused):
    """In the row that begins in line {line} something stands between a closing quotation mark and the next comma."""


class CellTooLong(FileRefused):
    """A cell in line {line} is longer than {limit:,} characters; a quotation mark may not be closed."""


class TooManyRows(FileRefused):
    """The file has more than {limit:,} rows, the most that is taken: line {line} is one too many."""


class RowTooLong(FileRefused):
    """Line {line} has {value!r} in column {column}, but the header names {columns} columns only."""
