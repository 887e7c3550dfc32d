"""What operators did: every command of theirs is on record, also one that was refused (P6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from trunkline.errors import Refused
from trunkline.eventstore.event_store import CheckpointConflict, ConcurrencyError, Connection, Store
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.text import storable

on_record: list[Callable[[], None]] = []
"""Called for each command that is written down, in the thread that does it."""

Within = Callable[[UnitOfWork], AbstractContextManager[None]]

_INSERT = "INSERT INTO audit (at, actor, command, arguments, outcome) VALUES (%s, %s, %s, %s, %s)"


class AuditRow(msgspec.Struct, frozen=True, gc=False):
    """One command. `outcome`: `done`, `refused: <code>` or `failed: <what>`."""

    id: int
    at: datetime
    actor: str
    command: str
    arguments: dict[str, Any]
    outcome: str


def audited(uow: UnitOfWork, actor: str, command: str, arguments: Mapping[str, Any], outcome: str = "done") -> None:
    """Put a command on record in the piece of work that does it: both or neither."""
    _note()
    uow.write(_INSERT, [(uow.now, actor, command, _storable(arguments), outcome)])


@contextmanager
def auditing(
    store: Store, now: Callable[[], datetime], actor: str, command: str, arguments: Mapping[str, Any]
) -> Iterator[None]:
    """Put on record what comes of a command that is no piece of work: done, refused or failed.

    Args:
        store: of the service that is operated.
        now: its clock.
        actor: who commands.
        command: such as `projection rebuild`.
        arguments: as given, without secrets.
    """
    begun = now()
    outcome = "failed: interrupted"
    try:
        yield
        outcome = "done"
    except Refused as refused:
        outcome = f"refused: {refused.code}"
        raise
    except Exception as error:
        outcome = f"failed: {type(error).__name__}"
        raise
    finally:
        put_on_record(store, begun, actor, command, arguments, outcome)


@contextmanager
def auditing_work(
    store: Store, now: Callable[[], datetime], actor: str, command: str, arguments: Mapping[str, Any]
) -> Iterator[Within]:
    """Put on record what comes of a command that is a piece of work, once however often it is asked under one key.

    That it was done is written with the work, both or neither. A refusal leaves nothing of the work and is written
    after it, when the work holds no connection any more. Arguments as for `auditing`.

    Yields:
        What the decision is to be made within: `with within(work): …`.
    """
    outcome = ""

    @contextmanager
    def within(uow: UnitOfWork) -> Iterator[None]:
        nonlocal outcome
        try:
            outcome = ""
            yield
        except (ConcurrencyError, CheckpointConflict):  # it is decided again
            raise
        except Refused as refused:
            outcome = f"refused: {refused.code}"
            raise
        except Exception as error:
            outcome = f"failed: {type(error).__name__}"
            raise
        audited(uow, actor, command, arguments)

    try:
        yield within
    finally:
        if outcome:
            put_on_record(store, now(), actor, command, arguments, outcome)


def put_on_record(
    store: Store, at: datetime, actor: str, command: str, arguments: Mapping[str, Any], outcome: str
) -> None:
    """Write down one command, begun at an instant; arguments as for `auditing`."""
    _note()
    with store.connection() as conn:
        insert(conn, at, actor, command, arguments, outcome)


def insert(
    conn: Connection, at: datetime, actor: str, command: str, arguments: Mapping[str, Any], outcome: str
) -> None:
    """Write down one command through a connection; arguments as for `auditing`."""
    conn.execute(_INSERT.encode(), (at, actor, command, _storable(arguments), outcome))


def _note() -> None:
    for noted in on_record:
        noted()


def list_audit(store: Store, limit: int = 100, before: int | None = None) -> list[AuditRow]:
    """Commands, newest first.

    Args:
        store: of the service.
        limit: how many at most.
        before: the id of the last one already seen.
    """
    where, params = ("", (limit,)) if before is None else (" WHERE id < %s", (before, limit))
    rows = store.fetch(
        f"SELECT id, at, actor, command, arguments, outcome FROM audit{where} ORDER BY id DESC LIMIT %s", params
    )
    return [AuditRow(*row) for row in rows]


def _storable(arguments: Mapping[str, Any]) -> Jsonb:
    """An argument may be anything that was sent, its name too: a parameter that no operation knows."""
    return Jsonb(_kept(arguments))


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_kept(name): _kept(each) for name, each in value.items()}
    return [_kept(each) for each in value] if isinstance(value, list | tuple) else value
