"""Licensing said something of a party: keep the newest word, and serve those who waited for it (P0, S7)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.licensing import Organization, Partner, Platform
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, PartyReceived, receive


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch of `Platform…`, `Partner…` and `Organization…` events."""
    if not messages:
        return
    uow.load((PARTY, _key(m)) for m in messages)
    for message in messages:
        cause = Causation(message.source, message.correlation_id or message.id, message.id)
        key = _key(message)
        uow.record(PARTY, key, receive(uow.state(PARTY, key), _heard(message)), cause)
    last = messages[-1]
    serve_waiting(uow, Causation(last.source, last.correlation_id or last.id, last.id))


def _key(message: Message) -> str:
    return PLATFORM if isinstance(message.data, Platform) else message.subject


def _heard(message: Message) -> PartyReceived:
    sequence = message.sequence or 0
    match message.data:
        case Organization() as o:
            return PartyReceived(
                at=message.time,
                sequence=sequence,
                kind="organization",
                name=o.name,
                partner_id=o.partner_id,
                billing_email=o.billing_email,
                allow_external_numbers=o.allow_external_numbers,
            )
        case Partner() | Platform() as p:
            return PartyReceived(
                at=message.time,
                sequence=sequence,
                kind="partner" if isinstance(p, Partner) else "platform",
                name=p.name,
                owner_email=p.owner_email,
                support_email=p.support_email,
                domains=tuple(p.domains),
            )
        case other:
            msg = f"{message.type} carries {type(other).__name__}, which is no party"
            raise TypeError(msg)
