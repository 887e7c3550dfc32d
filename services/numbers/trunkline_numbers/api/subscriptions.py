"""What numbers holds of a subscription: what was heard of it, the numbers it has, had, or waits for (S4, S6, N4)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zlib import crc32

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from trunkline.eventstore.unit_of_work import LoadedStream
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.idempotency import shown
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.application.current_policy import THE_POLICY
from trunkline_numbers.application.retry_dependents import load_settled
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.paid_reservation import covers
from trunkline_numbers.domain.number.state import Assigned, Number
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription, is_dismissed, numbers_of


class RefusalShown(BaseModel):
    """Why the subscription has not got its number."""

    number: str
    code: str
    reason: str
    since: datetime


class Unassigned(BaseModel):
    """Why an active subscription does not have its number: `dismissed`, or the code of a refusal; null: in progress."""

    code: str | None
    reason: str
    since: datetime | None


class SubscriptionShown(BaseModel):
    """A subscription as numbers has heard of it: the number that was sold, and whether it is assigned."""

    subscription_id: str
    organization_id: str
    product: str
    status: str
    started_at: datetime
    expired_at: datetime | None
    terminated_at: datetime | None
    number_sold: str | None = Field(None, description="What billing sold, whether or not it is assigned.")
    number: str | None = Field(description="The number it is to have: the one sold, unless a person gave it another.")
    assigned: bool | None = Field(None, description="Whether `number` is assigned to it; null: it names none.")
    assigned_since: datetime | None = None
    assigned_number: str | None = Field(
        None, description="What is assigned to it now; not `number` while a swap is refused."
    )
    not_assigned: Unassigned | None = Field(None, description="Why an active subscription does not have its number.")
    numbers: list[str] = Field(description="Every number that it names or had. Not necessarily assigned to it.")
    served: list[str] = Field(description="Every number that was ever assigned to it.")
    set_by_hand: bool = Field(description="Whether a person, not billing, gave it the number it names.")
    covers: list[str] = Field(description="Whose reservations it pays for, in the order in which they were extended.")
    refused: RefusalShown | None


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", {404: "no such subscription, or not in the asker's branch"})

    @routes.get(
        "/numbers/subscriptions/{subscription_id}",
        summary="What numbers knows of a subscription",
        response_model=SubscriptionShown,
    )
    def show_subscription(subscription_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        uow = reader(context)
        loaded = uow.get(SUBSCRIPTION, str(subscription_id))
        load_settled(uow, [THE_POLICY, *((NUMBER, number) for number in _related(loaded.state))])
        visibility = Visibility(uow, principal)
        authorize(visibility.branch, "see numbers", visibility.subscription(loaded.state))
        s = loaded.state
        numbers = {number: uow.get(NUMBER, number) for number in _related(s)}
        states = {number: each.state for number, each in numbers.items()}
        return shown(request, _shown(s, states), _version(loaded, numbers))

    return routes


def _related(s: Subscription) -> list[str]:
    """Every number on which the answer depends."""
    return list(dict.fromkeys([*numbers_of(s), *s.covers]))


def _version(loaded: LoadedStream[Subscription], numbers: dict[str, LoadedStream[Number]]) -> int | None:
    """A version of all that is shown: that of the stream while no number takes part, else a hash of all versions.

    None while something that fell due is not on record yet: what is shown then has no version.
    """
    if loaded.new or any(each.new for each in numbers.values()):
        return None
    if not numbers:
        return loaded.version
    versions = [(number, each.version) for number, each in numbers.items()]
    return crc32(repr((loaded.version, versions)).encode())


def _assigned(s: Subscription, states: dict[str, Number]) -> tuple[str, datetime] | None:
    """The number that is assigned to the subscription, the one that it names first, and since when."""
    assert s.terms is not None
    for number in sorted(states, key=lambda each: each != s.terms.number):  # type: ignore[union-attr]
        life = states[number].life
        if isinstance(life, Assigned) and life.subscription_id == s.subscription_id:
            return number, life.since
    return None


def _not_assigned(s: Subscription) -> Unassigned:
    """Why an active subscription does not have the number that it names (S6)."""
    assert s.terms is not None
    assert s.terms.number is not None
    refused = s.refused
    if refused is not None:
        return Unassigned(code=refused.code, reason=refused.reason, since=refused.at)
    if is_dismissed(s, s.terms.number):
        reason = f"A person dismissed the refusal of {s.terms.number}; it no longer waits for this number."
        return Unassigned(code="dismissed", reason=reason, since=None)
    return Unassigned(code=None, reason=f"No refusal of {s.terms.number} is on record.", since=None)


def _shown(s: Subscription, states: dict[str, Number]) -> SubscriptionShown:
    terms = s.terms
    assert terms is not None
    refused, held = s.refused, _assigned(s, states)
    assigned = None if terms.number is None else held is not None and held[0] == terms.number
    why = _not_assigned(s) if assigned is False and terms.status == "active" else None
    return SubscriptionShown(
        subscription_id=s.subscription_id,
        organization_id=terms.organization_id,
        product=terms.product,
        status=terms.status,
        started_at=terms.started_at,
        expired_at=terms.expired_at,
        terminated_at=terms.terminated_at,
        number_sold=(s.published or terms).number,
        number=terms.number,
        assigned=assigned,
        assigned_since=held[1] if held is not None else None,
        assigned_number=held[0] if held is not None else None,
        not_assigned=why,
        numbers=numbers_of(s),
        served=s.ever_served,
        set_by_hand=bool(s.acts) and terms.number == s.acts[-1].number,
        covers=[number for number in s.covers if covers(states[number], s.subscription_id)],
        refused=None
        if refused is None
        else RefusalShown(number=refused.number, code=refused.code, reason=refused.reason, since=refused.at),
    )
