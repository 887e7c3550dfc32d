"""What a person decides of a parked message: it is retried, as it came or edited, or discarded; once (O5).

A retry is a piece of work like any other: what the message brings about and that it was retried commit at once. It
does not go through its topic again, so that nobody else hears it twice and no position moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import psycopg

from trunkline.contracts.cloudevents.envelope import decode
from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import Message
from trunkline.errors import Refused
from trunkline.eventstore.event_store import CheckpointConflict, ConcurrencyError
from trunkline.eventstore.recorded_event import UnknownEvent
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.dead_letters.store import DeadLetter, Parts, older_of_its_key, parked_message, resolve
from trunkline.messaging.message_handler import HandlingService, MessageHandler
from trunkline.messaging.reprocess import Reprocessed, reprocess
from trunkline.security.authorization import NothingThere

_NOT_THE_MESSAGES: Final = (
    Refused,
    CheckpointConflict,
    ConcurrencyError,
    UnknownEvent,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""What the message is not to blame for."""


class DeadLetterResolved(Refused):
    """Dead letter {id} was {status} by {by} at {at}; nothing is left to be done with it."""


class OlderDeadLetterWaits(Refused):
    """Dead letter {older} has the same key and topic as {id} and came before it: retry or discard {older} first."""


class DeadLetterStillUnreadable(Refused):
    """Dead letter {id} still cannot be read ({unreadable}): {why}"""


class DeadLetterStillFails(Refused):
    """Dead letter {id} can be read, but what should come of it fails as it did before: {why}"""


class TopicUnheard(Refused):
    """No longer does {service} hear the topic {topic}, so dead letter {id} can only be discarded."""


class Edit(msgspec.Struct, frozen=True):
    """What of a parked message is changed before it is retried.

    Attributes:
        headers: by name: the one value it is to have; None: it is to have none. Others stay as they came.
        value: in place of the one that came; unset: that one.
    """

    headers: Mapping[str, bytes | None] = {}
    value: bytes | msgspec.UnsetType | None = msgspec.UNSET

    def of(self, parts: Parts) -> Parts:
        """A message's parts with this edit; a header that was there stays in its place."""
        edited: list[tuple[str, bytes | None]] = []
        left = dict(self.headers)
        for name, value in parts.headers:
            if name not in self.headers:
                edited.append((name, value))
            elif (new := left.pop(name, None)) is not None:
                edited.append((name, new))
        edited += [(name, new) for name, new in left.items() if new is not None]
        return Parts(edited, parts.value if self.value is msgspec.UNSET else self.value)


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What a retried message brought about; `edited`: it was changed first."""

    done: Reprocessed
    edited: bool


def retry(
    uow: UnitOfWork, service: HandlingService, parked_id: int, by: str, edit: Edit, remark: str | None = None
) -> Effect:
    """Hear a parked message again, and put on record that it was.

    Args:
        uow: what it brings about is recorded here.
        service: whose message it is.
        parked_id: which one.
        by: who decides it.
        edit: what of it is changed first.
        remark: what they say of it.

    Raises:
        NothingThere: there is none of this id.
        DeadLetterResolved, OlderDeadLetterWaits, TopicUnheard, DeadLetterStillUnreadable, DeadLetterStillFails: see
            there; it goes on waiting.
    """
    parked = _waiting(uow, parked_id)
    if (older := older_of_its_key(uow, parked)) is not None:
        raise OlderDeadLetterWaits(id=parked_id, older=older, part="path", pointer="#/parked_id", value=older)
    parts = edit.of(parked.parts)
    handler, message = _read(service, parked, parts)
    try:
        done = reprocess(uow, handler, message)
    except _NOT_THE_MESSAGES:
        raise
    except Exception as error:
        raise DeadLetterStillFails(id=parked_id, why=f"{type(error).__name__}: {error}") from error
    edited = parts != parked.parts
    resolve(uow, parked, "retried", by, remark, parts if edited else None)
    return Effect(done, edited)


def discard(uow: UnitOfWork, parked_id: int, by: str, remark: str) -> None:
    """Put on record that a parked message is given up; it is kept, and can still be looked at.

    Raises:
        NothingThere, DeadLetterResolved: as for `retry`.
    """
    resolve(uow, _waiting(uow, parked_id), "discarded", by, remark)


def _waiting(uow: UnitOfWork, parked_id: int) -> DeadLetter:
    found = parked_message(uow, parked_id)
    if found is None:
        raise NothingThere(key=parked_id)
    if found.status != "waiting":
        raise DeadLetterResolved(id=parked_id, status=found.status, by=found.resolved_by, at=found.resolved_at)
    return found


def _read(service: HandlingService, parked: DeadLetter, parts: Parts) -> tuple[MessageHandler, Message]:
    for handler in service.message_handlers:
        contracts = handler.topics.get(parked.topic)
        if contracts is not None:
            try:
                return handler, decode(parts.headers, parts.value, contracts)
            except MessageDecodeError as reason:
                raise DeadLetterStillUnreadable(id=parked.id, unreadable=reason.code, why=reason.reason) from None
    raise TopicUnheard(service=service.name, topic=parked.topic, id=parked.id)
