"""Licensing asks for numbers for its extensions, or wants them no more: obeyed and answered in batches (X5).

One reaction for both topics. Of each extension only the newest word of a batch counts, and withdrawals come
before requests, so that a number that one extension gives up can be had by the next in the same batch. All extensions
are read in one query and all numbers in another.
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.licensing import NumberBindingRequested
from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.retry_dependents import load_to_act, serve_waiting
from trunkline_numbers.domain.extension import EXTENSION, Place, granted, refused, withdrawn
from trunkline_numbers.domain.number.bindings import Asked, bind_extension, unbind_extension
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.policy import Policy


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch of requests and withdrawals.

    Args:
        uow: where it is read, decided and recorded.
        messages: `NumberBindingRequested` and `NumberUnbindingRequested` of licensing, in any order, any of them again.
    """
    uow.load([THE_POLICY, *((EXTENSION, m.subject) for m in messages)])
    newest: dict[str, Message] = {}
    for message in messages:
        before = newest.get(message.subject)
        known = uow.state(EXTENSION, message.subject).newest if before is None else _place(before)
        if _place(message) > known:
            newest[message.subject] = message
    if not newest:
        return
    had = {key: number for key in newest if (number := uow.state(EXTENSION, key).number) is not None}
    load_to_act(uow, ((NUMBER, number) for number in (*had.values(), *(m.data.number for m in newest.values()))))
    policy = in_force(uow)
    for key, message in newest.items():
        wanted = message.data.number if isinstance(message.data, NumberBindingRequested) else None
        if key in had and had[key] != wanted:
            events = unbind_extension(uow.state(NUMBER, had[key]), key, policy, uow.now)
            uow.record(NUMBER, had[key], events, _cause(message))
    for key, message in newest.items():
        if isinstance(message.data, NumberBindingRequested):
            _bind(uow, message, policy)
        else:
            events = withdrawn(message.data.number, message.data.generation, message.time)
            uow.record(EXTENSION, key, events, _cause(message))
    serve_waiting(uow, _cause(messages[-1]))


def _place(message: Message) -> Place:
    return message.data.generation, not isinstance(message.data, NumberBindingRequested)


def _bind(uow: UnitOfWork, message: Message, policy: Policy) -> None:
    data: NumberBindingRequested = message.data
    requested = Asked(message.subject, data.organization_id, data.user_id, data.generation)
    n = uow.state(NUMBER, data.number)
    try:
        events = bind_extension(n, requested, policy, uow.now)
    except Refused as refusal:
        uow.record(EXTENSION, message.subject, refused(n, requested, refusal, uow.now), _cause(message))
        return
    uow.record(NUMBER, data.number, events, _cause(message))
    uow.record(EXTENSION, message.subject, granted(data.number, requested, message.time), _cause(message))


def _cause(message: Message) -> Causation:
    return Causation(message.source, message.correlation_id or message.id, message.id)
