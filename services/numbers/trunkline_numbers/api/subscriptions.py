"""What numbers holds of a subscription: what was heard of it, the numbers it has, had, or waits for (S4, S6, N4)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from trunkline.answers import shown
from trunkline.doors import Node, Reading, door, reader
from trunkline.parties import authorize
from trunkline_numbers.api.branch import Sight
from trunkline_numbers.number import NUMBER
from trunkline_numbers.number_covering import covers
from trunkline_numbers.reactions.number_changed import load_settled
from trunkline_numbers.reactions.policy_in_force import THE_POLICY
from trunkline_numbers.subscription import SUBSCRIPTION, Subscription, numbers_of


class RefusalShown(BaseModel):
    """Why the subscription has not got its number."""

    number: str
    code: str
    reason: str
    since: datetime


class SubscriptionShown(BaseModel):
    """A subscription as numbers has heard of it, and the numbers it has or had."""

    subscription_id: str
    organization_id: str
    product: str
    status: str
    started_at: datetime
    expired_at: datetime | None
    terminated_at: datetime | None
    number: str | None
    numbers: list[str]
    served: list[str]
    set_by_hand: bool = Field(description="Whether a person, not billing, gave it the number it names.")
    covers: list[str] = Field(description="Whose reservations it pays for, in the order in which they were extended.")
    refused: RefusalShown | None


def router(node: Node) -> APIRouter:
    """The operations."""
    routes = door(node, "numbers", {404: "no such subscription, or not in the asker's branch"})

    @routes.get(
        "/numbers/subscriptions/{subscription_id}",
        summary="What numbers knows of a subscription",
        response_model=SubscriptionShown,
    )
    def show_subscription(subscription_id: UUID, asker: Reading, request: Request) -> Response:
        work = reader(node)
        loaded = work.get(SUBSCRIPTION, str(subscription_id))
        load_settled(work, [THE_POLICY, *((NUMBER, number) for number in numbers_of(loaded.state))])
        sight = Sight(work, asker)
        authorize(sight.branch, "see numbers", sight.subscription(loaded.state))
        covered = [number for number in loaded.state.covers if covers(work.state(NUMBER, number), str(subscription_id))]
        changes = bool(loaded.new or loaded.state.covers)  # what it covers changes with the numbers
        version = None if changes else loaded.version
        return shown(request, _shown(loaded.state, covered), version)

    return routes


def _shown(s: Subscription, covered: list[str]) -> SubscriptionShown:
    heard = s.heard
    assert heard is not None
    refused = s.refused
    return SubscriptionShown(
        subscription_id=s.subscription_id,
        organization_id=heard.organization_id,
        product=heard.product,
        status=heard.status,
        started_at=heard.started_at,
        expired_at=heard.expired_at,
        terminated_at=heard.terminated_at,
        number=heard.number,
        numbers=numbers_of(s),
        served=list(s.served),
        set_by_hand=bool(s.acts) and heard.number == s.acts[-1].number,
        covers=covered,
        refused=None
        if refused is None
        else RefusalShown(number=refused.number, code=refused.code, reason=refused.reason, since=refused.at),
    )
