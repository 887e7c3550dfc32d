"""Questions about numbers: many at once, who held one at an instant, whether it has changed hands since (N13, P2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import Body, Instant
from trunkline.security.authorization import authorize, visible
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.bulk_requests import Several, read_keys
from trunkline_numbers.api.number_history import NumberHistory, number_at, past_of
from trunkline_numbers.api.number_schemas import BindingShown, Happened, NumberShown, shown_number
from trunkline_numbers.api.numbers import AsOfFuture, InPath
from trunkline_numbers.application.current_policy import THE_POLICY
from trunkline_numbers.application.phone_number import key_in_path
from trunkline_numbers.application.retry_dependents import load_settled
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number


class LookUp(Body):
    """Numbers to look up."""

    numbers: Several


class LookedUp(BaseModel):
    """One number; `found` is null where it is not in the inventory, or not in the asker's branch."""

    number: str
    found: NumberShown | None


class LookedUpNumbers(BaseModel):
    """Each number once, in the order they were named."""

    found: int
    unknown: int
    numbers: list[LookedUp]


class Holding(BaseModel):
    """With whom a number was at an instant. Parties outside the asker's branch are null; so are their names."""

    number: str
    at: datetime
    state: str
    since: datetime
    ends_at: datetime | None
    holder_id: str | None
    holder: str | None
    organization_id: str | None
    organization: str | None
    subscription_id: str | None
    reserver_id: str | None
    reserver: str | None
    bindings: list[BindingShown]


class Turn(BaseModel):
    """The number left a customer, or came to another one."""

    at: datetime
    what: Literal["released", "assigned"]
    organization_id: str | None
    subscription_id: str | None


class Recycling(BaseModel):
    """Whether a number has changed hands since an instant, as far as the asker's branch knows it.

    `recycled`: it left the customer that had it, or came to another than the last. `known_from`: since when the asker's
    branch has had it in sight; what was before may not be told.
    """

    number: str
    since: datetime
    recycled: bool
    known_from: datetime | None
    turns: list[Turn]


_Instant = Annotated[Instant, Query(description="An instant with its offset.")]


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", {404: "no such number, or not in the asker's branch"})

    @routes.post("/numbers/lookup", summary="Many numbers as they are now", response_model=LookedUpNumbers)
    def look_up(body: LookUp, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            return CommandResult(_looked_up(uow, Visibility(uow, request.principal), read_keys(body.numbers)))

        return change(context, request, decide)

    @routes.get("/numbers/{number}/held-by", summary="With whom a number was at an instant")
    def held_by(number: InPath, principal: CurrentPrincipal, at: _Instant) -> Holding:
        uow = reader(context)
        _check_past(uow, at, "at")
        key = key_in_path(number)
        load_settled(uow, [THE_POLICY, (NUMBER, key)])
        n = number_at(uow, key, at)
        visibility = Visibility(uow, principal)
        authorize(visibility.branch, "see numbers", visibility.number(n))
        return _holding(n, at, visibility)

    @routes.get("/numbers/{number}/recycled", summary="Whether a number has changed hands since an instant")
    def recycled(number: InPath, principal: CurrentPrincipal, since: _Instant) -> Recycling:
        uow = reader(context)
        _check_past(uow, since, "since")
        key = key_in_path(number)
        return _recycling(key, since, past_of(context.store, key, Visibility(uow, principal)))

    return routes


def _check_past(uow: UnitOfWork, at: datetime, name: str) -> None:
    if at > uow.now:
        raise AsOfFuture(value=at, now=uow.now, part="query", pointer=f"#/{name}")


def _looked_up(uow: UnitOfWork, visibility: Visibility, keys: list[str]) -> LookedUpNumbers:
    authorize(visibility.branch, "see numbers")
    load_settled(uow, [THE_POLICY, *((NUMBER, key) for key in keys)])
    rows: list[LookedUp] = []
    for key in keys:
        n = uow.state(NUMBER, key)
        seen = visible(visibility.branch, visibility.number(n))
        rows.append(LookedUp(number=key, found=shown_number(n, visibility) if seen else None))
    found = sum(row.found is not None for row in rows)
    return LookedUpNumbers(found=found, unknown=len(rows) - found, numbers=rows)


def _holding(n: Number, at: datetime, visibility: Visibility) -> Holding:
    shown = shown_number(n, visibility)

    def name(party_id: str | None) -> str | None:
        return None if party_id is None else visibility.name_of(party_id)

    return Holding(
        number=n.number,
        at=at,
        state=shown.state,
        since=shown.since,
        ends_at=shown.ends_at,
        holder_id=shown.holder_id,
        holder=name(shown.holder_id),
        organization_id=shown.organization_id,
        organization=name(shown.organization_id),
        subscription_id=shown.subscription_id,
        reserver_id=shown.reserver_id,
        reserver=name(shown.reserver_id),
        bindings=shown.bindings,
    )


def _recycling(key: str, since: datetime, past: NumberHistory) -> Recycling:
    """From what the asker may know: whose the number was at `since`, and every time it changed hands after."""
    customer: str | None = None
    turns: list[Turn] = []
    for turn in _turns(past.happened):
        if turn.what == "assigned" and turn.organization_id == customer:
            if turns and turns[-1].what == "released":
                turns.pop()  # it came back to whom it had left
            continue
        if turn.at > since and (customer is not None or turn.what == "released"):
            turns.append(turn)
        customer = turn.organization_id if turn.what == "assigned" else customer
    return Recycling(number=key, since=since, recycled=bool(turns), known_from=past.since, turns=turns)


def _turns(happened: Iterable[Happened]) -> Iterable[Turn]:
    """Each time the number was assigned, and each time it went back into the inventory after it had been."""
    organization_id = subscription_id = None
    for h in happened:
        if h.event == "NumberAssigned":
            organization_id, subscription_id = h.data["organization_id"], h.data["subscription_id"]
            yield Turn(at=h.at, what="assigned", organization_id=organization_id, subscription_id=subscription_id)
        elif h.event == "NumberReleased" and organization_id is not None:
            yield Turn(at=h.at, what="released", organization_id=organization_id, subscription_id=subscription_id)
            organization_id = None
