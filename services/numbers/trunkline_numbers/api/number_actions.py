"""What people do with one number: reserve, release, lock, unlock, delete, recover (DOMAIN §3, P3)."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline.http.dependencies import CommandRequest, WriteRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import Body, Uuid
from trunkline.security.authorization import NotAllowed, Resource, authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.number_command import NumberCommand
from trunkline_numbers.api.number_schemas import NumberShown
from trunkline_numbers.api.numbers import InPath
from trunkline_numbers.application.phone_number import key_in_path
from trunkline_numbers.domain.number.events import DeleteReason
from trunkline_numbers.domain.number.operator_commands import delete, lock, recover, release, reserve, unlock
from trunkline_numbers.domain.number.state import Reserved

PROBLEMS = {
    404: "no such number, or not in the asker's branch",
    409: "the number refuses: which state it is in, since when, for whom, and what can be done instead",
    412: "it is another version than If-Match names",
}
_MUST = "Why, in a few words: at most 1,000 characters."


class Remarked(Body):
    """An action that demands a remark."""

    remark: str = Field(default="", description=_MUST)


class Reserve(Remarked):
    """A reservation."""

    reserver_id: Uuid = Field(description="The organization or partner it is kept for.")


class Lock(Remarked):
    """A lock."""

    legacy: bool = Field(default=False, description="Without end and notice: only by the platform's import (N7).")


class Delete(Remarked):
    """A deletion."""

    reason: DeleteReason


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", PROBLEMS)
    path = "/numbers/{number}"

    @routes.post(path + "/reserve", summary="Keep an available number for a party", response_model=NumberShown)
    def reserve_number(number: InPath, body: Reserve, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("reserve numbers")
            reserver = command.authorize_for("reserve numbers", body.reserver_id, "#/reserver_id")
            return command.done(lambda n: reserve(n, reserver, body.remark, command.policy, command.uow.now))

        return carried_out(context, request, number, "reserve", act)

    @routes.post(path + "/release", summary="End a reservation", response_model=NumberShown)
    def release_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("reserve numbers")
            check_reserver(command, "release numbers")
            return command.done(lambda n: release(n, body.remark, command.policy, command.uow.now))

        return carried_out(context, request, number, "release", act)

    @routes.post(path + "/lock", summary="Take an available number out of sale", response_model=NumberShown)
    def lock_number(number: InPath, body: Lock, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("lock numbers")
            if body.legacy:
                command.authorize("import legacy records")
            return command.done(lambda n: lock(n, body.remark, command.policy, command.uow.now, legacy=body.legacy))

        return carried_out(context, request, number, "lock", act)

    @routes.post(path + "/unlock", summary="End a lock", response_model=NumberShown)
    def unlock_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("lock numbers")
            return command.done(lambda n: unlock(n, body.remark, command.policy, command.uow.now))

        return carried_out(context, request, number, "unlock", act)

    @routes.post(path + "/delete", summary="Take a number out of the inventory", response_model=NumberShown)
    def delete_number(number: InPath, body: Delete, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("delete numbers")
            return command.done(
                lambda n: delete(n, body.reason, body.remark, command.policy, command.uow.now, command.by)
            )

        return carried_out(context, request, number, "delete", act)

    @routes.post(path + "/recover", summary="Bring a deleted number back", response_model=NumberShown)
    def recover_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        def act(command: NumberCommand) -> CommandResult:
            command.authorize("delete numbers")
            return command.done(lambda n: recover(n, body.remark, command.uow.now))

        return carried_out(context, request, number, "recover", act)

    return routes


def carried_out(
    context: ServiceContext,
    request: WriteRequest,
    number: str,
    verb: str,
    act: Callable[[NumberCommand], CommandResult],
) -> Response:
    """Do one thing to the number in a path, once.

    Args:
        context: numbers.
        request: who asks.
        number: as the path has it.
        verb: what is asked for.
        act: authorizes, decides, records.
    """
    key = key_in_path(number)
    return change(context, request, lambda uow: act(NumberCommand(uow, request, key, verb)))


def check_reserver(command: NumberCommand, action: str) -> None:
    """Who may reserve for its reserver may release or extend a reservation; a number's holder sees it, and no more.

    Raises:
        NotAllowed: it is kept for a party outside the asker's branch.
    """
    life, principal = command.number.life, command.request.principal
    if isinstance(life, Reserved):
        refused = NotAllowed(role=principal.role, action=action, where=" kept for another party")
        authorize(command.visibility.branch, "reserve numbers", Resource(refused, parties=(life.reserver_id,)))
