"""What numbers keeps of a subscription's past, and from when on what licensing published counts (X4, D10.14)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from trunkline.limits import PAST_KEPT
from trunkline_numbers.domain.subscription.events import SubscriptionReceived

_PAST: Final = tuple(
    name for name in ("swapped_out", "covers", "gaps") if name in SubscriptionReceived.__struct_fields__
)


def with_past(published: SubscriptionReceived, before: SubscriptionReceived | None) -> SubscriptionReceived:
    """What licensing published, with the older steps of a paid reservation that were known before (N4).

    An event carries the newest `PAST_KEPT` entries of each list. Fewer than that are all there are. What was swapped
    out, and the times of expiry, are no more than the event carries: older ones are settled for good.

    Args:
        published: the newest state.
        before: the state before it, with its own past.
    """
    if before is None or len(published.covers) < PAST_KEPT:
        return published
    return replace(published, covers=_joined(before.covers, published.covers))


def is_full(entries: tuple[Any, ...]) -> bool:
    """Whether there may be older entries than those that are known: the oldest one is then the bound of the past."""
    return len(entries) >= PAST_KEPT


def settled_before(terms: SubscriptionReceived) -> datetime | None:
    """What the subscription named until then is settled for good, whatever arrives later; None: nothing is."""
    if len(terms.swapped_out) < PAST_KEPT and (terms.gaps is None or len(terms.gaps) < PAST_KEPT):
        return None  # as nearly always
    bounds = []
    if is_full(terms.swapped_out):
        bounds.append(terms.swapped_out[0].at)
    if terms.gaps and is_full(terms.gaps):
        bounds.append(terms.gaps[0].reactivated_at)
    return max(bounds, default=None)


def _joined(known: tuple[Any, ...], carried: tuple[Any, ...]) -> tuple[Any, ...]:
    for index in range(len(known) - 1, -1, -1):
        if known[index] == carried[0]:
            return (*known[:index], *carried)
    first = _instant(carried[0])  # there is a gap between both, as many events have overtaken others
    return (*(entry for entry in known if _instant(entry) < first), *carried)


def counts_from(published: SubscriptionReceived) -> datetime:
    """The latest instant among the facts of a state: before it the state is not so, whatever clock published it."""
    latest = max(
        published.at,
        published.started_at,
        published.expired_at or published.at,
        published.terminated_at or published.at,
    )
    for name in _PAST:
        if entries := getattr(published, name):
            latest = max(latest, *map(_instant, entries))
    return latest


def _instant(entry: Any) -> datetime:
    found: datetime = entry.at if hasattr(entry, "at") else entry.reactivated_at
    return found
