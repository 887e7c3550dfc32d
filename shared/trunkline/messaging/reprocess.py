"""A message that was kept aside is handled after all, within the unit of work that settles it (O5, S3)."""

from __future__ import annotations

import msgspec

from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.recorded_event import stored_name
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.conflicting_duplicates.store import is_put_aside
from trunkline.messaging.message_handler import MessageHandler


class Reprocessed(msgspec.Struct, frozen=True, gc=False):
    """What a message has brought about.

    Attributes:
        recorded: the events, as (stream, stored name).
        waits_for: the streams that its facts wait for (S7).
        put_aside: it contradicts one that was processed under its id, and is kept as a conflicting duplicate (S3).
    """

    recorded: list[tuple[str, str]]
    waits_for: list[str]
    put_aside: bool


def reprocess(uow: UnitOfWork, handler: MessageHandler, message: Message) -> Reprocessed:
    """Hand a message to its handler again.

    Args:
        uow: what it brings about is recorded here.
        handler: of its topic.
        message: one that can be read.

    Raises:
        Exception: whatever the handler raises.
    """
    recorded, waits = len(uow.recorded), uow.waits
    handler.handle(uow, [message])
    events = [(stream_id, stored_name(type(event))) for stream_id, event in uow.recorded[recorded:]]
    return Reprocessed(events, sorted({awaited for awaited, _ in uow.waits - waits}), is_put_aside(uow))
