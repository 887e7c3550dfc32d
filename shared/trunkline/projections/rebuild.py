"""Rebuilding a view blue/green while the service runs, and holding it against a fold from zero (O3).

Built beside: the streams are folded whole into a new generation, which then catches up with the log and moves together
with the active one. Both stand at one position then, and are compared in one snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Literal

import psycopg
import structlog

from trunkline.errors import Refused
from trunkline.eventstore.event_store import Connection
from trunkline.eventstore.failed_items import FailedItems, concerns_item
from trunkline.eventstore.stream_reader import read_ahead, whole_streams
from trunkline.projections.builds import ProjectionBuild, ProjectionBusy, table_of
from trunkline.projections.failures import set_aside_undecodable
from trunkline.projections.runner import Projection, ProjectionRunner

log = structlog.get_logger(__name__)

SHOWN = 20
"""Differences that are listed; all are counted."""
_PAUSE_SECONDS = 0.01


class ProjectionUnknown(Refused):
    """There is no projection {name}; there are: {names}."""

    status: ClassVar[int] = 404


class RebuildUnderWay(Refused):
    """{name} is being built or compared already; wait until that has ended."""


class NothingToRollBackTo(Refused):
    """{name} has no earlier generation of version {version} to go back to; rebuild it instead."""


@dataclass(frozen=True)
class Progress:
    """How far a build is. `done` and `total` are log events; `total` is an upper bound."""

    name: str
    phase: Literal["folding", "indexing", "catching up", "comparing", "swapping"]
    done: int
    total: int


@dataclass(frozen=True)
class Difference:
    """A row that is not as the streams say; None: there is no such row."""

    key: str
    found: dict[str, Any] | None
    expected: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        position: the log position at which both stood.
        rows: rows that the fold gives.
        differences: rows that differ; None where the versions do, so that nothing can be compared.
        shown: the first of them.
    """

    name: str
    position: int
    rows: int
    differences: int | None
    shown: tuple[Difference, ...] = ()


ProgressCallback = Callable[[Progress], None]


def _silent(_: Progress) -> None:
    """Report no progress."""


class Rebuild:
    """Builds, verifies and rolls back the views of one projector. Synchronous: run it in a thread."""

    def __init__(self, projector: ProjectionRunner, now: Callable[[], datetime]) -> None:
        """Prepare.

        Args:
            projector: of the same store and views.
            now: the service's clock, for `built_at`.
        """
        self._projector = projector
        self._store = projector.store
        self._generations = projector.generations
        self._now = now
        self._current = False
        self._failed = FailedItems(self._store, now, "rebuild")
        self._loaded = False

    def rebuild(self, name: str, on_progress: ProgressCallback = _silent) -> Comparison:
        """Build a view anew beside the active one, compare, swap; the old one is kept for `rollback`.

        Raises:
            ProjectionUnknown, RebuildUnderWay, ProjectionBusy: nothing has changed for readers.
        """
        view = self._view(name)
        with self._alone(name), self._built(view, on_progress, view.indexes) as fresh:
            comparison = self._compare(view, fresh, on_progress)
            on_progress(Progress(name, "swapping", comparison.position, comparison.position))
            self._generations.swap(fresh, self._now())
            self._failed.settle_key(name)
            return comparison

    def step(self) -> int:
        """Build every view anew whose active generation is older than this code; how many were.

        The old one serves meanwhile, as it was when this code started. One that another copy builds is left to it.
        """
        if self._current:
            return 0
        outdated = self._projector.outdated()
        if not self._loaded:
            self._failed.load()
            self._loaded = True
        self._current = not outdated  # once it is so, it stays so as long as this code runs
        built = 0
        for name in self._failed.ready([view.name for view in outdated]):
            with self._failed.attempt(name):
                built += self._rebuild_unless_busy(name)
        return built

    def _rebuild_unless_busy(self, name: str) -> int:
        try:
            self.rebuild(name)
        except (RebuildUnderWay, ProjectionBusy) as later:
            log.info("a view could not be built anew yet", view=name, why=later.sentence)
            return 0
        return 1

    def verify(self, name: str, on_progress: ProgressCallback = _silent) -> Comparison:
        """Hold a view against a fold of the streams from zero; nothing changes for readers.

        Raises:
            ProjectionUnknown, RebuildUnderWay: not done.
        """
        view = self._view(name)
        with self._alone(name), self._built(view, on_progress, ()) as fresh:  # nobody will read it
            return self._compare(view, fresh, on_progress)

    def rollback(self, name: str, on_progress: ProgressCallback = _silent) -> ProjectionBuild:
        """Show the generation before this one again, brought up to the present first.

        Raises:
            ProjectionUnknown, RebuildUnderWay, ProjectionBusy, NothingToRollBackTo: nothing has changed.
        """
        view = self._view(name)
        with self._alone(name):
            kept = self._generations.one(name, "retired")
            if kept is None or kept.version != view.version:
                raise NothingToRollBackTo(name=name, version=view.version)
            self._generations.revive(kept)
            self._catch_up(view, kept, on_progress)
            self._generations.swap(kept, self._now())
            return kept

    # -- the steps --------------------------------------------------------------------------------------------

    def _view(self, name: str) -> Projection:
        view = self._projector.views.get(name)
        if view is None:
            raise ProjectionUnknown(name=name, names=", ".join(sorted(self._projector.views)))
        return view

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One build of a view at a time, over all copies of the service."""
        with psycopg.connect(self._store.url, autocommit=True) as session:
            row = session.execute(
                b"SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"rebuild/{name}",)
            ).fetchone()
            if row is None or not row[0]:
                raise RebuildUnderWay(name=name)
            try:
                yield
            finally:
                with suppress(psycopg.Error):  # closing alone lets go only when the server notices
                    session.execute(b"SELECT pg_advisory_unlock_all()")

    @contextmanager
    def _built(
        self, view: Projection, on_progress: ProgressCallback, indexes: Sequence[str]
    ) -> Iterator[ProjectionBuild]:
        """A new generation beside the active one, dropped at the end unless it was swapped in."""
        fresh = self._generations.create_beside(view.name, view.version, view.ddl)
        try:
            self._build(view, fresh, on_progress, indexes)
            yield fresh
        finally:
            for left in self._generations.all(view.name):
                if left.generation == fresh.generation and left.status == "building":
                    self._generations.drop(left)

    def _build(
        self, view: Projection, fresh: ProjectionBuild, on_progress: ProgressCallback, indexes: Sequence[str]
    ) -> None:
        upto = self._store.end_of_log()
        done = 0
        on_progress(Progress(view.name, "folding", 0, upto))
        failures: dict[str, tuple[int, Exception]] = {}
        pages = whole_streams(self._store, upto, view.names, undecodable=partial(_note, failures))
        for page in read_ahead(pages):
            self._projector.fold(fresh, page)
            done += len(page)
            on_progress(Progress(view.name, "folding", done, upto))
        on_progress(Progress(view.name, "indexing", upto, upto))
        with self._store.connection() as conn, conn.transaction():
            for index in indexes:  # of rows that are there: sorted once, not for each of them
                conn.execute(index.replace("{table}", table_of(fresh)).encode())
            conn.execute(f"ANALYZE {table_of(fresh)}".encode())
            self._generations.move(conn, [fresh], upto)
            set_aside_undecodable(conn, fresh, failures, self._now())
        self._catch_up(view, fresh, on_progress)

    def _catch_up(self, view: Projection, fresh: ProjectionBuild, on_progress: ProgressCallback) -> None:
        """Apply the log until the generation stands beside the active one, or at the log's end where that is older."""
        while True:
            mine, active = self._places(fresh)
            goal = active.position if active.version == view.version else self._store.end_of_log()
            if mine == goal:
                return
            on_progress(Progress(view.name, "catching up", mine, self._store.end_of_log()))
            if not self._projector.advance(view):
                time.sleep(_PAUSE_SECONDS)  # a rival is applying this very page

    def _places(self, fresh: ProjectionBuild, conn: Connection | None = None) -> tuple[int, ProjectionBuild]:
        """Where a generation stands, and the active one beside it."""
        known = self._generations.all(fresh.name, conn)
        mine = next(g.position for g in known if g.generation == fresh.generation)
        assert mine is not None
        return mine, next(g for g in known if g.status == "active")

    def _compare(self, view: Projection, fresh: ProjectionBuild, on_progress: ProgressCallback) -> Comparison:
        """Count and list the rows that differ, in a snapshot in which both generations stand at one position."""
        while True:
            with self._store.connection() as conn, conn.transaction():
                conn.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                mine, active = self._places(fresh, conn)
                if active.version != view.version:
                    return Comparison(view.name, mine, _count(conn, fresh), None)
                if mine == active.position:
                    on_progress(Progress(view.name, "comparing", mine, mine))
                    return _differences(conn, active, fresh, mine)
            self._catch_up(view, fresh, on_progress)


def _note(failures: dict[str, tuple[int, Exception]], stream_id: str, position: int, error: Exception) -> None:
    """Note an event that cannot be decoded. Raises what is not the event's own fault."""
    if not concerns_item(error):
        raise error
    failures[stream_id] = (position, error)


def _count(conn: Connection, generation: ProjectionBuild) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table_of(generation)}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _differences(conn: Connection, active: ProjectionBuild, fresh: ProjectionBuild, position: int) -> Comparison:
    differing = (
        f"FROM {table_of(active)} a FULL JOIN {table_of(fresh)} f ON a.key = f.key"
        " WHERE ROW(a.*) IS DISTINCT FROM ROW(f.*)"
    )
    row = conn.execute(f"SELECT count(*) {differing}".encode()).fetchone()
    assert row is not None
    shown: list[Difference] = []
    if row[0]:
        listed = conn.execute(
            "SELECT coalesce(a.key, f.key), to_jsonb(a) - 'folded', to_jsonb(f) - 'folded'"
            f" {differing} ORDER BY 1 LIMIT {SHOWN}".encode()
        )
        shown = [Difference(key, found, expected) for key, found, expected in listed]
    return Comparison(active.name, position, _count(conn, fresh), int(row[0]), tuple(shown))
