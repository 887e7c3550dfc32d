"""Reading on where the client cannot: past a record whose header names are no UTF-8.

Some producers write any bytes as a header's name. aiokafka raises on such a record for ever, and with it on all that
come after it in the partition. Here the same bytes are read with such names spelled out (`\\\\xff`), so that the record
gets to the intake and its siblings go on (X6).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Self, SupportsIndex

from aiokafka.record.default_records import _DefaultRecordBatchPy

_PREFIX: Final = 12  # offset and length, before what the length counts
_MAGIC: Final = 16
_HEADERED: Final = 2  # the one format that has headers


def read_leniently(data: bytes, offset: int) -> tuple[list[Any], int]:
    """Read what was fetched of one partition.

    Args:
        data: as the broker gave it.
        offset: what lies before it was read already.

    Returns:
        The records, as aiokafka's own reader has them, and the offset after them.
    """
    records: list[Any] = []
    following = offset
    for batch in _batches(data):
        batch._maybe_uncompress()
        batch._buffer = _Spelled(batch._buffer)
        if not batch.is_control_batch:
            records.extend(record for record in batch if record.offset >= offset)
        following = max(following, batch.next_offset)
    return records, following


def _batches(data: bytes) -> Iterator[_DefaultRecordBatchPy]:
    """The whole batches; the last one may be cut off, and older formats are the client's."""
    place = 0
    while place + _MAGIC < len(data):
        end = place + _PREFIX + int.from_bytes(data[place + 8 : place + _PREFIX])
        if end > len(data) or data[place + _MAGIC] != _HEADERED:
            return
        yield _DefaultRecordBatchPy(data[place:end])
        place = end


class _Name(bytearray):
    """Decodes any bytes."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _Spelled(bytearray):
    """A batch's bytes, out of which the client's own reader cuts names that always decode."""

    def __getitem__(self: Self, place: SupportsIndex | slice) -> Any:
        piece = super().__getitem__(place)
        return _Name(piece) if isinstance(piece, bytearray) else piece
