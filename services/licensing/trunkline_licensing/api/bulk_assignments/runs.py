"""A bulk assignment foreseen, started and watched (L10, L11, L13)."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, CurrentPrincipal, service_router
from trunkline.http.idempotency import CommandResult, change, shown
from trunkline.http.server_sent_events import Snapshot, event_stream
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.bulk_assignments.dependencies import (
    ONE,
    TAG,
    UNKNOWN,
    answer,
    changing,
    seen,
    with_newest_people,
)
from trunkline_licensing.api.bulk_assignments.schemas import (
    AssignPeople,
    BulkShown,
    Preflight,
    Progress,
    progress_of,
    shown_row,
)
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.application.bulk_assignment.preflight import foresee
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk, check, start
from trunkline_licensing.tables.bulk_rows import mark_running


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, TAG, UNKNOWN)

    @routes.get(ONE + "/preflight", summary="What would happen, row by row", response_model=Preflight)
    def foresee_bulk_assignment(organization_id: UUID, bulk_id: UUID, principal: CurrentPrincipal) -> Response:
        b, uow, _ = seen(context, principal, organization_id, bulk_id)
        check(b, "preflight")
        with_newest_people(context)
        return Response(msgspec.json.encode(_preflight(context, uow, b)), media_type="application/json")

    @routes.post(ONE + "/assign", summary="Assign", status_code=202, response_model=BulkShown)
    def assign_bulk_assignment(
        organization_id: UUID, bulk_id: UUID, request: CommandRequest, body: AssignPeople
    ) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            b = changing(uow, request, organization_id, bulk_id)
            uow.record(BULK, b.id, start(b, body.all_or_nothing, uow.now), request.cause)
            mark_running(uow, b.id)
            return answer(uow, b.id, 202)

        return change(context, request, decide)

    @routes.get(ONE + "/progress", summary="How far it is", response_model=Progress)
    def show_progress(organization_id: UUID, bulk_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        b, _, version = seen(context, principal, organization_id, bulk_id)
        return shown(request, progress_of(b), version)

    @routes.get(ONE + "/watch", summary="How far it is, told as it goes on", response_class=StreamingResponse)
    def watch_bulk_assignment(organization_id: UUID, bulk_id: UUID, principal: CurrentPrincipal) -> StreamingResponse:
        """Server-sent events `progress`, each a JSON object as `…/progress` answers; the last one is `completed`."""
        b, _, _ = seen(context, principal, organization_id, bulk_id)
        check(b, "report")
        return event_stream(partial(_snapshot, context, principal, organization_id, bulk_id), context.troubles)

    return routes


# -- foreseen ---------------------------------------------------------------------------------------------------------


def _preflight(context: ServiceContext, uow: UnitOfWork, b: Bulk) -> dict[str, Any]:
    judged, failures = foresee(uow, b, catalogue(context))
    rows, codes = [], dict[str, int]()
    for j in judged:
        failure = failures.get(j.row.place)
        if failure is None:
            verdict: dict[str, Any] = {"outcome": "succeeds", "code": None, "reason": None}
        else:
            verdict = {"outcome": "fails", "code": failure.code, "reason": failure.reason}
            codes[failure.code] = codes.get(failure.code, 0) + 1
        rows.append(shown_row(b, j.row) | verdict | {"addons": list(j.addons)})
    fail = len(failures)
    return {
        "total": b.total,
        "would_succeed": b.total - fail,
        "would_fail": fail,
        "codes": dict(sorted(codes.items())),
        "rows": rows,
    }


# -- watched ----------------------------------------------------------------------------------------------------------


def _snapshot(context: ServiceContext, principal: Principal, organization_id: UUID, bulk_id: UUID) -> Snapshot:
    """The assignment as it is; authorized again: an organization that moves is not watched from its former branch."""
    b, _, _ = seen(context, principal, organization_id, bulk_id)
    progress = progress_of(b)
    return Snapshot(progress, done=progress.status == "completed", last_event="completed")
