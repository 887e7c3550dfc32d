"""Numbers answers what licensing asked for its extensions, or takes a binding back: heard in batches (X5, L12).

One reaction for the three topics, which may overtake each other: the generation says which request is meant, and what
is not about the newest one changes nothing. A row of a bulk assignment whose number is refused is compensated in the
same transaction: no extension, no units.
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.numbers import NumberBindingRefused, NumberBound, NumberUnbound
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.extension.events import AnyEvent
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.extension.number_request import bound, compensated, is_unknown, lost, number_is, refused
from trunkline_licensing.replicas.number_replica import NumberReplica, read

TOPICS = ("NumberBound", "NumberBindingRefused", "NumberUnbound")
REFUSED = "number_refused"
"""Why a row's extension is no more."""


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch of answers.

    Args:
        uow: where what they mean for extensions is recorded.
        messages: of `TOPICS`, in any order, any of them again; those about trunk and SMS users do not concern us.
    """
    replies = [m for m in messages if m.data.extension_id is not None and m.data.generation is not None]
    if not replies:
        return
    uow.load(((EXTENSION, m.data.extension_id) for m in replies), waiters=True)
    copies = read(uow.fetch, [m.data.number for m in replies if isinstance(m.data, NumberBound)])
    causes: dict[str, Causation] = {}
    for message in replies:
        x = uow.state(EXTENSION, message.data.extension_id)
        cause = Causation(message.source, message.correlation_id or message.id, message.id)
        _wait_for_request(uow, x, message)
        events = _decide(x, message, uow)
        if not events:
            continue
        x = uow.record(EXTENSION, x.id, events, cause)
        if isinstance(message.data, NumberBound):
            uow.record(EXTENSION, x.id, _suspended(x, message.data, copies, uow), cause)
        if compensated(x, events):
            causes[x.id] = cause
    if causes:
        withdraw(uow, list(causes), REFUSED, [*causes.values()][-1], causes=causes)


def _decide(x: Extension, message: Message, uow: UnitOfWork) -> list[AnyEvent]:
    match message.data:
        case NumberBound() as said:
            return bound(x, said.number, said.generation or 0, said.user_id, uow.now, uow.epoch)
        case NumberBindingRefused() as said:
            return refused(x, said.generation, said.code, said.reason, uow.now)
        case NumberUnbound() as said:
            return lost(x, said.generation or 0, said.cause, message.time)
        case _:
            return []


def _wait_for_request(uow: UnitOfWork, x: Extension, message: Message) -> None:
    """Keep a binding whose request is not on record here for people to see, until numbers ends it (S7)."""
    extension, number = EXTENSION.stream(x.id), f"number/{message.data.number}"
    if isinstance(message.data, NumberBound) and is_unknown(x, message.data.generation or 0):
        reason = f"numbers has bound it by request {message.data.generation}, which is not on record here"
        uow.wait(extension, number, message.time, reason)
    elif number in uow.waiters([extension]).get(extension, ()):
        uow.stop_waiting(extension, number)


def _suspended(x: Extension, reply: NumberBound, copies: dict[str, NumberReplica], uow: UnitOfWork) -> list[AnyEvent]:
    """What the number's own document said before the answer was heard: its subscription may have expired since."""
    copy = copies.get(reply.number)
    if copy is None or (copy.extension_id, copy.generation) != (x.id, reply.generation) or not copy.suspends:
        return []
    return number_is(x, reply.generation or 0, uow.now, suspended=True)
