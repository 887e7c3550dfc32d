"""What numbers holds of a subscription, and the assignments it had to refuse and that wait (S6, S7)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from trunkline.answers import shown
from trunkline.doors import Node, Reading, door, reader
from trunkline.paging import Items, Page, Paging, one_page, page, paging
from trunkline.parties import authorize, visible
from trunkline.stream import key_of
from trunkline_numbers.api.branch import Sight
from trunkline_numbers.subscription import SUBSCRIPTION, Subscription, numbers_of

_PAGE: Final = 500


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
    refused: RefusalShown | None


class RefusedAssignment(BaseModel):
    """An assignment that waits for its number to change."""

    subscription_id: str
    organization_id: str
    number: str
    code: str
    reason: str
    refused_at: datetime
    started_at: datetime


def router(node: Node) -> APIRouter:
    """The operations."""
    routes = door(node, "numbers", {404: "no such subscription, or not in the asker's branch"})

    @routes.get("/numbers/refused", summary="Assignments that wait for their number")
    def refused(asker: Reading, asked: Annotated[Paging, Depends(paging)]) -> Items[RefusedAssignment]:
        sight = Sight(reader(node), asker)
        authorize(sight.branch, "see numbers")
        waiting = _waiting(node, sight)
        wanted = page(asked, ("started_at", "number"), asker.subject)
        waiting.sort(key=lambda w: _place(wanted.sort, w), reverse=wanted.descending)
        rest = [w for w in waiting if not wanted.after or _beyond(wanted, _place(wanted.sort, w))]
        return one_page(wanted, rest, len(waiting), lambda w: w, lambda w: (_place(wanted.sort, w),))

    @routes.get(
        "/numbers/subscriptions/{subscription_id}",
        summary="What numbers knows of a subscription",
        response_model=SubscriptionShown,
    )
    def show_subscription(subscription_id: UUID, asker: Reading, request: Request) -> Response:
        work = reader(node)
        loaded = work.get(SUBSCRIPTION, str(subscription_id))
        sight = Sight(work, asker)
        authorize(sight.branch, "see numbers", sight.subscription(loaded.state))
        return shown(request, _shown(loaded.state), loaded.version)

    return routes


def _waiting(node: Node, sight: Sight) -> list[RefusedAssignment]:
    """All that wait and that the asker may see."""
    rows: list[Any] = node.store.fetch(
        "SELECT DISTINCT waiter FROM awaited WHERE starts_with(awaited, 'number/') ORDER BY waiter"
    )
    found: list[RefusedAssignment] = []
    for begin in range(0, len(rows), _PAGE):
        work = reader(node)
        keys = [key_of(waiter) for (waiter,) in rows[begin : begin + _PAGE]]
        work.load((SUBSCRIPTION, key) for key in keys)
        for key in keys:
            s = work.state(SUBSCRIPTION, key)
            if s.heard is None or s.refused is None or not visible(sight.branch, sight.subscription(s)):
                continue
            found.append(
                RefusedAssignment(
                    subscription_id=key,
                    organization_id=s.heard.organization_id,
                    number=s.refused.number,
                    code=s.refused.code,
                    reason=s.refused.reason,
                    refused_at=s.refused.at,
                    started_at=s.heard.started_at,
                )
            )
    return found


def _place(sort: str, waiting: RefusedAssignment) -> str:
    value = waiting.number if sort == "number" else waiting.started_at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{value} {waiting.subscription_id}"


def _beyond(wanted: Page, place: str) -> bool:
    return place < wanted.after[0] if wanted.descending else place > wanted.after[0]


def _shown(s: Subscription) -> SubscriptionShown:
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
        refused=None
        if refused is None
        else RefusalShown(number=refused.number, code=refused.code, reason=refused.reason, since=refused.at),
    )
