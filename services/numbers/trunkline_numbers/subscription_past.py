"""What numbers keeps of a subscription's past, and from when on what licensing published counts (X4, D10.14)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from trunkline.limits import PAST_KEPT
from trunkline_numbers.subscription_events import SubscriptionHeard

_PAST: Final = tuple(name for name in ("swapped_out", "covers", "gaps") if name in SubscriptionHeard.__struct_fields__)


def with_past(said: SubscriptionHeard, before: SubscriptionHeard | None) -> SubscriptionHeard:
    """What licensing published, with the older entries of its past that were known before.

    An event carries the newest `PAST_KEPT` entries of each list. Fewer than that are all there are.

    Args:
        said: the newest state.
        before: the state before it, with its own past.
    """
    if before is None:
        return said
    whole = {
        name: _joined(getattr(before, name) or (), carried)
        for name in _PAST
        if len(carried := getattr(said, name) or ()) >= PAST_KEPT
    }
    return replace(said, **whole) if whole else said


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
