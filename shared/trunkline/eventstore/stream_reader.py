"""Reading the whole log stream by stream: what a fold from zero needs, and far less work than event by event."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Codec, RawRow, RecordedEvent, recorded

T = TypeVar("T")


def whole_streams(
    store: Store,
    upto: int,
    names: Sequence[str] | None,
    page: int = 10_000,
    undecodable: Callable[[str, int, Exception], None] | None = None,
) -> Generator[list[RecordedEvent], None, None]:
    """Every stream from its first event on, in pages that never split a stream.

    One server-side cursor over one snapshot: flat memory, one sort, and no look-up per stream.

    Args:
        store: where to read.
        upto: the last log position to read.
        names: only these stored names; None reads all.
        page: events in a page, about.
        undecodable: called with the stream and position of an event that cannot be decoded; the rest of its stream is
            left out. None: what decoding raises comes from here.

    Yields:
        Events in the order of stream id and version; a page ends where a stream ends.
    """
    chosen = "" if names is None else " AND topic = ANY(%b)"
    sql = (
        "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
        f" WHERE notification_id <= %s{chosen} ORDER BY originator_id, originator_version"
    )
    codec = store.codec
    with store.connection() as conn, conn.transaction():
        conn.execute(b"SET LOCAL cursor_tuple_fraction = 1")  # all of it will be read: plan for that
        with conn.cursor(name="whole_streams") as cursor:
            cursor.execute(sql.encode(), (upto,) if names is None else (upto, list(names)), binary=True)
            held: list[RecordedEvent] = []
            broken: set[str] = set()
            while rows := cursor.fetchmany(page):
                held += _decoded(codec, rows, undecodable, broken)
                cut = _last_start(held)
                if cut:
                    yield held[:cut]
                    held = held[cut:]
            if held:
                yield held


def _decoded(
    codec: Codec,
    rows: Sequence[RawRow],
    undecodable: Callable[[str, int, Exception], None] | None,
    broken: set[str],
) -> list[RecordedEvent]:
    if undecodable is None:
        return [recorded(codec, row) for row in rows]
    found: list[RecordedEvent] = []
    for row in rows:
        position, stream_id = row[:2]
        if stream_id in broken:
            continue
        try:
            found.append(recorded(codec, row))
        except Exception as error:  # noqa: BLE001 - whoever is told of it raises what is not the event's fault
            undecodable(stream_id, position, error)
            broken.add(stream_id)
    return found


def read_ahead(pages: Generator[T, None, None]) -> Iterator[T]:
    """The same pages, each read while the one before it is being worked on: one waits for the server less.

    Args:
        pages: closed where the reader of this one goes away.
    """
    with closing(pages), ThreadPoolExecutor(1, "read ahead") as thread:
        coming = thread.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = thread.submit(next, pages, None)
            yield page


def _last_start(events: list[RecordedEvent]) -> int:
    """Where the last stream begins: it may go on in the next page."""
    if not events:
        return 0
    last = events[-1].stream_id
    index = len(events) - 1
    while index and events[index - 1].stream_id == last:
        index -= 1
    return index
