"""Subscriptions and numbers by hand: assign, swap, extend a reservation, dismiss a refusal (N4, N9, S6, §10.8, P3)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, WriteRequest, service_router
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.http.schemas import Body, Uuid
from trunkline.security.authorization import authorize, visible
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.api.number_actions import PROBLEMS, check_reserver
from trunkline_numbers.api.number_command import NumberCommand, number_command
from trunkline_numbers.api.number_schemas import NumberShown, shown_number
from trunkline_numbers.api.numbers import InPath
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.manual_assignment import give, swap
from trunkline_numbers.application.paid_reservations import extend_by
from trunkline_numbers.application.phone_number import NumberUnreadable, key_in_path
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.errors import RemarkUnreadable
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION


class ForSubscription(Body):
    """A subscription, and why if one likes."""

    subscription_id: Uuid
    remark: str = Field(default="", description="Welcome.")


class Swap(ForSubscription):
    """A subscription's number, and the one to take its place."""

    old_number: str = Field(description="E.164, with or without `+`: the one that serves it.", max_length=40)
    new_number: str = Field(description="Available, or reserved for the subscription's organization.", max_length=40)


class Swapped(BaseModel):
    """Both numbers after it."""

    subscription_id: str
    old: NumberShown
    new: NumberShown


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", PROBLEMS)
    path = "/numbers/{number}"

    @routes.post("/numbers/swap", summary="Put a number in the place of a subscription's", response_model=Swapped)
    def swap_numbers(body: Swap, request: CommandRequest) -> Response:
        return change(context, request, lambda uow: _Swapping(uow, request, body).answer())

    @routes.post(path + "/assign", summary="Assign a number to a subscription", response_model=NumberShown)
    def assign_number(number: InPath, body: ForSubscription, request: CommandRequest) -> Response:
        return number_command(context, request, number, "assign", _assign, body)

    @routes.post(path + "/extend", summary="Let a DID reservation subscription pay on", response_model=NumberShown)
    def extend_number(number: InPath, body: ForSubscription, request: CommandRequest) -> Response:
        return number_command(context, request, number, "extend", _extend, body)

    return routes


def _assign(command: NumberCommand, body: ForSubscription) -> None:
    command.authorize("see numbers")
    uow, subscription_id = command.uow, body.subscription_id
    authorize_subscription(uow, command.visibility, "assign numbers", subscription_id)
    give(uow, subscription_id, command.number.number, body.remark, command.request.cause, command.policy)


def _extend(command: NumberCommand, body: ForSubscription) -> None:
    command.authorize("reserve numbers")
    check_reserver(command, "extend numbers")
    uow, subscription_id = command.uow, body.subscription_id
    authorize_subscription(uow, command.visibility, "reserve numbers", subscription_id)
    extend_by(uow, subscription_id, command.number.number, body.remark, command.request.cause, command.policy)


def authorize_subscription(uow: UnitOfWork, visibility: Visibility, action: str, subscription_id: str) -> None:
    """Hold the asker against a row of P3 for a subscription's organization.

    Raises:
        SubscriptionUnknown, NotAllowed: as they say.
    """
    authorize(visibility.branch, action, visibility.subscription(uow.state(SUBSCRIPTION, subscription_id)))


def _key(text: str, pointer: str) -> str:
    try:
        return key_in_path(text.strip())
    except NumberUnreadable:
        why = "it takes its E.164 form, 3 to 15 digits, with or without +"
        raise NumberUnreadable(value=text, why=why, pointer=pointer) from None


class _Swapping:
    """One swap, within one piece of work: both numbers or neither (N9). If-Match is of the old number."""

    def __init__(self, uow: UnitOfWork, request: WriteRequest, body: Swap) -> None:
        self._uow, self._request, self._body = uow, request, body
        self._old = _key(body.old_number, "#/old_number")
        self._new = _key(body.new_number, "#/new_number")
        numbers = [(NUMBER, self._old), (NUMBER, self._new)]
        load_settled(uow, [THE_POLICY, *numbers, (SUBSCRIPTION, body.subscription_id)])
        self._visibility = Visibility(uow, request.principal)

    def answer(self) -> CommandResult:
        """Do it, or refuse it with what the asker may know of the number that refuses."""
        uow, cause, body = self._uow, self._request.cause, self._body
        authorize_subscription(uow, self._visibility, "assign numbers", body.subscription_id)
        for key in (self._old, self._new):
            authorize(self._visibility.branch, "see numbers", self._visibility.number(uow.state(NUMBER, key)))
        loaded = uow.get(NUMBER, self._old)
        check_version(self._request, loaded.version + len(loaded.new))
        try:
            swap(uow, body.subscription_id, self._old, self._new, body.remark, cause, in_force(uow))
        except RemarkUnreadable as refused:
            raise type(refused)(**refused.facts, pointer="#/remark") from None
        except Refused as refused:
            refusing = uow.state(NUMBER, str(refused.facts.get("number", self._new)))
            raise explained(refused, refusing, self._visibility, "swap") from None
        left = shown_number(uow.state(NUMBER, self._old), self._visibility)
        serve_waiting(uow, cause)
        old, new = uow.state(NUMBER, self._old), uow.state(NUMBER, self._new)
        seen = visible(self._visibility.branch, self._visibility.number(old))
        return CommandResult(
            Swapped(
                subscription_id=body.subscription_id,
                old=shown_number(old, self._visibility) if seen else left,
                new=shown_number(new, self._visibility),
            )
        )
