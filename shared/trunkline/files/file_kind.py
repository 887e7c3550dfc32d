"""What a file is instead of the text that is expected: recognized by its first bytes, with what to do (§9)."""

from __future__ import annotations

import codecs
from typing import Final

from trunkline.files.csv_errors import FileIsOther

_OPEN_DOCUMENT: Final = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_AS_CSV: Final = "save it as CSV UTF-8"
_BEGINNINGS: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of before 2007", _AS_CSV),
    (b"\x1f\x8b", "compressed with gzip", "decompress it first"),
    (b"BZh", "compressed with bzip2", "decompress it first"),
    (b"\xfd7zXZ\x00", "compressed with xz", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "take the file out of it first"),
    (b"%PDF-", "a PDF document", "export the table as CSV UTF-8"),
    (b"{\\rtf", "a rich text document", "save it as plain text in UTF-8"),
    (codecs.BOM_UTF8 * 2, "marked twice with a byte order mark", "save it once more as UTF-8"),
)
_MARKUP: Final = (b"<!doctype html", b"<html", b"<?xml", b"<table")


def check_is_text(data: bytes) -> None:
    """Refuse a file that is plainly of another kind than text.

    Raises:
        FileIsOther: it is a workbook, an archive, a document or a web page; with what to do.
    """
    if data.startswith(b"PK\x03\x04"):
        raise _archive(data)
    for beginning, kind, remedy in _BEGINNINGS:
        if data.startswith(beginning):
            raise FileIsOther(kind=kind, remedy=remedy)
    if data[:64].removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_MARKUP):
        raise FileIsOther(kind="a web page or an XML document", remedy="export the table as CSV UTF-8")


def check_is_csv(data: bytes) -> None:
    """Refuse JSON where a table is expected.

    Raises:
        FileIsOther: its first character opens a JSON array or object.
    """
    if data[:64].removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        raise FileIsOther(kind="JSON", remedy="write it as CSV, with a first line that names the columns")


def _archive(data: bytes) -> FileIsOther:
    if b"xl/" in data[:4096] or b"xl/workbook.xml" in data:
        return FileIsOther(kind="an Excel workbook", remedy=_AS_CSV)
    if _OPEN_DOCUMENT in data[:256]:
        return FileIsOther(kind="an OpenDocument spreadsheet", remedy=_AS_CSV)
    return FileIsOther(kind="a ZIP archive", remedy="take the file out of it first")
