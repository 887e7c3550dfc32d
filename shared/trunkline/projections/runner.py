"""Views: batch projections of the log, each with its position in the same transaction as its rows.

A view is applied by pages. Its rows live in generations (`builds.py`), so that a new one can be built beside the
old one while the service runs (`rebuild.py`). Applying touches nothing but the view's own table: no mail, no message,
no command can come of it, however often history is replayed (O3).

A stream that a view cannot take in is set aside (`failures.py`): the view is not whole then, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from trunkline.clock import Clock, SystemClock
from trunkline.eventstore.event_store import Connection, Store
from trunkline.eventstore.failed_items import concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import RawRow, RecordedEvent, recorded
from trunkline.projections.builds import ProjectionBuild, ProjectionBuilds, table_of
from trunkline.projections.failures import isolate, isolate_events, retry, without_failed

PAGE = 10_000
"""Events applied in one transaction at most."""

Apply = Callable[[Connection, str, Sequence[RecordedEvent]], None]


@dataclass(frozen=True)
class Projection:
    """One question's answers, kept ready.

    Attributes:
        name: of the SQL view that readers use.
        version: raised whenever `ddl` or `apply` change; a newer version is built beside the old one and swapped in.
        ddl: creates the table, with `{table}` for the table's name; its first column is `key`, and its primary key.
        apply: brings a page of events, in log order, into the table named. It may not look at rows of other streams
            than the page's: a rebuild applies whole streams one after the other.
        names: the stored names it reads; None reads all.
        indexes: create what questions need besides, with `{table}` as above; a rebuild does so when its rows are there.
    """

    name: str
    version: int
    ddl: str
    apply: Apply
    names: tuple[str, ...] | None = None
    indexes: tuple[str, ...] = ()


class ProjectionRunner:
    """Keeps the views of one store up to the log. Synchronous and thread-safe."""

    def __init__(
        self,
        store: Store,
        views: Sequence[Projection],
        leader_election: LeaderElection | None = None,
        *,
        page_size: int = PAGE,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; see `prepare`.

        Args:
            store: the service's store.
            views: all its views.
            leader_election: the process's; None makes its own.
            page_size: events applied in one transaction at most.
            clock: the service's, for what is set aside; None: the machine's.
        """
        self._now = (clock or SystemClock()).now
        self.store = store
        self.views = {view.name: view for view in views}
        self.generations = ProjectionBuilds(store)
        self._leader_election = leader_election or LeaderElection(store.url)
        self._page_size = page_size

    def prepare(self) -> list[Projection]:
        """Create the first generation of new views; say which ones are `outdated`."""
        for view in self.views.values():
            self.generations.create_first(view.name, view.version, "; ".join((view.ddl, *view.indexes)))
        return self.outdated()

    def outdated(self) -> list[Projection]:
        """The views whose active generation is older than this code: to be rebuilt; until then they stand still."""
        active = {g.name: g for g in self.generations.all() if g.status == "active"}
        return [view for view in self.views.values() if active[view.name].version < view.version]

    def step(self) -> int:
        """Apply the next page to every view; the number of events applied, 0 when all are up to date.

        Another copy of the service that has the duty is left to do it: 0.
        """
        if not self._leader_election.hold("projections"):
            return 0
        live = [g for g in self.generations.all() if self._follows(g)]
        for generation in live:
            if not generation.whole:
                self._retry(generation)
        if len({g.position for g in live}) == 1 and len({g.name for g in live}) == len(self.views):
            return self._advance(live)
        return sum(self.advance(view) for view in self.views.values())

    def _follows(self, g: ProjectionBuild) -> bool:
        """Whether a generation follows the log by this code."""
        view = self.views.get(g.name)
        return view is not None and g.version == view.version and g.status != "retired" and g.position is not None

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()

    def advance(self, view: Projection) -> int:
        """Apply the next page to the generations of one view that are furthest behind; the number of events applied.

        Generations at the same position move together, so that one built beside the active one stays equal to it.
        """
        live = [g for g in self.generations.live(view.name) if g.version == view.version]
        if not live:
            return 0
        low = min(_place(g) for g in live)
        ahead = min((_place(g) for g in live if g.position != low), default=None)
        return self._advance([g for g in live if g.position == low], ahead)

    def _advance(self, behind: list[ProjectionBuild], ahead: int | None = None) -> int:
        """Apply the next page to generations at one position, of whatever views: it is read and decoded once."""
        low = _place(behind[0])
        page, reached = self._page({g.name for g in behind}, low, ahead)
        if reached == low or not self._apply(behind, page, low, reached):
            return 0
        return len(page)

    def _page(self, views: Collection[str], after: int, ahead: int | None) -> tuple[list[RawRow], int]:
        """The next events for some views, and the position reached with them, not beyond `ahead`."""
        end = self.store.end_of_log()  # asked first: all up to it is in what is read next
        if end == after:
            return [], after
        named = [self.views[view].names for view in views]
        names = None if None in named else sorted({name for some in named for name in some or ()})
        rows = self.store.read_log(after, self._page_size, names)
        reached = rows[-1][0] if len(rows) == self._page_size else max(end, rows[-1][0] if rows else 0)
        if ahead is not None and reached > ahead:
            rows = [row for row in rows if row[0] <= ahead]
            reached = ahead
        return rows, reached

    def _apply(self, behind: list[ProjectionBuild], page: list[RawRow], low: int, reached: int) -> bool:
        """Rows and position in one transaction; False where a rival has moved a generation meanwhile.

        Where that fails, each generation is moved alone: what one view fails on holds up no other, and in it only the
        streams that it fails on.
        """
        try:
            return self._apply_together(behind, page, low, reached)
        except Exception as error:
            if not concerns_item(error):
                raise
        moved = [self._apply_apart(generation, page, low, reached) for generation in behind]
        return any(moved)

    def _apply_together(self, behind: list[ProjectionBuild], page: list[RawRow], low: int, reached: int) -> bool:
        codec = self.store.codec
        events = [(row[3], recorded(codec, row)) for row in page]
        with self.store.connection() as conn, conn.transaction():
            conn.execute(b"SET LOCAL synchronous_commit = off")  # lost together with its position, it is done again
            if not self.generations.take(conn, behind, low):
                return False
            for generation in behind:
                view = self.views[generation.name]
                own = [event for name, event in events if view.names is None or name in view.names]
                if own and not generation.whole:
                    own = without_failed(conn, generation, own)
                if own:
                    view.apply(conn, table_of(generation), own)
            self.generations.move(conn, behind, reached)
        return True

    def _apply_apart(self, generation: ProjectionBuild, page: list[RawRow], low: int, reached: int) -> bool:
        view = self.views[generation.name]
        own = [row for row in page if view.names is None or row[3] in view.names]
        with self.store.connection() as conn, conn.transaction():
            if not self.generations.take(conn, [generation], low):
                return False
            isolate(conn, self.store.codec, view.apply, generation, own, self._now())
            self.generations.move(conn, [generation], reached)
        return True

    def fold(self, generation: ProjectionBuild, page: list[RecordedEvent]) -> None:
        """Apply whole streams to a generation that is being built; a stream that fails is set aside.

        Args:
            generation: not shown yet.
            page: the streams' events.
        """
        view = self.views[generation.name]
        try:
            with self.store.connection() as conn, conn.transaction():
                conn.execute(b"SET LOCAL synchronous_commit = off")
                view.apply(conn, table_of(generation), page)
        except Exception as error:
            if not concerns_item(error):
                raise
            with self.store.connection() as conn, conn.transaction():
                isolate_events(conn, view.apply, generation, page, self._now())

    def _retry(self, generation: ProjectionBuild) -> None:
        """Apply again what is due of the streams set aside from a generation, up to where it is."""
        view = self.views[generation.name]
        with self.store.connection() as conn, conn.transaction():
            if self.generations.take(conn, [generation], _place(generation)):
                retry(conn, self.store, view.apply, generation, view.names, self._now())


def _place(generation: ProjectionBuild) -> int:
    assert generation.position is not None
    return generation.position


def views_at(store: Store) -> int:
    """The log position that every active view has reached; the log's end where there are no views.

    A reader that waits for a command's position waits for this (read your own writes).
    """
    lowest = store.fetch("SELECT min(position) FROM projections WHERE status = 'active'")[0][0]
    return store.end_of_log() if lowest is None else int(lowest)
