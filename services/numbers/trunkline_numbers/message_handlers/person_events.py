"""Licensing published a change of a person: keep what tokens are held against (P0, P1)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.domain.person_replica import PERSON, PersonUpdated, update

REMOVED = "IdentityRemoved"


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Take a batch of `Identity…` events; one query reads all streams."""
    uow.load((PERSON, message.subject) for message in messages)
    for message in messages:
        event = PersonUpdated(
            at=message.time,
            sequence=message.sequence or 0,
            organization_id=message.data.organization_id,
            role=message.data.role,
            removed=message.type == REMOVED,
        )
        cause = Causation(message.source, message.correlation_id or message.id, message.id)
        uow.record(PERSON, message.subject, update(uow.state(PERSON, message.subject), event), cause)
