"""Subscriptions: what all that billing said comes to, every fact with its verdict, lists in the branch (S1, S2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID
from zlib import crc32

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import RecordedEvent, recorded
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.idempotency import shown
from trunkline.http.pagination import TEXT, Items, Paging, moment, one_page, page, paging
from trunkline.security.authorization import Resource, authorize
from trunkline.security.principal import Branch
from trunkline.service_definition import ServiceContext
from trunkline_licensing.application.visibility import branch_of
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.subscription.events import AnyEvent, SubscriptionFactRefused
from trunkline_licensing.domain.subscription.facts import After, AnyFact
from trunkline_licensing.domain.subscription.subscription import (
    SUBSCRIPTION,
    Subscription,
    due_organizations,
    evolve,
    fall_due,
    overtaken,
)

Product = Literal["number", "license", "did_reservation"]
Status = Literal["active", "expired", "terminated"]
Shown = Literal["accepted", "refused", "waiting", "scheduled"]
_ASSIGNED_ONE = """
    SELECT CASE WHEN s.number IS NOT NULL THEN coalesce(c.state = 'assigned' AND c.subscription_id = s.key, false) END,
        CASE WHEN c.state = 'assigned' AND c.subscription_id = s.key THEN c.since END, c.version
    FROM (SELECT %s::text AS number, %s::text AS key) s LEFT JOIN number_copy c ON c.number = s.number"""
_WITH_ASSIGNED = """
    SELECT s.*, CASE WHEN s.number IS NOT NULL
            THEN coalesce(c.state = 'assigned' AND c.subscription_id = s.key, false) END,
        CASE WHEN c.state = 'assigned' AND c.subscription_id = s.key THEN c.since END
    FROM ({page}) s LEFT JOIN number_copy c ON c.number = s.number ORDER BY {order}"""
_COLUMNS = (
    "key, organization_id, product, status, reference, started_at, expired_at, terminated_at, number, sku,"
    " license_code, quantity, plan_days, renewed_until, facts_waiting, facts_refused, facts_scheduled"
)


class SubscriptionUnknown(Refused):
    """Nothing has been heard of subscription {subscription_id}."""

    status: ClassVar[int] = 404


class FactShown(BaseModel):
    """One thing that billing said; `waiting`: for what (S7); `refused`: why; `scheduled`: it counts from `at` on, or
    is overtaken by what billing said since, and will not count (D10.14).

    Of a fact that names an organization outside the asker's branch only its kind, instants and verdict are shown.
    """

    source: str | None
    id: str | None
    fact: str
    at: datetime
    sequence: int | None
    heard_at: datetime
    verdict: Shown
    code: str | None = None
    reason: str | None = None
    data: dict[str, Any]


class SubscriptionListed(BaseModel):
    """A subscription after all its facts."""

    subscription_id: str
    organization_id: str | None
    product: Product | None
    status: Status | None
    reference: str | None
    started_at: datetime | None
    expired_at: datetime | None
    terminated_at: datetime | None
    number: str | None = Field(description="The number that was sold, whether or not it is assigned.")
    assigned: bool | None = Field(
        None,
        description="Whether the number sold is assigned to the subscription, by the newest state that numbers"
        " published; null: it names none. Why not: `/numbers/subscriptions/{id}`.",
    )
    assigned_since: datetime | None = None
    sku: str | None
    license_code: str | None
    quantity: int | None
    plan_days: int | None
    renewed_until: datetime | None
    facts_waiting: int
    facts_refused: int
    facts_scheduled: int


class SwappedOut(BaseModel):
    """A number that was given up for another."""

    number: str
    at: datetime


class SubscriptionShown(SubscriptionListed):
    """A subscription with everything billing said of it, in the order heard. Before its start, what it is is null.

    `scheduled`: what is dated ahead of the clock, the next one first; it is not among `facts` (D10.14).
    """

    swapped_out: list[SwappedOut]
    scheduled: list[FactShown]
    facts: list[FactShown]


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "subscriptions", {404: "no such subscription, or not in the asker's branch"})

    @routes.get("/licensing/subscriptions", summary="The subscriptions in the asker's branch")
    def list_subscriptions(
        principal: CurrentPrincipal,
        paging: Annotated[Paging, Depends(paging)],
        organization_id: Annotated[UUID | None, Query(description="Only of this organization.")] = None,
        product: Annotated[Product | None, Query(description="Only of this kind.")] = None,
        status: Annotated[Status | None, Query(description="Only in this status.")] = None,
        number: Annotated[str | None, Query(description="Only that which names this number.", max_length=16)] = None,
    ) -> Items[SubscriptionListed]:
        branch = branch_of(reader(context), principal)
        authorize(branch, "see subscriptions")
        filters: dict[str, str | None] = {"product": product, "status": status, "number": number}
        filters["organization_id"] = str(organization_id) if organization_id else None
        return _list(context, branch, paging, filters)

    @routes.get(
        "/licensing/subscriptions/{subscription_id}", summary="One subscription", response_model=SubscriptionShown
    )
    def show_subscription(subscription_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        history = _as_of_now(context, _hear_again(context, str(subscription_id)))
        after = history.state.after
        unknown = SubscriptionUnknown(subscription_id=subscription_id)
        resource = Resource(unknown, parties=(after.organization_id,) if after else (), exists=history.version > 0)
        branch = branch_of(reader(context), principal)
        authorize(branch, "see subscriptions", resource)
        document = _shown(history, branch)
        ((assigned, since, version),) = context.store.fetch(_ASSIGNED_ONE, (document.number, str(subscription_id)))
        document.assigned, document.assigned_since = assigned, since
        seen = history.version if version is None else crc32(f"{history.version} {version}".encode())
        return shown(request, document, seen)

    return routes


# -- one --------------------------------------------------------------------------------------------------------------


@dataclass
class _Heard:
    """A subscription folded once more, with when each fact was heard and why it does not count."""

    state: Subscription
    version: int = 0
    heard_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, event: AnyEvent) -> None:
        """Go on with one more event."""
        self.state = evolve(self.state, event)
        if isinstance(event, SubscriptionFactRefused):
            self.reasons[event.fact.name] = event.reason


def _events(context: ServiceContext, key: str) -> Iterator[RecordedEvent]:
    for stream_id, version, name, state in context.store.read_streams([SUBSCRIPTION.stream(key)]):
        yield recorded(context.store.codec, (0, stream_id, version, name, state))


def _hear_again(context: ServiceContext, key: str) -> _Heard:
    history = _Heard(SUBSCRIPTION.initial(key))
    for event in _events(context, key):
        fact = event.event.fact
        history.version = event.version
        history.heard_at.setdefault((fact.source, fact.id), event.meta.recorded_at)
        history.add(event.event)
    return history


def _as_of_now(context: ServiceContext, history: _Heard) -> _Heard:
    """With the scheduled facts whose instant has come and no timer has judged yet (D10.14)."""
    uow = reader(context)
    due = due_organizations(history.state, uow.now)
    if due:
        uow.load((PARTY, key) for key in due)
        known = {key for key in due if uow.state(PARTY, key).kind == "organization"}
        for event in fall_due(history.state, known, uow.now):
            history.add(event)
    return history


def _shown(history: _Heard, branch: Branch) -> SubscriptionShown:
    s = history.state
    after: dict[str, Any] = dict.fromkeys(After.__struct_fields__) | {"swapped_out": ()}
    after |= {} if s.after is None else msgspec.structs.asdict(s.after)
    swapped_out = [SwappedOut(number=out.number, at=out.at) for out in after.pop("swapped_out")]
    for past in ("covers", "gaps"):
        after.pop(past)  # how it came about is in the facts
    judged = [_fact(history, j.fact, "refused" if j.refused else "accepted", j.refused, branch) for j in s.facts]
    waiting = [_fact(history, w.fact, "waiting", f"{w.awaits}-unknown", branch) for w in s.waiting.values()]
    coming = sorted(s.scheduled.values(), key=lambda fact: (fact.at, fact.name))
    gone = overtaken(s)
    scheduled = [_fact(history, f, "scheduled", "overtaken" if f.name in gone else None, branch) for f in coming]
    return SubscriptionShown(
        subscription_id=s.id,
        facts_waiting=len(s.waiting),
        facts_refused=sum(j.refused is not None for j in s.facts),
        facts_scheduled=len(s.scheduled),
        swapped_out=swapped_out,
        scheduled=scheduled,
        facts=[*judged, *waiting],
        **after,
    )


def _fact(history: _Heard, fact: AnyFact, verdict: Shown, code: str | None, branch: Branch) -> FactShown:
    name = (fact.source, fact.id)
    within = branch.holds(fact.organization_id)
    data = {k: v for k, v in msgspec.to_builtins(fact).items() if k not in _OWN_PLACE} if within else {}
    if not branch.principal.sees_all:
        data.pop("organization_id", None)
    return FactShown(
        source=fact.source if within else None,
        id=fact.id if within else None,
        fact=fact.KIND,
        at=fact.at,
        sequence=fact.sequence if within else None,
        heard_at=history.heard_at[name],
        verdict=verdict,
        code=code,
        reason=history.reasons.get(name) if verdict == "refused" and within else None,
        data=data,
    )


_OWN_PLACE = frozenset({"source", "id", "at", "sequence", "kind"})


# -- many -------------------------------------------------------------------------------------------------------------

_MINE = "(organization_id = %(mine)s OR organization_id IN (SELECT key FROM party_view WHERE partner_id = %(mine)s))"


def _list(
    context: ServiceContext, branch: Branch, paging: Paging, filters: dict[str, str | None]
) -> Items[SubscriptionListed]:
    """A page of the view; the branch is part of the query, not a filter after it."""
    mine = branch.principal.party_id
    wanted = page(paging, {"started_at": (moment, TEXT)}, filters, mine)
    where = [
        "started_at IS NOT NULL",
        *(f"{name} = %({name})s" for name, value in filters.items() if value is not None),
    ]
    if mine is not None:
        where.append(_MINE)
    params: dict[str, Any] = {**filters, "mine": mine}
    with context.store.connection() as conn:
        counted = conn.execute(f"SELECT count(*) FROM subscription_view WHERE {' AND '.join(where)}".encode(), params)
        total = counted.fetchall()[0][0]
        if wanted.after:
            started, key = wanted.place()
            where.append(f"(started_at, key) {wanted.beyond} (%(started)s::timestamptz, %(key)s)")
            params |= {"started": started, "key": key}
        direction = wanted.direction
        order = f"started_at {direction}, key {direction} LIMIT {wanted.limit + 1}"
        order_outside = f"s.started_at {direction}, s.key {direction}"
        sql = f"SELECT {_COLUMNS} FROM subscription_view WHERE {' AND '.join(where)} ORDER BY {order}"
        rows = conn.execute(_WITH_ASSIGNED.format(page=sql, order=order_outside).encode(), params).fetchall()
    return one_page(wanted, rows, total, _listed, lambda row: (row[5].isoformat(), row[0]))


def _listed(row: Any) -> SubscriptionListed:
    names = ("subscription_id", *(name.strip() for name in _COLUMNS.split(",")[1:]), "assigned", "assigned_since")
    return SubscriptionListed(**dict(zip(names, row, strict=True)))
