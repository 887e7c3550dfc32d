"""What happened, as people read it: the events of a stream, or of the log, with who caused them and why (O2, N13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import RawRow, RecordedEvent, stored_name


class Happened(msgspec.Struct, frozen=True, gc=False):
    """One event, ready to be shown.

    Attributes:
        position: in the store's log.
        version: in its stream, from 1.
        type: the name it is stored under.
        id: the event's id, the same as on its topic.
        occurred_at: the instant it counts from; recorded_at: when it was written down.
        data: the fact itself.
    """

    position: int
    stream: str
    version: int
    type: str
    id: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: str
    causation_id: str
    data: dict[str, Any]


def happened(event: RecordedEvent) -> Happened:
    """An event of the log as it is shown."""
    meta = event.meta
    return Happened(
        event.position,
        event.stream_id,
        event.version,
        stored_name(type(event.event)),
        event.id,
        meta.occurred_at,
        meta.recorded_at,
        meta.actor,
        meta.correlation_id,
        meta.causation_id,
        msgspec.to_builtins(event.event),
    )


def read_history(store: Store, stream_id: str, as_of: datetime | None = None) -> list[RecordedEvent]:
    """All events of a stream, in order.

    Args:
        store: where it is.
        stream_id: such as `number/+6512345678`.
        as_of: only what occurred at or before this instant.
    """
    events = [store.event(row) for row in stream_rows(store, stream_id)]
    return [event for event in events if as_of is None or event.meta.occurred_at <= as_of]


def stream_rows(store: Store, stream_id: str) -> list[RawRow]:
    """The rows of the log that are a stream's, in order."""
    return store.fetch(
        "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
        " WHERE originator_id = %s ORDER BY originator_version",
        (stream_id,),
    )


def read_page(store: Store, after: int, limit: int) -> list[RecordedEvent]:
    """The log after a position, in order."""
    return [store.event(row) for row in store.read_log(after, limit)]
