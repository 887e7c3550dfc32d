"""The rows of an upload, as they were read and as they came out: in chunks, beside the upload's stream (R3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.upload import Upload

ROWS_IN_CHUNK: Final = 1_000
"""Rows that are added in one transaction."""

Outcome = Literal["waiting", "added", "refused", "cancelled"]


class Wrong(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is wrong with a row: where, and why."""

    code: str
    column: str
    value: str
    reason: str


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row of the file. `number` and `listing` (a place in its chunk's) are None where something is wrong."""

    line: int
    country: str
    written: str
    number: str | None = None
    listing: int | None = None
    legacy: bool = False
    warning: str | None = None
    wrong: Wrong | None = None


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive rows; what they say of their numbers once, since most say the same."""

    listings: tuple[Listing, ...]
    rows: tuple[Row, ...]


class Late(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row that was good when it was read and refused when its turn came."""

    line: int
    code: str
    reason: str


_encode: Final = msgspec.msgpack.Encoder().encode
_read_chunk: Final = msgspec.msgpack.Decoder(Chunk).decode
_read_late: Final = msgspec.msgpack.Decoder(tuple[Late, ...]).decode


def keep(uow: UnitOfWork, upload_id: str, uploader_id: str | None, chunks: Sequence[bytes]) -> None:
    """Write the rows of a new upload into the work that records it; `chunks` as `packed` made them."""
    uow.write("INSERT INTO uploads VALUES (%s, %s, %s)", [(upload_id, uow.now, uploader_id)])
    rows = [(upload_id, index, chunk) for index, chunk in enumerate(chunks)]
    uow.write("INSERT INTO upload_chunks (upload_id, chunk, rows) VALUES (%s, %s, %b)", rows)


def packed(chunk: Chunk) -> bytes:
    """A chunk as it is kept."""
    return _encode(chunk)


def next_chunk(uow: UnitOfWork, u: Upload) -> Chunk:
    """The chunk whose turn it is."""
    found = uow.fetch(
        "SELECT rows FROM upload_chunks WHERE upload_id = %s AND chunk = %s", (u.upload_id, u.chunks_done)
    )
    return _read_chunk(found[0][0])


def keep_late(uow: UnitOfWork, u: Upload, late: Sequence[Late]) -> None:
    """Write what became of the chunk whose turn it is, into the work that adds its numbers."""
    row = (_encode(late), u.upload_id, u.chunks_done)
    uow.write("UPDATE upload_chunks SET refused = %b WHERE upload_id = %s AND chunk = %s", [row])


class RowOutcome(msgspec.Struct, frozen=True, gc=False):
    """One row with what became of it."""

    row: Row
    outcome: Outcome
    code: str | None = None
    reason: str | None = None


def read_outcomes(store: Store, u: Upload, chunks: int) -> Iterator[RowOutcome]:
    """All rows in the order of the file, each as it stands; one chunk is held at a time.

    Args:
        store: of the service.
        u: the upload.
        chunks: how many it has.
    """
    for index in range(chunks):
        sql = "SELECT rows, refused FROM upload_chunks WHERE upload_id = %s AND chunk = %s"
        rows, refused = store.fetch(sql, (u.upload_id, index))[0]
        late = {row.line: row for row in (_read_late(refused) if refused is not None else ())}
        ahead: Outcome = "cancelled" if u.status == "cancelled" else "waiting"
        good: Outcome = "added" if index < u.chunks_done else ahead
        for row in _read_chunk(rows).rows:
            if row.wrong is not None:
                yield RowOutcome(row, "refused", row.wrong.code, row.wrong.reason)
            elif row.line in late and good == "added":
                yield RowOutcome(row, "refused", late[row.line].code, late[row.line].reason)
            else:
                yield RowOutcome(row, good)
