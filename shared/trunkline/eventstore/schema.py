"""Numbered SQL files, applied once each, in order, with their checksums on record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
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


def migrate(
    url: str,
    migrations: Iterable[Migration],
    *,
    dry_run: bool = False,
    service: str | None = None,
    owner_of: Callable[[str], str | None] = lambda _name: None,
) -> list[str]:
    """Apply what is missing, each file in its own transaction.

    Args:
        url: the database.
        migrations: all there are, in order.
        dry_run: only tell what would be applied.
        service: whose database it is to be.
        owner_of: name of a migration -> the service whose it is, where that is known; asked only of unknown ones.

    Returns:
        The names applied (or to apply).

    Raises:
        MigrationError: the database is newer than this code or another service's, or an applied file has changed.
    """
    wanted = list(migrations)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        conn.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            "name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done: dict[str, str] = dict(conn.execute("SELECT name, checksum FROM migrations").fetchall())
        _check(wanted, done, service, owner_of)
        missing = [m for m in wanted if m.name not in done]
        for migration in () if dry_run else missing:
            with conn.transaction():
                conn.execute(migration.sql.encode())
                conn.execute(
                    "INSERT INTO migrations (name, checksum) VALUES (%s, %s)",
                    (migration.name, migration.checksum),
                )
    return [m.name for m in missing]


def _check(
    wanted: list[Migration], done: dict[str, str], service: str | None, owner_of: Callable[[str], str | None]
) -> None:
    known = {m.name: m for m in wanted}
    newer = sorted(set(done) - set(known))
    owners = sorted({owner for name in newer if (owner := owner_of(name)) is not None})
    if owners and service is not None:
        msg = (
            f"the database of {service} is that of the service {' and '.join(owners)} (it has {', '.join(newer)}): "
            f"let TRUNKLINE_{service.upper()}_DATABASE_URL name a database of its own"
        )
        raise MigrationError(msg)
    if newer:
        msg = f"the database is newer than this code: it has {', '.join(newer)}; run the newer release"
        raise MigrationError(msg)
    for name, checksum in done.items():
        if known[name].checksum != checksum:
            msg = f"migration {name} was applied with other contents; an applied migration never changes, add a new one"
            raise MigrationError(msg)
