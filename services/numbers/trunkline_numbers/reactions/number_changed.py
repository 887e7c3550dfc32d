"""A number changed, or a party became known: whoever waits for it is decided again, oldest start first (S6, S7)."""

from __future__ import annotations

from trunkline.recorded import Cause
from trunkline.stream import key_of
from trunkline.work import Work
from trunkline_numbers.reactions.policy_in_force import THE_POLICY, in_force
from trunkline_numbers.reactions.serving import load_parties, serve
from trunkline_numbers.subscription import SUBSCRIPTION

_AWAITED = ("number/", "party/")


def serve_waiting(work: Work, cause: Cause) -> None:
    """Serve those who wait for anything this work has changed, until nothing changes any more.

    Called at the end of every piece of work that records something of a number or a party: an assignment that frees
    another number is followed up in the same transaction.

    Args:
        work: with everything decided so far recorded.
        cause: goes into the envelopes of what follows.
    """
    seen = 0
    while True:
        recorded = work.recorded
        changed = {stream_id for stream_id, _ in recorded[seen:] if stream_id.startswith(_AWAITED)}
        seen = len(recorded)
        if not changed:
            return
        waiting = {waiter for waiters in work.waiters(sorted(changed)).values() for waiter in waiters}
        if not waiting:
            return
        ids = [key_of(waiter) for waiter in waiting]
        work.load([THE_POLICY, *((SUBSCRIPTION, key) for key in ids)])
        known = {key: heard for key in ids if (heard := work.state(SUBSCRIPTION, key).heard) is not None}
        load_parties(work, (heard.organization_id for heard in known.values()))
        for key in sorted(known, key=lambda k: (known[k].started_at, k)):
            serve(work, key, cause, in_force(work), woken=True)
