"""What is done with the signing key of a home, without a service: on record in its services' audit all the same (P6).

`trunkline token issue`, `rotate` and the like need no database. They write a line each to `keys/audit.jsonl`; a service
of that home takes the lines over into its audit, each once.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from trunkline.clock import instant, rfc3339
from trunkline.eventstore.append import CheckpointConflict, move_follower
from trunkline.eventstore.event_store import Store
from trunkline.security.audit_log import insert

JOURNAL: Final = "audit.jsonl"
_FOLLOWER: Final = "key journal"
_MOST_BYTES: Final = 262_144
log = structlog.get_logger(__name__)


def note(folder: Path, at: datetime, actor: str, command: str, **arguments: Any) -> None:
    """Write down one use of the key: before its result is given to anybody, and whole or not at all.

    Args:
        folder: `keys` of a home.
        at: the machine's instant.
        actor: who commands.
        command: such as `token issue`.
        arguments: as given, without secrets.
    """
    line = json.dumps({"at": rfc3339(at), "actor": actor, "command": command, "arguments": arguments})
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def take_over(store: Store, folder: Path) -> int:
    """Put new lines of a home's journal into a service's audit; how many.

    The lines and the position after them are one transaction. Two copies that do it at once: one of them does.
    """
    path = folder / JOURNAL
    begin = store.positions(_FOLLOWER).get(_FOLLOWER)
    try:
        with path.open("rb") as file:
            file.seek(begin or 0)
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return 0
    whole = data[: data.rfind(b"\n") + 1]
    rows = [row for row in map(_read, whole.splitlines()) if row is not None]
    if not whole:
        return 0
    try:
        with store.connection() as conn, conn.transaction():
            move_follower(conn, _FOLLOWER, begin, (begin or 0) + len(whole))
            for at, actor, command, arguments in rows:
                insert(conn, at, actor, command, arguments, "done")
    except CheckpointConflict:
        return 0
    return len(rows)


def _read(line: bytes) -> tuple[datetime, str, str, dict[str, Any]] | None:
    try:
        found = json.loads(line)
        return instant(found["at"]), str(found["actor"]), str(found["command"]), dict(found["arguments"])
    except (ValueError, KeyError, TypeError):
        log.warning("a line of the key's journal cannot be read", line=line[:200].decode("utf-8", "replace"))
        return None
