"""Something of licensing has fallen due: each kind of stream has its own way to go on (S5, X5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trunkline.work import Work
from trunkline_licensing.license_pool import POOL
from trunkline_licensing.reactions import pool_settled

_SETTLE: Mapping[str, Callable[[Work, Sequence[str]], None]] = {POOL.category: pool_settled.react}


def react(work: Work, stream_ids: Sequence[str]) -> None:
    """Settle what is due.

    Args:
        work: `work.now` is the instant up to which is settled.
        stream_ids: each once.
    """
    for category, settle in _SETTLE.items():
        mine = [stream_id for stream_id in stream_ids if stream_id.startswith(f"{category}/")]
        if mine:
            settle(work, mine)
