"""Something has fallen due: a notice, the end of a reservation or of a lock (N5, N6, N10)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.stream import key_of
from trunkline.work import Work
from trunkline_numbers.number import NUMBER
from trunkline_numbers.reactions.number_changed import load_settled
from trunkline_numbers.reactions.policy_in_force import THE_POLICY


def react(work: Work, stream_ids: Sequence[str]) -> None:
    """Settle the numbers that are due; one that is not due any more is left as it is.

    Args:
        work: `work.now` is the instant up to which is settled.
        stream_ids: `number/…` streams, each once.
    """
    keys = [key_of(stream_id) for stream_id in stream_ids]
    load_settled(work, [THE_POLICY, *((NUMBER, key) for key in keys)])
    for key in keys:
        work.touch(NUMBER, key)
