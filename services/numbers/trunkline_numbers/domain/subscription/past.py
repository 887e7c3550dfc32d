"""What numbers keeps of a subscription's past, and from when on what licensing published counts (X4, D10.14)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from trunkline.limits import PAST_KEPT
from trunkline_numbers.domain.subscription.events import SubscriptionHeard

_PAST: Final = tuple(name for name in ("swapped_out", "covers", "gaps") if name in SubscriptionHeard.__struct_fields__)


def with_past(said: SubscriptionHeard, before: SubscriptionHeard | None) -> SubscriptionHeard:
    """What licensing published, with the older steps of a paid reservation that were known before (N4).

    An event carries the newest `PAST_KEPT` entries of each list. Fewer than that are all there are. What was swapped
    out, and the times of expiry, are no more than the event carries: older ones are settled for good.

    Args:
        said: the newest state.
        before: the state before it, with its own past.
    """
    if before is None or len(said.covers) < PAST_KEPT:
        return said
    return replace(said, covers=_joined(before.covers, said.covers))


def is_full(entries: tuple[Any, ...]) -> bool:
    """Whether there may be older entries than those that are known: the oldest one is then the bound of the past."""
    return len(entries) >= PAST_KEPT


def settled_before(heard: SubscriptionHeard) -> datetime | None:
    """What the subscription named until then is settled for good, whatever arrives later; None: nothing is."""
    if len(heard.swapped_out) < PAST_KEPT and (heard.gaps is None or len(heard.gaps) < PAST_KEPT):
        return None  # as nearly always
    bounds = []
    if is_full(heard.swapped_out):
        bounds.append(heard.swapped_out[0].at)
    if heard.gaps and is_full(heard.gaps):
        bounds.append(heard.gaps[0].reactivated_at)
    return max(bounds, default=None)


def _joined(known: tuple[Any, ...], carried: tuple[Any, ...]) -> tuple[Any, ...]:
    for index in range(len(known) - 1, -1, -1):
        if known[index] == carried[0]:
            return (*known[:index], *carried)
    first = _instant(carried[0])  # there is a gap between both, as many events have overtaken others
    return (*(entry for entry in known if _instant(entry) < first), *carried)


def counts_from(said: SubscriptionHeard) -> datetime:
    """The latest instant among the facts of a state: before it the state is not so, whatever clock published it."""
    latest = max(said.at, said.started_at, said.expired_at or said.at, said.terminated_at or said.at)
    for name in _PAST:
        if entries := getattr(said, name):
            latest = max(latest, *map(_instant, entries))
    return latest


def _instant(entry: Any) -> datetime:
    found: datetime = entry.at if hasattr(entry, "at") else entry.reactivated_at
    return found
