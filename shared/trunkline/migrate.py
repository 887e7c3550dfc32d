"""Numbered SQL files, applied once each, in order, with their checksums on record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import psycopg

_LOCK = 0x7472756E6B  # one migration at a time per database


class MigrationError(Exception):
    """The database cannot be brought to this code's version; the message says why."""


@dataclass(frozen=True)
class Migration:
    """One file: its name (`0001_store`), its SQL and the SQL's checksum."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Traversable) -> list[Migration]:
    """The migrations of a folder of `NNNN_name.sql` files, in order."""
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(f.name.removesuffix(".sql"), f.read_text(encoding="utf-8")) for f in files]


def migrate(url: str, migrations: Iterable[Migration], *, dry_run: bool = False) -> list[str]:
    """Apply what is missing, each file in its own transaction.

    Args:
        url: the database.
        migrations: all there are, in order.
        dry_run: only tell what would be applied.

    Returns:
        The names applied (or to apply).

    Raises:
        MigrationError: the database is newer than this code, or an applied file has changed since.
    """
    wanted = list(migrations)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        conn.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            "name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done: dict[str, str] = dict(conn.execute("SELECT name, checksum FROM migrations").fetchall())
        _check(wanted, done)
        missing = [m for m in wanted if m.name not in done]
        for migration in () if dry_run else missing:
            with conn.transaction():
                conn.execute(migration.sql.encode())
                conn.execute(
                    "INSERT INTO migrations (name, checksum) VALUES (%s, %s)",
                    (migration.name, migration.checksum),
                )
    return [m.name for m in missing]


def _check(wanted: list[Migration], done: dict[str, str]) -> None:
    known = {m.name: m for m in wanted}
    newer = sorted(set(done) - set(known))
    if newer:
        msg = f"the database is newer than this code: it has {', '.join(newer)}; run the newer release"
        raise MigrationError(msg)
    for name, checksum in done.items():
        if known[name].checksum != checksum:
            msg = f"migration {name} was applied with other contents; an applied migration never changes, add a new one"
            raise MigrationError(msg)
