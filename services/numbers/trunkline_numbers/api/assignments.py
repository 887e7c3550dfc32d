"""Subscriptions and numbers by hand: assign, swap, extend a reservation, dismiss a refusal (N4, N9, S6, §10.8, P3)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, WriteRequest, door
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.http.schemas import Body, Uuid
from trunkline.security.authorization import authorize, visible
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.api.number_actions import PROBLEMS, carried_out, check_reserver
from trunkline_numbers.api.number_command import NumberCommand
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


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, "numbers", PROBLEMS)
    path = "/numbers/{number}"

    @routes.post("/numbers/swap", summary="Put a number in the place of a subscription's", response_model=Swapped)
    def swap_numbers(body: Swap, asked: CommandRequest) -> Response:
        return change(node, asked, lambda work: _Swapping(work, asked, body).answer())

    @routes.post(path + "/assign", summary="Assign a number to a subscription", response_model=NumberShown)
    def assign_number(number: InPath, body: ForSubscription, asked: CommandRequest) -> Response:
        def act(deed: NumberCommand) -> CommandResult:
            deed.authorize("see numbers")
            authorize_subscription(deed.work, deed.sight, "assign numbers", body.subscription_id)
            key, cause = deed.number.number, asked.cause
            return deed.done_by(lambda: give(deed.work, body.subscription_id, key, body.remark, cause, deed.policy))

        return carried_out(node, asked, number, "assign", act)

    @routes.post(path + "/extend", summary="Let a DID reservation subscription pay on", response_model=NumberShown)
    def extend_number(number: InPath, body: ForSubscription, asked: CommandRequest) -> Response:
        def act(deed: NumberCommand) -> CommandResult:
            deed.authorize("reserve numbers")
            check_reserver(deed, "extend numbers")
            authorize_subscription(deed.work, deed.sight, "reserve numbers", body.subscription_id)
            key, cause = deed.number.number, asked.cause
            return deed.done_by(
                lambda: extend_by(deed.work, body.subscription_id, key, body.remark, cause, deed.policy)
            )

        return carried_out(node, asked, number, "extend", act)

    return routes


def authorize_subscription(work: UnitOfWork, sight: Visibility, action: str, subscription_id: str) -> None:
    """Hold the asker against a row of P3 for a subscription's organization.

    Raises:
        SubscriptionUnknown, NotAllowed: as they say.
    """
    authorize(sight.branch, action, sight.subscription(work.state(SUBSCRIPTION, subscription_id)))


def _key(text: str, pointer: str) -> str:
    try:
        return key_in_path(text.strip())
    except NumberUnreadable:
        why = "it takes its E.164 form, 3 to 15 digits, with or without +"
        raise NumberUnreadable(value=text, why=why, pointer=pointer) from None


class _Swapping:
    """One swap, within one piece of work: both numbers or neither (N9). If-Match is of the old number."""

    def __init__(self, work: UnitOfWork, asked: WriteRequest, body: Swap) -> None:
        self._work, self._asked, self._body = work, asked, body
        self._old = _key(body.old_number, "#/old_number")
        self._new = _key(body.new_number, "#/new_number")
        numbers = [(NUMBER, self._old), (NUMBER, self._new)]
        load_settled(work, [THE_POLICY, *numbers, (SUBSCRIPTION, body.subscription_id)])
        self._sight = Visibility(work, asked.principal)

    def answer(self) -> CommandResult:
        """Do it, or refuse it with what the asker may know of the number that refuses."""
        work, cause, body = self._work, self._asked.cause, self._body
        authorize_subscription(work, self._sight, "assign numbers", body.subscription_id)
        for key in (self._old, self._new):
            authorize(self._sight.branch, "see numbers", self._sight.number(work.state(NUMBER, key)))
        loaded = work.get(NUMBER, self._old)
        check_version(self._asked, loaded.version + len(loaded.new))
        try:
            swap(work, body.subscription_id, self._old, self._new, body.remark, cause, in_force(work))
        except RemarkUnreadable as refused:
            raise type(refused)(**refused.facts, pointer="#/remark") from None
        except Refused as refused:
            refusing = work.state(NUMBER, str(refused.facts.get("number", self._new)))
            raise explained(refused, refusing, self._sight, "swap") from None
        left = shown_number(work.state(NUMBER, self._old), self._sight)
        serve_waiting(work, cause)
        old, new = work.state(NUMBER, self._old), work.state(NUMBER, self._new)
        seen = visible(self._sight.branch, self._sight.number(old))
        return CommandResult(
            Swapped(
                subscription_id=body.subscription_id,
                old=shown_number(old, self._sight) if seen else left,
                new=shown_number(new, self._sight),
            )
        )
