"""How a service is doing, in figures: what `doctor` judges and `projection list` shows (O3, O7)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from trunkline.clock import Clock
from trunkline.generations import Generations, Status
from trunkline.projection import Projector
from trunkline.store import Store

RELAY = "relay"


class ProjectionFacts(msgspec.Struct, frozen=True, gc=False):
    """One generation of a view.

    Attributes:
        version: of the view's code it was built with; code_version: of the code that runs.
        position: in the log; null while it is being folded.
        lag: events of the log after it.
    """

    name: str
    generation: int
    status: Status
    version: int
    code_version: int | None
    position: int | None
    lag: int | None
    built_at: datetime | None


class DeadlineFacts(msgspec.Struct, frozen=True, gc=False):
    """The due rows: how many, how many of them are due, since when, and the next one."""

    count: int
    overdue: int
    next_due: datetime | None


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """One stream that waits for another to exist or to change (S6, S7)."""

    awaited: str
    waiter: str
    since: datetime
    reason: str


class Facts(msgspec.Struct, frozen=True, gc=False):
    """Everything that says whether a service is well.

    Attributes:
        end: of the log.
        followers: name -> events of the log it has not seen: the relay, notices, state topics.
        heard: source -> position of what it hears.
    """

    service: str
    now: datetime
    server: str
    end: int
    unpublished: int
    followers: dict[str, int]
    heard: dict[str, int]
    projections: list[ProjectionFacts]
    deadlines: DeadlineFacts
    parked: int
    quarantined: int
    waiting: int
    mail_waiting: int
    mail_failed: int


def projection_facts(projector: Projector) -> list[ProjectionFacts]:
    """Every generation of every view, with its lag."""
    end = projector.store.end_of_log()
    return [
        ProjectionFacts(
            g.name,
            g.generation,
            g.status,
            g.version,
            projector.views[g.name].version if g.name in projector.views else None,
            g.position,
            None if g.position is None else max(0, end - g.position),
            g.built_at,
        )
        for g in Generations(projector.store).all()
    ]


def deadline_facts(store: Store, clock: Clock) -> DeadlineFacts:
    """How many streams are due, and when."""
    row = store.fetch(
        "SELECT count(*), count(*) FILTER (WHERE due_at <= %s), min(due_at) FROM deadlines", (clock.now(),)
    )[0]
    return DeadlineFacts(*row)


def waiting_page(
    store: Store, limit: int, after: tuple[datetime, str, str] | None = None, category: str | None = None
) -> list[Waiting]:
    """Who waits for what, the longest first.

    Args:
        store: the service's.
        limit: how many at most.
        after: (since, awaited, waiter) of the last one already seen.
        category: only those that wait for streams of this category, such as `party`.
    """
    where, params = ["true"], list[object]()
    if after is not None:
        where.append("(since, awaited, waiter) > (%s, %s, %s)")
        params += after
    if category is not None:
        where.append("starts_with(awaited, %s)")
        params.append(f"{category}/")
    rows = store.fetch(
        f"SELECT awaited, waiter, since, reason FROM awaited WHERE {' AND '.join(where)}"
        " ORDER BY since, awaited, waiter LIMIT %s",
        (*params, limit),
    )
    return [Waiting(*row) for row in rows]


def facts(name: str, store: Store, clock: Clock, projector: Projector) -> Facts:
    """A service's figures now."""
    end = store.end_of_log()
    positions = store.positions("")
    followed = {k: p for k, p in positions.items() if k == RELAY or k.startswith(("follower/", "states/"))}
    return Facts(
        service=name,
        now=clock.now(),
        server=str(_one(store, "SHOW server_version")),
        end=end,
        unpublished=end - positions.get(RELAY, 0),
        followers={k: max(0, end - p) for k, p in followed.items()},
        heard={k: p for k, p in positions.items() if k not in followed},
        projections=projection_facts(projector),
        deadlines=deadline_facts(store, clock),
        parked=_one(store, "SELECT count(*) FROM parked WHERE status = 'waiting'"),
        quarantined=_one(store, "SELECT count(*) FROM quarantined"),
        waiting=_one(store, "SELECT count(*) FROM awaited"),
        mail_waiting=_one(store, "SELECT count(*) FROM mail WHERE state = 'waiting'"),
        mail_failed=_one(store, "SELECT count(*) FROM mail WHERE state = 'failed'"),
    )


def _one(store: Store, sql: str) -> Any:
    return store.fetch(sql)[0][0]
