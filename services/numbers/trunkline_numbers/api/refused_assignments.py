"""Assignments that were refused and wait for their number: seen, and ended by hand (S6)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, CurrentPrincipal, reader, service_router
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.http.pagination import TEXT, Items, Paging, moment, one_page, page, paging
from trunkline.http.schemas import Body
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.assignments import authorize_subscription
from trunkline_numbers.application.manual_assignment import dismiss_refusal
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.errors import RemarkUnreadable
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.queries import refused_assignments
from trunkline_numbers.queries.refused_assignments import Waiting


class RefusedAssignment(BaseModel):
    """An assignment that waits for its number to change."""

    subscription_id: str
    organization_id: str
    number: str
    code: str
    reason: str
    refused_at: datetime
    started_at: datetime


class Dismiss(Body):
    """Let it wait no more."""

    remark: str = Field(default="", description="Welcome.")


class Dismissed(BaseModel):
    """The subscription waits no more for this number, unless billing or a person names it anew."""

    subscription_id: str
    number: str


_PROBLEMS = {404: "no such subscription, or not in the asker's branch", 409: "it waits for no number"}


_SORTS = {sort: (TEXT if sort == "number" else moment, TEXT) for sort in refused_assignments.SORTS}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", _PROBLEMS)

    @routes.get("/numbers/refused", summary="Assignments that wait for their number, the oldest start first")
    def refused(principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]) -> Items[RefusedAssignment]:
        authorize(Visibility(reader(context), principal).branch, "see numbers")
        wanted = page(paging, _SORTS, principal.subject, principal.party_id)
        rows, total = refused_assignments.waiting(context.store, principal.party_id, wanted)
        return one_page(wanted, rows, total, _shown, lambda row: row.place(wanted.sort))

    @routes.post(
        "/numbers/refused/{subscription_id}/dismiss",
        summary="Let a subscription wait no more for the number it was refused",
        response_model=Dismissed,
    )
    def dismiss(subscription_id: UUID, body: Dismiss, request: CommandRequest) -> Response:
        key = str(subscription_id)

        def decide(uow: UnitOfWork) -> CommandResult:
            authorize_subscription(uow, Visibility(uow, request.principal), "assign numbers", key)
            loaded = uow.get(SUBSCRIPTION, key)
            check_version(request, loaded.version)
            refused = loaded.state.refused
            try:
                dismiss_refusal(uow, key, body.remark, request.cause)
            except RemarkUnreadable as unreadable:
                raise RemarkUnreadable(**unreadable.facts, pointer="#/remark") from None
            number = refused.number if refused is not None else ""
            return CommandResult(
                Dismissed(subscription_id=key, number=number), version=loaded.version + len(loaded.new)
            )

        return change(context, request, decide)

    return routes


def _shown(row: Waiting) -> RefusedAssignment:
    return RefusedAssignment(
        subscription_id=row.subscription_id,
        organization_id=row.organization_id,
        number=row.number,
        code=row.code,
        reason=row.reason,
        refused_at=row.refused_at,
        started_at=row.started_at,
    )
