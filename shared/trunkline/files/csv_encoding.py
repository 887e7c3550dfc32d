"""The text of a file that should be UTF-8; what it is instead is named (DOMAIN §9)."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from trunkline.files.csv_errors import FileTooLarge, NotUtf8, NulByte
from trunkline.files.file_kind import check_is_csv, check_is_text

# UTF-32's mark begins with UTF-16's, so it comes first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT: Final = 4096
# Latin-1 has control characters where Windows-1252 has quotation marks, dashes and the euro sign.
_WINDOWS_ONLY: Final = frozenset(range(0x80, 0xA0))


def read_text(data: bytes | Iterable[bytes], max_bytes: int) -> str:
    """The text of a file, without a byte order mark.

    Args:
        data: the file, or its pieces; no more of them is taken than needed to see that it is too large.
        max_bytes: the most it may have.

    Raises:
        FileTooLarge, FileIsOther, NotUtf8, NulByte: as they say.
    """
    whole = _whole(data, max_bytes)
    check_is_text(whole)
    check_is_csv(whole)
    whole = whole.removeprefix(codecs.BOM_UTF8)
    for mark, name in _MARKS:
        if whole.startswith(mark):
            raise NotUtf8(why=f"it is {name}, by its byte order mark")
    if b"\x00" in whole:
        raise _with_nul(whole)
    try:
        return whole.decode()
    except UnicodeDecodeError as error:
        byte = whole[error.start]
        line = whole.count(b"\n", 0, error.start) + 1
        name = "Windows-1252" if _WINDOWS_ONLY.intersection(whole) else "Latin-1 (ISO 8859-1)"
        why = f"line {line} has the byte 0x{byte:02X}, as {name} would"
        raise NotUtf8(why=why, line=line, part="file", pointer=f"#/{line}") from None


def _whole(data: bytes | Iterable[bytes], max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in (data,) if isinstance(data, bytes) else data:
        size += len(piece)
        if size > max_bytes:
            raise FileTooLarge(limit=max_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def _with_nul(whole: bytes) -> NotUtf8 | NulByte:
    """UTF-16 without its mark has a NUL in every second byte of plain text; elsewhere a NUL is just wrong."""
    begin = whole[:_LOOKED_AT]
    for name, nuls in (("UTF-16 (big endian)", begin[::2]), ("UTF-16 (little endian)", begin[1::2])):
        if len(begin) > 1 and nuls.count(0) > 0.6 * len(nuls):
            return NotUtf8(why=f"it is {name}, by its NUL bytes")
    index = whole.index(0)
    line = whole.count(b"\n", 0, index) + 1
    column = whole.count(b",", whole.rfind(b"\n", 0, index) + 1, index) + 1
    return NulByte(line=line, column=column, part="file", pointer=f"#/{line}/{column}")
