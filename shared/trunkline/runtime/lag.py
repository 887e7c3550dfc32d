"""How far each subscriber of a store's log is behind: in events that concern it, and since when (O7).

A position alone says nothing: a subscriber that reads one event type stands still as long as there is none of it, and
stores its position only now and then. So what lies after the position is counted by the names that it reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import recorded

RELAY: Final = "relay"
MOST: Final = 100_000
"""Events counted at most: beyond this it does not matter how many more there are, and counting takes time."""

Kind = Literal["relay", "subscriber", "projection", "state topic"]


class Lag(msgspec.Struct, frozen=True, gc=False):
    """What one subscriber has not processed yet.

    Attributes:
        name: of the subscriber.
        kind: what it is.
        events: how many events (or changed documents of a state topic) that concern it follow its position, counted
            up to `MOST`.
        oldest_at: when the oldest of them was recorded; None where there is none.
        seconds: from then until now; 0 where there is none.
    """

    name: str
    kind: Kind
    events: int
    oldest_at: datetime | None
    seconds: float


def behind(
    store: Store,
    after: int,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> tuple[int, datetime | None]:
    """How many events that concern a subscriber follow a position, and when the oldest was recorded.

    Args:
        store: whose log is read.
        after: the position.
        names: the stored names that it reads; None: all.
        but: names that it does not read.
    """
    where, params = "notification_id > %s", list[Any]([after])
    if names is not None:
        where += " AND topic = ANY(%s)"
        params.append(list(names))
    if but:
        where += " AND topic <> ALL(%s)"
        params.append(list(but))
    sql = (
        "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
        f" WHERE {where} ORDER BY notification_id LIMIT 1"
    )
    oldest = store.fetch(sql, params)
    if not oldest:
        return 0, None
    ((count,),) = store.fetch(
        f"SELECT count(*) FROM (SELECT FROM stored_events WHERE {where} LIMIT {MOST}) following", params
    )
    position, stream_id, version, name, state = oldest[0]
    event = recorded(store.codec, (position, stream_id, version, name, state))
    return count, event.meta.recorded_at


def log_lags(
    store: Store, now: datetime, private: Collection[str], subscribers: Mapping[str, Sequence[str]]
) -> Iterator[Lag]:
    """The relay's lag, and that of each subscriber with a position of its own.

    Args:
        store: the service's.
        now: the service's time.
        private: stored names that the relay does not publish.
        subscribers: name -> the stored names that it reads.
    """
    positions = store.positions("")
    yield _lag(RELAY, "relay", now, *behind(store, positions.get(RELAY, 0), but=private))
    for name, names in subscribers.items():
        after = positions.get(f"follower/{name}", 0)
        yield _lag(name, "subscriber", now, *behind(store, after, names=names))


def state_lags(store: Store, now: datetime, topics: Mapping[str, str]) -> Iterator[Lag]:
    """The lag of each state topic behind its projection.

    Args:
        store: the service's.
        now: the service's time.
        topics: name of the state topic -> its projection.
    """
    for name, projection in topics.items():
        after = store.positions(f"states/{name}").get(f"states/{name}", 0)
        rows = f"SELECT changed_at FROM {projection} WHERE position > %s LIMIT {MOST}"
        ((count, oldest),) = store.fetch(f"SELECT count(*), min(changed_at) FROM ({rows}) following", (after,))
        yield _lag(name, "state topic", now, count, oldest)


def projection_lag(store: Store, now: datetime, name: str, after: int, names: Sequence[str] | None) -> Lag:
    """The lag of one generation of a projection.

    Args:
        store: the service's.
        now: the service's time.
        name: of the projection.
        after: its position.
        names: the stored names that it reads; None: all.
    """
    return _lag(name, "projection", now, *behind(store, after, names=names))


def _lag(name: str, kind: Kind, now: datetime, events: int, oldest_at: datetime | None) -> Lag:
    seconds = 0.0 if oldest_at is None else max(0.0, (now - oldest_at).total_seconds())
    return Lag(name, kind, events, oldest_at, seconds)
