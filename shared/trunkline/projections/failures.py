"""Streams that a view cannot take in: set aside from one generation of it, while all others are applied.

A view cannot leave out one event of a stream and stay right. So the whole stream waits, from the event that failed on,
and the generation is marked as not whole until it is applied after all, or until the view is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from trunkline.eventstore.event_store import Connection, Store
from trunkline.eventstore.failed_items import (
    ADD,
    MOST,
    FailedItem,
    TooManyFailedItems,
    concerns_item,
    failed_streams,
    new_row,
)
from trunkline.eventstore.recorded_event import Codec, RawRow, RecordedEvent, recorded
from trunkline.projections.builds import ProjectionBuild, failures_of, table_of
from trunkline.telemetry import FAILED_TRIES

log = structlog.get_logger(__name__)

Apply = Callable[[Connection, str, Sequence[RecordedEvent]], None]


def without_failed(
    conn: Connection, generation: ProjectionBuild, events: Sequence[RecordedEvent]
) -> list[RecordedEvent]:
    """Events without those of streams that are set aside from a generation."""
    aside = _items(conn, generation)
    return [event for event in events if event.stream_id not in aside]


def isolate(
    conn: Connection, codec: Codec, apply: Apply, generation: ProjectionBuild, page: Sequence[RawRow], now: datetime
) -> None:
    """Apply what can be applied of a page of the log, and set aside the streams that cannot.

    Args:
        conn: within the transaction that moves the generation.
        codec: of the store.
        apply: the view's.
        generation: locked by this transaction.
        page: what the view reads of it, in log order.
        now: the service's instant.

    Raises:
        TooManyFailedItems: it is not the streams that are at fault.
    """
    events: list[RecordedEvent] = []
    failures: dict[str, tuple[int, Exception]] = {}
    for row in page:
        if row[1] not in failures:
            try:
                events.append(recorded(codec, row))
            except Exception as error:
                if not concerns_item(error):
                    raise
                failures[row[1]] = (row[0], error)
    _isolate(conn, apply, generation, events, failures, now)


def isolate_events(
    conn: Connection, apply: Apply, generation: ProjectionBuild, events: Sequence[RecordedEvent], now: datetime
) -> None:
    """The same for events that are read already."""
    _isolate(conn, apply, generation, events, {}, now)


def set_aside_undecodable(
    conn: Connection, generation: ProjectionBuild, failures: Mapping[str, tuple[int, Exception]], now: datetime
) -> None:
    """Set aside the streams of which a fold from zero could not decode an event.

    Args:
        conn: within the transaction that moves the generation.
        generation: that was built.
        failures: stream -> the position of that event, and why.
        now: the service's instant.

    Raises:
        TooManyFailedItems: it is not the streams that are at fault.
    """
    aside: dict[str, FailedItem] = {}
    for stream_id, (position, error) in failures.items():
        _set_aside(conn, generation, stream_id, position, error, now, aside)
    if aside:
        _mark_whole(conn, generation, whole=False)


def _isolate(
    conn: Connection,
    apply: Apply,
    generation: ProjectionBuild,
    events: Sequence[RecordedEvent],
    failures: dict[str, tuple[int, Exception]],
    now: datetime,
) -> None:
    aside = _items(conn, generation)

    def attempt(events: Sequence[RecordedEvent]) -> None:
        events = [e for e in events if e.stream_id not in aside and not _fails(failures, e)]
        if not events:
            return
        try:
            with conn.transaction():
                apply(conn, table_of(generation), events)
        except Exception as error:
            if not concerns_item(error):
                raise
            if len(events) == 1:
                failures[events[0].stream_id] = (events[0].position, error)
                return
            middle = len(events) // 2
            attempt(events[:middle])
            attempt(events[middle:])

    attempt(events)
    for stream_id, (position, error) in failures.items():
        if stream_id not in aside:
            _set_aside(conn, generation, stream_id, position, error, now, aside)
    if aside:
        _mark_whole(conn, generation, whole=False)


def retry(
    conn: Connection,
    store: Store,
    apply: Apply,
    generation: ProjectionBuild,
    names: tuple[str, ...] | None,
    now: datetime,
) -> None:
    """Apply what is due of the streams set aside from a generation, up to its position.

    Args:
        conn: in a transaction that holds the generation.
        store: whose log is read.
        apply: the view's.
        generation: not whole.
        names: the stored names that the view reads.
        now: the service's instant.
    """
    aside = _items(conn, generation)
    for item in list(aside.values()):
        if item.next_try_at is None or item.next_try_at > now:
            continue
        assert generation.position is not None
        rows = store.read_stream_log(item.key, item.position, generation.position, names, conn)
        try:
            with conn.transaction():
                apply(conn, table_of(generation), [recorded(store.codec, row) for row in rows])
        except Exception as error:
            if not concerns_item(error):
                raise
            _set_aside(conn, generation, item.key, item.position, error, now, aside)
        else:
            del aside[item.key]
            conn.execute(b"DELETE FROM failed_items WHERE loop = %s AND key = %s", (item.loop, item.key))
            log.info("done after it had failed", loop=item.loop, item=item.key)
    if not aside:
        _mark_whole(conn, generation, whole=True)


def _fails(failures: dict[str, tuple[int, Exception]], event: RecordedEvent) -> bool:
    found = failures.get(event.stream_id)
    return found is not None and event.position >= found[0]


def _items(conn: Connection, generation: ProjectionBuild) -> dict[str, FailedItem]:
    loop = failures_of(generation)
    return failed_streams(conn, [loop]).get(loop, {})


def _set_aside(
    conn: Connection,
    generation: ProjectionBuild,
    stream_id: str,
    position: int,
    error: Exception,
    now: datetime,
    aside: dict[str, FailedItem],
) -> None:
    loop = failures_of(generation)
    if stream_id not in aside and len(aside) >= MOST:
        msg = f"{MOST} streams are set aside from {table_of(generation)}; the fault cannot be in each of them"
        raise TooManyFailedItems(msg) from error
    row = new_row(loop, stream_id, position, error, now, aside.get(stream_id))
    conn.execute(ADD.encode(), row)
    aside[stream_id] = item = FailedItem(*row, "waiting")
    FAILED_TRIES.labels("projection").inc()
    log.warning("set aside", loop=loop, item=stream_id, tries=item.tries, cause=item.cause)


def _mark_whole(conn: Connection, generation: ProjectionBuild, *, whole: bool) -> None:
    conn.execute(
        b"UPDATE projections SET whole = %s WHERE name = %s AND generation = %s",
        (whole, generation.name, generation.generation),
    )
