"""How a service is doing, in figures: what `doctor` judges and `projection list` shows (O3, O7)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from trunkline.clock import Clock
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import failed_item_counts
from trunkline.projections.builds import ProjectionBuilds, Status
from trunkline.projections.runner import ProjectionRunner
from trunkline.runtime.disk import DiskFacts, disks, write_error
from trunkline.runtime.lag import RELAY, Lag, log_lags, projection_lag, state_lags

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

__all__ = ["RELAY", "ServiceStatus", "deadline_facts", "facts", "projection_facts", "waiting_page"]


class ProjectionFacts(msgspec.Struct, frozen=True, gc=False):
    """One generation of a view.

    Attributes:
        version: of the view's code it was built with; code_version: of the code that runs.
        position: in the log; null while it is being folded.
        lag: events that concern it and follow it in the log.
        lag_seconds: since the oldest of them was recorded; 0 where there is none.
    """

    name: str
    generation: int
    status: Status
    version: int
    code_version: int | None
    position: int | None
    lag: int | None
    built_at: datetime | None
    lag_seconds: float = 0.0


class DeadlineFacts(msgspec.Struct, frozen=True, gc=False):
    """The due rows: how many, how many of them are due, since when, and the next one."""

    count: int
    overdue: int
    next_due: datetime | None
    overdue_seconds: float = 0.0


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """One stream that waits for another to exist or to change (S6, S7)."""

    awaited: str
    waiter: str
    since: datetime
    reason: str


class ServiceStatus(msgspec.Struct, frozen=True, gc=False):
    """Everything that says whether a service is well.

    Attributes:
        end: of the log.
        unpublished: public events that the relay has not published yet.
        lags: of the relay, of each subscriber of the log, of each state topic that is published.
        heard: source -> position of what it hears.
        quarantined: conflicting duplicates that nobody has settled yet (S3).
        waiting: facts that wait for an organization or a start (S7); not the subscriptions that wait for a number.
        disks: the folders that fill up. database_error: why PostgreSQL cannot write; null: it can.
        failed_items: loop -> items it has set aside and tries again.
    """

    service: str
    now: datetime
    server: str
    end: int
    unpublished: int
    lags: list[Lag]
    heard: dict[str, int]
    projections: list[ProjectionFacts]
    deadlines: DeadlineFacts
    parked: int
    quarantined: int
    waiting: int
    mail_waiting: int
    mail_failed: int
    database_bytes: int = 0
    database_error: str | None = None
    disks: list[DiskFacts] = []
    failed_items: dict[str, int] = {}


def projection_facts(projector: ProjectionRunner, now: datetime) -> list[ProjectionFacts]:
    """Every generation of every view, with its lag."""
    found = []
    for g in ProjectionBuilds(projector.store).all():
        view = projector.views.get(g.name)
        names = None if view is None else view.names
        lag = None if g.position is None else projection_lag(projector.store, now, g.name, g.position, names)
        found.append(
            ProjectionFacts(
                g.name,
                g.generation,
                g.status,
                g.version,
                None if view is None else view.version,
                g.position,
                None if lag is None else lag.events,
                g.built_at,
                0.0 if lag is None else lag.seconds,
            )
        )
    return found


def deadline_facts(store: Store, clock: Clock) -> DeadlineFacts:
    """How many streams are due, and when."""
    now = clock.now()
    count, overdue, next_due = store.fetch(
        "SELECT count(*), count(*) FILTER (WHERE due_at <= %s), min(due_at) FROM deadlines", (now,)
    )[0]
    return DeadlineFacts(count, overdue, next_due, (now - next_due).total_seconds() if overdue else 0.0)


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


def facts(runtime: ServiceRuntime) -> ServiceStatus:
    """A service's figures now.

    Args:
        runtime: the running service.
    """
    store, service, now = runtime.store, runtime.service, runtime.clock.now()
    lags = list(log_lags(store, now, service.private, service.subscribers))
    topics = {s.contract.name: s.view for s in service.states if s.contract.name in runtime.loops}
    lags += state_lags(store, now, topics)
    positions = store.positions("")
    own = (RELAY, "follower/", "states/")
    return ServiceStatus(
        service=service.name,
        now=now,
        server=str(_one(store, "SHOW server_version")),
        end=store.end_of_log(),
        unpublished=next(lag.events for lag in lags if lag.name == RELAY),
        lags=lags,
        heard={name: position for name, position in positions.items() if not name.startswith(own)},
        projections=projection_facts(runtime.projector, now),
        deadlines=deadline_facts(store, runtime.clock),
        **counts(store),
        database_bytes=_one(store, "SELECT pg_database_size(current_database())"),
        database_error=write_error(store),
        disks=disks(store, runtime.settings, service.name),
        failed_items=failed_item_counts(store),
    )


def counts(store: Store) -> dict[str, int]:
    """How much waits for a person, by the name of the figure: cheap enough to be read whenever metrics are."""
    figures = ("parked", "quarantined", "waiting", "mail_waiting", "mail_failed")
    return dict(zip(figures, store.fetch(_COUNTS)[0], strict=True))


_COUNTS: Final = """
    SELECT (SELECT count(*) FROM parked WHERE status = 'waiting'),
        (SELECT count(*) FROM quarantined WHERE id NOT IN (SELECT quarantined_id FROM quarantined_outcomes)),
        (SELECT count(*) FROM awaited WHERE NOT starts_with(awaited, 'number/')),
        (SELECT count(*) FROM mail WHERE state = 'waiting'),
        (SELECT count(*) FROM mail WHERE state = 'failed')"""


def _one(store: Store, sql: str) -> Any:
    return store.fetch(sql)[0][0]
