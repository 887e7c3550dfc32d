"""One command of an operator that is a unit of work: answered once for each key, and on record (P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Response
from pydantic import BaseModel, Field

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import LINES
from trunkline.operations.lists import ROW_IDS
from trunkline.security.audit_log import auditing_work
from trunkline.security.authorization import NothingThere

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

Remark = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S"), LINES]


def audited_command(
    runtime: ServiceRuntime,
    request: PostRequest,
    command: str,
    about: dict[str, Any],
    decide: Callable[[UnitOfWork], BaseModel],
) -> Response:
    """Carry a command out, and put on record whether it was done or refused; a dry run does nothing that could be.

    Args:
        runtime: the running service.
        request: who commands, and under which key.
        command: as the audit names it.
        about: its arguments; an `id` that no row can have is answered as one that no row has.
        decide: does it; what it returns is the answer.

    Raises:
        NothingThere: there is no such row.
        Refused: whatever `decide` refuses.
    """
    if request.dry_run:
        return change(runtime, request, lambda uow: _decided(uow, about, decide))
    with auditing_work(runtime.store, runtime.clock.now, request.principal.actor, command, about) as within:

        def audited(uow: UnitOfWork) -> CommandResult:
            with within(uow):
                return _decided(uow, about, decide)

        return change(runtime, request, audited)


def _decided(uow: UnitOfWork, about: dict[str, Any], decide: Callable[[UnitOfWork], BaseModel]) -> CommandResult:
    if "id" in about and about["id"] not in ROW_IDS:
        raise NothingThere(key=about["id"])
    return CommandResult(decide(uow))
