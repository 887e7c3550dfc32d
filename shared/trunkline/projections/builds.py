"""The generations of a view: which tables there are, how far each has come, and which one readers see."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg

from trunkline.errors import Refused
from trunkline.eventstore.event_store import Connection, Store

Status = Literal["building", "active", "retired"]
_COLUMNS = "name, generation, version, position, status, built_at, whole"
_LOCK = b"SELECT pg_advisory_xact_lock(hashtextextended('projections', 0))"
_THESE = (
    b" JOIN unnest(%s::text[], %s::int8[]) AS g(name, generation) ON g.name = p.name AND g.generation = p.generation"
)
_SWAP_TRIES = 60


class ProjectionBusy(Refused):
    """{name} is being read without a pause, so it could not be swapped; try again when the export has ended."""


@dataclass(frozen=True)
class ProjectionBuild:
    """One table of a view.

    Attributes:
        position: log position up to which it is applied; None while it is folded from the streams.
        built_at: when it became active, by the service's clock.
        whole: whether every stream of the log is applied; False: some are set aside.
    """

    name: str
    generation: int
    version: int
    position: int | None
    status: Status
    built_at: datetime | None
    whole: bool = True


def table_of(generation: ProjectionBuild) -> str:
    """The table that holds a generation's rows."""
    return f"{generation.name}_g{generation.generation}"


def _columns(generations: Sequence[ProjectionBuild]) -> tuple[list[str], list[int]]:
    return [g.name for g in generations], [g.generation for g in generations]


class ProjectionBuilds:
    """The table `projections` of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, name: str | None = None, conn: Connection | None = None) -> list[ProjectionBuild]:
        """Every generation, or those of one view, oldest first."""
        where, params = ("", ()) if name is None else (" WHERE name = %s", (name,))
        rows = self._store.fetch(f"SELECT {_COLUMNS} FROM projections{where} ORDER BY name, generation", params, conn)
        return [ProjectionBuild(*row) for row in rows]

    def live(self, name: str) -> list[ProjectionBuild]:
        """The generations of a view that follow the log."""
        return [g for g in self.all(name) if g.status != "retired" and g.position is not None]

    def one(self, name: str, status: Status) -> ProjectionBuild | None:
        """The newest generation of a view in a status."""
        return next((g for g in reversed(self.all(name)) if g.status == status), None)

    def create_first(self, name: str, version: int, ddl: str) -> None:
        """Give a new view its first generation, empty and active; a view that has one is left alone."""
        with self._store.connection() as conn, conn.transaction():
            conn.execute(_LOCK)
            if self.all(name, conn):
                return
            first = self._create(conn, ProjectionBuild(name, 1, version, 0, "active", None), ddl)
            _show(conn, first)

    def create_beside(self, name: str, version: int, ddl: str) -> ProjectionBuild:
        """A new generation to be folded, after what an interrupted build has left is dropped."""
        with self._store.connection() as conn, conn.transaction():
            conn.execute(_LOCK)
            before = self.all(name, conn)
            for left in before:
                if left.status == "building":
                    _drop(conn, left)
            number = max((g.generation for g in before), default=0) + 1
            return self._create(conn, ProjectionBuild(name, number, version, None, "building", None), ddl)

    def _create(self, conn: Connection, generation: ProjectionBuild, ddl: str) -> ProjectionBuild:
        g = generation
        conn.execute(ddl.replace("{table}", table_of(g)).encode())
        conn.execute(
            f"INSERT INTO projections ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)".encode(),
            (g.name, g.generation, g.version, g.position, g.status, g.built_at, g.whole),
        )
        return g

    def take(self, conn: Connection, generations: Sequence[ProjectionBuild], position: int) -> bool:
        """Lock generations for this transaction if they are still where they were read; False: a rival has them."""
        found = conn.execute(
            b"SELECT 1 FROM projections p" + _THESE + b" WHERE p.position = %s AND p.status <> 'retired'"
            b" FOR UPDATE OF p SKIP LOCKED",
            (*_columns(generations), position),
        ).fetchall()
        return len(found) == len(generations)

    def move(self, conn: Connection, generations: Sequence[ProjectionBuild], position: int) -> None:
        """Record how far generations have come, in the transaction that applied it."""
        conn.execute(
            b"UPDATE projections SET position = %s"
            b" WHERE (name, generation) IN (SELECT * FROM unnest(%s::text[], %s::int8[]))",
            (position, *_columns(generations)),
        )

    def revive(self, retired: ProjectionBuild) -> None:
        """Let a retired generation follow the log again, so that it can be swapped back in."""
        with self._store.connection() as conn, conn.transaction():
            _mark_items(conn, retired, "waiting")
            conn.execute(
                b"UPDATE projections SET status = 'building'"
                b" WHERE name = %s AND generation = %s AND status = 'retired'",
                (retired.name, retired.generation),
            )

    def drop(self, generation: ProjectionBuild) -> None:
        """Remove a generation and its table."""
        self._patiently(generation.name, lambda conn: _drop(conn, generation))

    def swap(self, fresh: ProjectionBuild, now: datetime) -> None:
        """Show a generation instead of the active one, which is kept as the retired one; atomic for readers.

        Raises:
            ProjectionBusy: a reader holds the view for too long.
        """

        def change(conn: Connection) -> None:
            conn.execute(
                b"UPDATE projections SET status = 'retired' WHERE name = %s AND status = 'active'", (fresh.name,)
            )
            conn.execute(
                b"UPDATE projections SET status = 'active', built_at = %s WHERE name = %s AND generation = %s",
                (now, fresh.name, fresh.generation),
            )
            _show(conn, fresh)
            if kept is not None:
                _mark_items(conn, kept, "discarded")

        kept = self.one(fresh.name, "active")
        self._patiently(fresh.name, change)
        for older in self.all(fresh.name):
            if older.status == "retired" and (kept is None or older.generation != kept.generation):
                self.drop(older)

    def _patiently(self, name: str, change: Callable[[Connection], Any]) -> None:
        """Do a change that needs the view for itself, never making readers wait longer than a moment behind it."""
        for _ in range(_SWAP_TRIES):
            try:
                with self._store.connection() as conn, conn.transaction():
                    conn.execute(b"SET LOCAL lock_timeout = '500ms'")
                    conn.execute(_LOCK)
                    change(conn)
                    return
            except psycopg.errors.LockNotAvailable:
                time.sleep(0.5)
        raise ProjectionBusy(name=name)


def failures_of(generation: ProjectionBuild) -> str:
    """The name under which the streams that are set aside from a generation are kept."""
    return f"projection/{table_of(generation)}"


def _mark_items(conn: Connection, generation: ProjectionBuild, status: str) -> None:
    """What is missing from a retired generation concerns nobody until it is shown again."""
    conn.execute(b"UPDATE failed_items SET status = %s WHERE loop = %s", (status, failures_of(generation)))


def _show(conn: Connection, generation: ProjectionBuild) -> None:
    """Point the SQL view at a generation. Dropped and created: another version may have other columns."""
    conn.execute(f"DROP VIEW IF EXISTS {generation.name}".encode())
    conn.execute(f"CREATE VIEW {generation.name} AS SELECT * FROM {table_of(generation)}".encode())


def _drop(conn: Connection, generation: ProjectionBuild) -> None:
    conn.execute(
        b"DELETE FROM projections WHERE name = %s AND generation = %s", (generation.name, generation.generation)
    )
    conn.execute(f"DROP TABLE IF EXISTS {table_of(generation)}".encode())
    conn.execute(b"DELETE FROM failed_items WHERE loop = %s", (failures_of(generation),))
