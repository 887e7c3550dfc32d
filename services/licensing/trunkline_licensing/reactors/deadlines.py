"""Something of licensing has fallen due: each kind of stream has its own way to go on (S5, X5, D10.14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.pools import allocate
from trunkline_licensing.domain.extension.extension import EXTENSION
from trunkline_licensing.domain.party.directory import IDENTITY, PARTY
from trunkline_licensing.domain.pool.pool import POOL
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers import billing_events, party_events
from trunkline_licensing.reactors import binding_timeouts
from trunkline_licensing.reactors.reply_barrier import AnswersRead


def handle(uow: UnitOfWork, stream_ids: Sequence[str], answers: AnswersRead) -> None:
    """Settle what is due.

    Args:
        uow: `uow.now` is the instant up to which is settled.
        stream_ids: each once.
        answers: up to when all that numbers answered has been processed.

    Raises:
        Later: some of it cannot be decided yet.
    """
    ways: Mapping[str, Callable[[UnitOfWork, Sequence[str]], None]] = {
        PARTY.category: party_events.scheduled_due,
        IDENTITY.category: party_events.scheduled_due,
        SUBSCRIPTION.category: billing_events.scheduled_due,
        POOL.category: allocate.handle,
        EXTENSION.category: partial(binding_timeouts.handle, answers=answers),
    }
    for category, settle in ways.items():
        mine = [stream_id for stream_id in stream_ids if stream_id.startswith(f"{category}/")]
        if mine:
            settle(uow, mine)
