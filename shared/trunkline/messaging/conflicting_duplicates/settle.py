"""What a person decides about a conflicting duplicate: it is applied under an id of its own, or dismissed; once (S3).

Of two messages under one id the first took effect, and which one is right nobody but the producer knows. Applying the
other one is work like any other: what it brings about and that it was applied commit together.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import Message, read_data
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.conflicting_duplicates.store import (
    ConflictingDuplicate,
    quarantined_message,
    settle,
)
from trunkline.messaging.message_handler import HandlingService, MessageHandler
from trunkline.messaging.reprocess import reprocess
from trunkline.security.authorization import NothingThere


class ConflictSettled(Refused):
    """Conflicting duplicate {id} was {status} by {by} at {at}; nothing is left to be done with it."""


class ConflictUnreadable(Refused):
    """Conflicting duplicate {id} cannot be read by this version of the service ({why}); dismiss it."""


class EventIdTaken(Refused):
    """The id {event_id} of source {source} was used before; give another one for conflicting duplicate {id}."""


class Applied(msgspec.Struct, frozen=True):
    """What an applied message brought about: the id that it has now, and its events as (stream, stored name)."""

    event_id: str
    recorded: list[tuple[str, str]]


class _Kept(msgspec.Struct, frozen=True):
    """A message as the table keeps it, its data not read yet."""

    correlation_id: str | None
    causation_id: str | None
    sequence: int | None
    data: msgspec.Raw


def apply(
    uow: UnitOfWork,
    service: HandlingService,
    row_id: int,
    by: str,
    event_id: str | None = None,
    remark: str | None = None,
) -> Applied:
    """Process a conflicting duplicate as an event of its own.

    Args:
        uow: what it brings about is recorded here.
        service: whose message it is.
        row_id: which one.
        by: who decides it.
        event_id: the id that it gets; None: the one it came with and the number of this row.
        remark: why.

    Raises:
        NothingThere: there is none of this id.
        ConflictSettled, ConflictUnreadable, EventIdTaken: see there; it stays open.
    """
    found = _open(uow, row_id)
    new_id = event_id or f"{found.event_id}/{row_id}"
    handler, message = _read(service, found, new_id)
    done = reprocess(uow, handler, message)
    if done.put_aside or (not uow.batch.received and not done.recorded):
        raise EventIdTaken(id=row_id, event_id=new_id, source=found.source, pointer="#/event_id", value=new_id)
    settle(uow, found, "applied", by, remark, new_id)
    return Applied(new_id, done.recorded)


def dismiss(uow: UnitOfWork, row_id: int, by: str, remark: str) -> None:
    """Put on record that what took effect first stands; the message is kept and can still be read.

    Raises:
        NothingThere, ConflictSettled: as for `apply`.
    """
    settle(uow, _open(uow, row_id), "dismissed", by, remark)


def _open(uow: UnitOfWork, row_id: int) -> ConflictingDuplicate:
    found = quarantined_message(uow, row_id)
    if found is None:
        raise NothingThere(key=row_id)
    if found.status != "open":
        raise ConflictSettled(id=row_id, status=found.status, by=found.settled_by, at=found.settled_at)
    return found


def _read(service: HandlingService, found: ConflictingDuplicate, new_id: str) -> tuple[MessageHandler, Message]:
    kept = msgspec.json.decode(found.message, type=_Kept)
    for handler in service.message_handlers:
        for contracts in handler.topics.values():
            if (contract := contracts.get(found.type)) is None:
                continue
            try:
                data = read_data(contract, kept.data)
            except MessageDecodeError as reason:
                raise ConflictUnreadable(id=found.id, why=reason.reason) from None
            message = Message(
                id=found.event_id,
                source=found.source,
                type=found.type,
                subject=found.subject,
                time=found.occurred_at,
                sequence=kept.sequence,
                correlation_id=kept.correlation_id,
                causation_id=kept.causation_id,
                data=data,
            )
            return handler, replace(message, id=new_id)
    raise ConflictUnreadable(id=found.id, why=f"it knows no {found.type}")
