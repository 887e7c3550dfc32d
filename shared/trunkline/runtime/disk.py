"""The disks that a service writes to, and whether PostgreSQL can write: a full disk is named (O7)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

if TYPE_CHECKING:
    from trunkline.eventstore.event_store import Store
    from trunkline.settings import Settings

_PROBE: Final = (
    b"CREATE TEMP TABLE trunkline_probe ON COMMIT DROP AS SELECT repeat('x', 100) FROM generate_series(1, 2000)"
)


class DiskFacts(msgspec.Struct, frozen=True, gc=False):
    """The file system of one folder: `what` is `home` or `database`."""

    what: str
    path: str
    free_bytes: int
    total_bytes: int


def disks(store: Store, settings: Settings, service: str) -> list[DiskFacts]:
    """The home's file system, and that of the embedded database's files where it is another one.

    Args:
        store: the service's.
        settings: of the process.
        service: its name; a database at a URL of its own may be on another machine, so that its disk is not read.
    """
    folders = {"home": settings.home.resolve()}
    if settings.database_url(service) is None:
        folders["database"] = Path(store.fetch("SHOW data_directory")[0][0])
    found = []
    for what, folder in folders.items():
        try:
            usage = shutil.disk_usage(folder)
        except OSError:  # not there yet, or another machine's
            continue
        found.append(DiskFacts(what, str(folder), usage.free, usage.total))
    return found


def write_error(store: Store) -> str | None:
    """Why PostgreSQL cannot write, in a sentence; None: it can. Writes 0.2 MiB that are gone at once."""
    try:
        with store.connection() as conn, conn.transaction(force_rollback=True):
            conn.execute(_PROBE)
    except errors.InsufficientPrivilege:  # without the right to make temporary tables nothing is known
        return None
    except (psycopg.Error, PoolTimeout) as error:
        return sentence(error)
    return None


def sentence(error: Exception) -> str:
    """What went wrong, in one sentence; a full disk is named as one."""
    if isinstance(error, errors.DiskFull):
        return "its disk is full: make room, and nothing is lost"
    first = str(error).strip().splitlines()
    return f"{first[0] if first else type(error).__name__}"
