"""The commonest view: one row for each stream, computed from the state that the aggregate's own `evolve` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from trunkline.eventstore.decider import Decider, key_of
from trunkline.eventstore.event_store import Connection
from trunkline.eventstore.recorded_event import RecordedEvent, stored_names
from trunkline.projections.runner import Projection

S = TypeVar("S")

_OWN = {
    "key": 'text COLLATE "C" PRIMARY KEY',
    "version": "bigint NOT NULL",
    "position": "bigint NOT NULL",
    "changed_at": "timestamptz NOT NULL",
    "folded": "bytea NOT NULL",
}
_SHORT = {"bigint": "int8", "integer": "int4", "boolean": "bool"}


def single_stream_projection(
    name: str,
    version: int,
    decider: Decider[S],
    state: type[S],
    columns: Mapping[str, str],
    row: Callable[[S], Sequence[Any]],
    indexes: Sequence[str] = (),
) -> Projection:
    """A view with one row a stream of `decider`.

    Beside its own columns each row has `key`, `version` (of the stream), `position` (in the log, of the last event),
    `changed_at` (when that occurred) and `folded` (the state, for the next fold).

    Args:
        name: of the SQL view.
        version: raised whenever columns, `row`, or the shape of `state` change.
        decider: whose streams.
        state: its state's type; msgspec must be able to read it back.
        columns: name -> SQL type (with constraints), in order.
        row: the values of these columns.
        indexes: such as `(state, since)` or `USING gin (domains)`.
    """
    shape = {**_OWN, **columns}
    made = ", ".join(f"{column} {kind}" for column, kind in shape.items())
    fold = _Fold(decider, state, row, list(shape), [_copy_type(kind) for kind in shape.values()])
    made_faster = tuple(f"CREATE INDEX ON {{table}} {index}" for index in indexes)
    return Projection(name, version, f"CREATE TABLE {{table}} ({made})", fold, stored_names(decider), made_faster)


class _Fold:
    """Applies pages for one such view."""

    def __init__(
        self,
        decider: Decider[Any],
        state: type[Any],
        row: Callable[[Any], Sequence[Any]],
        columns: list[str],
        types: list[str],
    ) -> None:
        self._category, self._initial, self._evolve = decider.category, decider.initial, decider.evolve
        self._row = row
        self._decode = msgspec.msgpack.Decoder(state).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._columns, self._types = ", ".join(columns), types

    def __call__(self, conn: Connection, table: str, page: Sequence[RecordedEvent]) -> None:
        """One read of the rows that the page changes, the fold, one write."""
        last = {event.stream_id: event for event in page}
        begun = {event.stream_id for event in page if event.version == 1}
        older = [key_of(stream_id) for stream_id in last if stream_id not in begun]
        states = self._read(conn, table, older)
        evolve, initial = self._evolve, self._initial
        for event in page:
            stream_id = event.stream_id
            state = states.get(stream_id)
            if state is None:
                state = initial(key_of(stream_id))
            states[stream_id] = evolve(state, event.event)
        if older:
            conn.execute(f"DELETE FROM {table} WHERE key = ANY(%b)".encode(), (older,))
        self._write(conn, table, last, states)

    def _read(self, conn: Connection, table: str, keys: list[str]) -> dict[str, Any]:
        if not keys:
            return {}
        rows = conn.execute(f"SELECT key, folded FROM {table} WHERE key = ANY(%b)".encode(), (keys,), binary=True)
        decode, category = self._decode, self._category
        return {f"{category}/{key}": decode(folded) for key, folded in rows}

    def _write(self, conn: Connection, table: str, last: dict[str, RecordedEvent], states: dict[str, Any]) -> None:
        encode, row = self._encode, self._row
        with conn.cursor().copy(f"COPY {table} ({self._columns}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(self._types)
            write = copy.write_row
            for stream_id, event in last.items():
                state = states[stream_id]
                own = (key_of(stream_id), event.version, event.position, event.meta.occurred_at, encode(state))
                write((*own, *row(state)))


def _copy_type(kind: str) -> str:
    """The type's name as the driver knows it: `int8` of `bigint NOT NULL`."""
    word = kind.split()[0]
    return _SHORT.get(word, word)
