"""What people do with one number: reserve, release, lock, unlock, delete, recover (DOMAIN §3, P3)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline.http.dependencies import CommandRequest, service_router
from trunkline.http.schemas import Body, Uuid
from trunkline.security.authorization import NotAllowed, Resource, authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.number_command import NumberCommand, number_command
from trunkline_numbers.api.number_schemas import NumberShown
from trunkline_numbers.api.numbers import InPath
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
        return number_command(context, request, number, "reserve", _reserve, body)

    @routes.post(path + "/release", summary="End a reservation", response_model=NumberShown)
    def release_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        return number_command(context, request, number, "release", _release, body)

    @routes.post(path + "/lock", summary="Take an available number out of sale", response_model=NumberShown)
    def lock_number(number: InPath, body: Lock, request: CommandRequest) -> Response:
        return number_command(context, request, number, "lock", _lock, body)

    @routes.post(path + "/unlock", summary="End a lock", response_model=NumberShown)
    def unlock_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        return number_command(context, request, number, "unlock", _unlock, body)

    @routes.post(path + "/delete", summary="Take a number out of the inventory", response_model=NumberShown)
    def delete_number(number: InPath, body: Delete, request: CommandRequest) -> Response:
        return number_command(context, request, number, "delete", _delete, body)

    @routes.post(path + "/recover", summary="Bring a deleted number back", response_model=NumberShown)
    def recover_number(number: InPath, body: Remarked, request: CommandRequest) -> Response:
        return number_command(context, request, number, "recover", _recover, body)

    return routes


def _reserve(command: NumberCommand, body: Reserve) -> None:
    command.authorize("reserve numbers")
    reserver = command.authorize_for("reserve numbers", body.reserver_id, "#/reserver_id")
    command.record(reserve(command.number, reserver, body.remark, command.policy, command.uow.now))


def _release(command: NumberCommand, body: Remarked) -> None:
    command.authorize("reserve numbers")
    check_reserver(command, "release numbers")
    command.record(release(command.number, body.remark, command.policy, command.uow.now))


def _lock(command: NumberCommand, body: Lock) -> None:
    command.authorize("lock numbers")
    if body.legacy:
        command.authorize("import legacy records")
    command.record(lock(command.number, body.remark, command.policy, command.uow.now, legacy=body.legacy))


def _unlock(command: NumberCommand, body: Remarked) -> None:
    command.authorize("lock numbers")
    command.record(unlock(command.number, body.remark, command.policy, command.uow.now))


def _delete(command: NumberCommand, body: Delete) -> None:
    command.authorize("delete numbers")
    command.record(delete(command.number, body.reason, body.remark, command.policy, command.uow.now, command.by))


def _recover(command: NumberCommand, body: Remarked) -> None:
    command.authorize("delete numbers")
    command.record(recover(command.number, body.remark, command.uow.now))


def check_reserver(command: NumberCommand, action: str) -> None:
    """Who may reserve for its reserver may release or extend a reservation; a number's holder sees it, and no more.

    Raises:
        NotAllowed: it is kept for a party outside the asker's branch.
    """
    life, principal = command.number.life, command.request.principal
    if isinstance(life, Reserved):
        refused = NotAllowed(role=principal.role, action=action, where=" kept for another party")
        authorize(command.visibility.branch, "reserve numbers", Resource(refused, parties=(life.reserver_id,)))
