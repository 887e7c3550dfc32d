"""What an event does to the episode of a number, and to the free times before it (X4, D10.17)."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from trunkline.limits import PAST_KEPT
from trunkline_numbers.domain.number.events import NumberBound, NumberUnbound
from trunkline_numbers.domain.number.state import Available, Binding, Episode, FreeTime, Number, Reserved, owned

_MOST_ENDED = 4
_MOST_FREE_TIMES = 4
_MOST_OUTER = 3
"""Episodes around the present one that are remembered."""


def free_times_after(n: Number, at: datetime, reserver_id: str | None = None) -> tuple[FreeTime, ...]:
    """With the time that a person's act ends now, if the number was free."""
    if not isinstance(n.life, Available):
        return n.free_times
    ended = FreeTime(n.life, at, n.last_organization_id, reserver_id)
    return (*n.free_times, ended)[-_MOST_FREE_TIMES:]


def episode_after(n: Number, subscription_id: str, at: datetime) -> Episode | None:
    """The episode of the subscription that the number is assigned to now."""
    life, episode = n.life, n.episode
    if owned(life, subscription_id):
        if episode is not None and isinstance(life, Reserved) and life.cause == "expired":
            return replace(episode, survived=(*episode.survived, life.since)[-PAST_KEPT:])
        return episode
    if not isinstance(life, Available | Reserved):
        return None
    outer = episode if episode is not None and owned(life, episode.subscription_id) else None
    outer = _shortened(outer, _MOST_OUTER)
    return Episode(subscription_id, at, life, n.last_organization_id, n.bindings, outer=outer)


def episode_without(n: Number, event: NumberUnbound) -> Episode | None:
    """The episode, with a binding that a fact has ended; an extension's is licensing's to make anew (X5)."""
    episode = n.episode
    if episode is None or event.kind == "pbx" or event.cause in ("by_hand", "asked"):
        return episode
    if event.cause == "released" and event.at == episode.since:
        return episode  # it rested with the reservation that this episode ended (X5)
    gone = tuple(b for b in n.bindings if b.kind == event.kind)
    return replace(episode, ended=(*(b for b in episode.ended if b not in gone), *gone)[-_MOST_ENDED:])


def episode_with(episode: Episode | None, bound: Binding) -> Episode | None:
    """The episode, once a binding that a fact had ended is restored."""
    return episode and replace(episode, ended=tuple(b for b in episode.ended if b.user_id != bound.user_id))


def _shortened(episode: Episode | None, most: int) -> Episode | None:
    if episode is None or most == 0:
        return None
    return replace(episode, outer=_shortened(episode.outer, most - 1))


def bound_at(n: Number, event: NumberBound) -> datetime:
    """Since when the number serves the user: the same extension in a newer generation is the same binding."""
    same = (b for b in n.bindings if b.kind == event.kind and b.extension_id == event.extension_id)
    before = next(same, None) if event.extension_id is not None else None
    return event.at if before is None or before.at is None else before.at
