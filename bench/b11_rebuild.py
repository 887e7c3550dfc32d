"""B11: a view is built anew from five million events while 500 a second arrive, as it is within a running service.

The intake that hears them, and the views that follow the log, are threads of the process that builds, as in a service
that runs alone: they share its interpreter.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from bench.figures import Figure, at_least
from bench.loaded import load
from bench.run import Run
from trunkline.eventstore.event_store import Store
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord
from trunkline.projections.builds import ProjectionBuilds, table_of
from trunkline.projections.rebuild import Comparison, Rebuild
from trunkline.projections.runner import ProjectionRunner
from trunkline.runtime.polling_loop import IDLE_POLL_SECONDS
from trunkline.runtime.service_runtime import VIEWS_SHARE
from trunkline_numbers.wiring import service as numbers_service

B11 = at_least(ratio=0.35, text="≥ 35 %")
VIEW = "number_view"
RATE = 500
BEATS = 10
"""So often a second a part of them is heard."""
EVENTS_A_NUMBER = 4
"""Two of the number, two of its subscription."""


def measure(run: Run) -> list[Figure]:
    """One figure, of one build: it takes minutes, and its rate is of millions of events."""
    size = 10_000 if run.quick else 1_250_000
    loaded = load(run.databases, size, reserved=False)
    store = Store(loaded.url, numbers_service().codec())
    views = tuple(view for view in numbers_service().views if view.name == VIEW)
    projector = ProjectionRunner(store, views)
    projector.prepare()
    try:
        while projector.step():
            pass
        arriving = loaded.expired(min(size, 200_000))
        with _arriving(store, arriving) as arrived, _following(projector):
            begun = time.perf_counter()
            comparison = Rebuild(projector, lambda: datetime.now(UTC)).rebuild(VIEW)
            seconds = time.perf_counter() - begun
        folded = _check(store, comparison, size, arrived)
        copied = _insert_select(store)
    finally:
        projector.resign()
        store.close()
        run.databases.drop(loaded.url)
    what = f"a view built anew from a log of {size * EVENTS_A_NUMBER:,} events while {RATE} a second arrive: its events"
    return [
        Figure(
            "B11", what, folded / seconds, "events/s", B11, folded, 1, folded / copied, copied / seconds,
            {"arrived": arrived[0], "rows": comparison.rows},
        ),
    ]  # fmt: skip


@contextmanager
def _arriving(store: Store, records: Sequence[IncomingRecord]) -> Iterator[list[int]]:
    """The intake hears so many a second; how many it has heard."""
    intake = Inbox(store, numbers_service(), lambda: datetime.now(UTC))
    part = RATE // BEATS
    arrived = [0]

    def hear(stopping: threading.Event) -> None:
        begun = time.monotonic()
        for start in range(0, len(records), part):
            if stopping.wait(max(0.0, begun + start / RATE - time.monotonic())):
                return
            arrived[0] += intake.accept(records[start : start + part])

    with _beside(hear):
        yield arrived


@contextmanager
def _following(projector: ProjectionRunner) -> Iterator[None]:
    """The views follow the log, and rest nine tenths of the time, as a node has them do."""

    def follow(stopping: threading.Event) -> None:
        rest = 0.0
        while not stopping.wait(rest):
            begun = time.monotonic()
            projector.step()
            rest = min(IDLE_POLL_SECONDS, (time.monotonic() - begun) * (1 / VIEWS_SHARE - 1))

    with _beside(follow):
        yield


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """A thread that works for the time of the block."""
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _check(store: Store, comparison: Comparison, size: int, arrived: Sequence[int]) -> int:
    """Every number is there and as its stream says, what arrived meanwhile too; how many events were folded."""
    assert (comparison.rows, comparison.differences) == (size, 0), comparison
    names = next(view.names for view in numbers_service().views if view.name == VIEW)
    ((reserved,),) = store.fetch(
        "SELECT count(*) FROM stored_events WHERE topic = 'numbers.NumberReserved' AND notification_id <= %s",
        (comparison.position,),
    )
    ((shown,),) = store.fetch("SELECT count(*) FROM number_view WHERE state = 'reserved' AND position <= %s",
                              (comparison.position,))  # fmt: skip
    assert 0 < shown == reserved <= arrived[0], (shown, reserved, arrived)
    sql = "SELECT count(*) FROM stored_events WHERE notification_id <= %s"
    params: list[object] = [comparison.position]
    if names is not None:
        sql, params = f"{sql} AND topic = ANY(%s)", [*params, list(names)]
    ((folded,),) = store.fetch(sql, params)
    return int(folded)


def _insert_select(store: Store) -> float:
    """Seconds in which PostgreSQL itself copies the view's rows into a table with the same indexes."""
    active = next(g for g in ProjectionBuilds(store).all(VIEW) if g.status == "active")
    with store.connection() as conn:
        conn.execute(f"CREATE TABLE copied (LIKE {table_of(active)} INCLUDING ALL)".encode())
        begun = time.perf_counter()
        conn.execute(f"INSERT INTO copied SELECT * FROM {table_of(active)}".encode())
        seconds = time.perf_counter() - begun
        conn.execute(b"DROP TABLE copied")
    return seconds
