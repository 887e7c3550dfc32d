"""Something of licensing has fallen due: each kind of stream has its own way to go on (S5, X5, D10.14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from trunkline.eventstore.unit_of_work import Work
from trunkline_licensing.extension import EXTENSION
from trunkline_licensing.license_pool import POOL
from trunkline_licensing.organization import IDENTITY, PARTY
from trunkline_licensing.reactions import billing_heard, binding_due, party_heard, pool_settled
from trunkline_licensing.reactions.answers_read import AnswersRead
from trunkline_licensing.subscription import SUBSCRIPTION


def react(work: Work, stream_ids: Sequence[str], answers: AnswersRead) -> None:
    """Settle what is due.

    Args:
        work: `work.now` is the instant up to which is settled.
        stream_ids: each once.
        answers: up to when all that numbers answered has been heard.

    Raises:
        Later: some of it cannot be decided yet.
    """
    ways: Mapping[str, Callable[[Work, Sequence[str]], None]] = {
        PARTY.category: party_heard.scheduled_due,
        IDENTITY.category: party_heard.scheduled_due,
        SUBSCRIPTION.category: billing_heard.scheduled_due,
        POOL.category: pool_settled.react,
        EXTENSION.category: partial(binding_due.react, answers=answers),
    }
    for category, settle in ways.items():
        mine = [stream_id for stream_id in stream_ids if stream_id.startswith(f"{category}/")]
        if mine:
            settle(work, mine)
