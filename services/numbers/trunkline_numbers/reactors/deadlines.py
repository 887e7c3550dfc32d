"""Something has fallen due: a notice, the end of a reservation or of a lock, a state that lay ahead (N10, D10.14)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.eventstore.decider import key_of
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.application.current_policy import THE_POLICY
from trunkline_numbers.application.retry_dependents import load_settled
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.message_handlers import subscription_events


def handle(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
    """Settle the numbers and subscriptions that are due; one that is not due any more is left as it is.

    Args:
        uow: `uow.now` is the instant up to which is settled.
        stream_ids: `number/…` and `subscription/…` streams, each once.
    """
    ahead = [stream_id for stream_id in stream_ids if stream_id.startswith(f"{SUBSCRIPTION.category}/")]
    keys = [key_of(stream_id) for stream_id in stream_ids if stream_id.startswith(f"{NUMBER.category}/")]
    load_settled(uow, [THE_POLICY, *((NUMBER, key) for key in keys)])
    for key in keys:
        uow.touch(NUMBER, key)
    if ahead:
        subscription_events.ahead_due(uow, ahead)
