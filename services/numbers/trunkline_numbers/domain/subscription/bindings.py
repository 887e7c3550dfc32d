"""Which bindings of a number its subscription's past leaves (X5, D10.17).

A binding ends at the instant at which, by all facts, its number was given up or free, and is not restored when the
number comes back later. One that was ended by facts that did not count, as is known now, is restored; that of an
extension is licensing's to make anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.number import unbound
from trunkline_numbers.domain.number.state import Assigned, Binding, Number, Reserved
from trunkline_numbers.domain.number.subscription_sync import bound_again, expiry_end
from trunkline_numbers.domain.policy import Policy
from trunkline_numbers.domain.subscription.tenures import Tenure

_End = tuple[datetime, Literal["swapped", "released"]]


def bindings_after(n: Number, turns: Sequence[Tenure], policy: Policy, *, terminated: bool = False) -> list[Event]:
    """End the bindings from before an end of a number's tenures, and restore those that had not ended.

    Args:
        n: a number in an episode of the subscription's.
        turns: the subscription's tenures of it, in order.
        policy: the periods in force.
        terminated: the subscription is, which ends its bindings for good, also where the end of an expiry stands (X5).
    """
    ends = list(_ends(n, turns, policy))
    events: list[Event] = []
    for ended, cause in ends:
        of = zip(unbound(n, ended, cause, n.state), n.bindings, strict=True)  # type: ignore[arg-type] # not absent
        events += [event for event, b in of if b.at is not None and b.at < ended and not _among(event, events)]
    if events or terminated:
        return events
    return _restored(n, [ended for ended, _ in ends])


def _ends(n: Number, turns: Sequence[Tenure], policy: Policy) -> Iterator[_End]:
    """The instants at which the number was given up, or free, before the subscription had it again."""
    survived = n.episode.survived if n.episode is not None else ()
    for lost, back in pairwise(turns):
        if lost.until is None:
            continue
        if lost.cause == "swapped":
            yield lost.until, "swapped"
        elif lost.until not in survived and (end := expiry_end(n, lost.until, policy)) <= back.since:
            yield end, "released"


def _among(event: Event, events: Sequence[Event]) -> bool:
    return any(getattr(event, "kind", None) == getattr(other, "kind", None) for other in events)


def _restored(n: Number, ends: Sequence[datetime]) -> list[Event]:
    """The bindings that no fact has ended, where the number still serves, or may serve again (X5)."""
    serves = isinstance(n.life, Assigned) or (isinstance(n.life, Reserved) and n.life.cause == "expired")
    if n.episode is None or not serves:
        return []
    taken = {_channel(b) for b in n.bindings}
    events: list[Event] = []
    for b in reversed(n.episode.ended):
        if b.at is not None and _channel(b) not in taken and all(b.at >= end for end in ends):
            taken.add(_channel(b))
            events.append(bound_again(n, b))
    return events


def _channel(b: Binding) -> str:
    return "sms" if b.kind == "sms" else "voice"
