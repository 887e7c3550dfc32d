"""A bulk assignment foreseen, started and watched (L10, L11, L13)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, CurrentPrincipal, door
from trunkline.http.idempotency import CommandResult, change, shown
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

_TICK_S: Final = 0.25
_HEARTBEAT_TICKS: Final = 40


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, TAG, UNKNOWN)

    @routes.get(ONE + "/preflight", summary="What would happen, row by row", response_model=Preflight)
    def foresee_bulk_assignment(organization_id: UUID, bulk_id: UUID, asker: CurrentPrincipal) -> Response:
        b, work, _ = seen(node, asker, organization_id, bulk_id)
        check(b, "preflight")
        with_newest_people(node)
        return Response(msgspec.json.encode(_preflight(node, work, b)), media_type="application/json")

    @routes.post(ONE + "/assign", summary="Assign", status_code=202, response_model=BulkShown)
    def assign_bulk_assignment(
        organization_id: UUID, bulk_id: UUID, asked: CommandRequest, body: AssignPeople
    ) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            b = changing(work, asked, organization_id, bulk_id)
            work.record(BULK, b.id, start(b, body.all_or_nothing, work.now), asked.cause)
            mark_running(work, b.id)
            return answer(work, b.id, 202)

        return change(node, asked, decide)

    @routes.get(ONE + "/progress", summary="How far it is", response_model=Progress)
    def show_progress(organization_id: UUID, bulk_id: UUID, asker: CurrentPrincipal, request: Request) -> Response:
        b, _, version = seen(node, asker, organization_id, bulk_id)
        return shown(request, progress_of(b), version)

    @routes.get(ONE + "/watch", summary="How far it is, told as it goes on", response_class=StreamingResponse)
    def watch_bulk_assignment(organization_id: UUID, bulk_id: UUID, asker: CurrentPrincipal) -> StreamingResponse:
        """Server-sent events `progress`, each a JSON object as `…/progress` answers; the last one is `completed`."""
        b, _, _ = seen(node, asker, organization_id, bulk_id)
        check(b, "report")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            _events(node, asker, organization_id, b.id), media_type="text/event-stream", headers=headers
        )

    return routes


# -- foreseen ---------------------------------------------------------------------------------------------------------


def _preflight(node: ServiceContext, work: UnitOfWork, b: Bulk) -> dict[str, Any]:
    judged, failures = foresee(work, b, catalogue(node))
    rows, codes = [], dict[str, int]()
    for j in judged:
        failure = failures.get(j.row.place)
        if failure is None:
            said: dict[str, Any] = {"outcome": "succeeds", "code": None, "reason": None}
        else:
            said = {"outcome": "fails", "code": failure.code, "reason": failure.reason}
            codes[failure.code] = codes.get(failure.code, 0) + 1
        rows.append(shown_row(b, j.row) | said | {"addons": list(j.addons)})
    fail = len(failures)
    return {
        "total": b.total,
        "would_succeed": b.total - fail,
        "would_fail": fail,
        "codes": dict(sorted(codes.items())),
        "rows": rows,
    }


# -- watched ----------------------------------------------------------------------------------------------------------


async def _events(node: ServiceContext, asker: Principal, organization_id: UUID, bulk_id: str) -> AsyncIterator[bytes]:
    """Server-sent events until it is completed, or the service stops; a comment now and then keeps proxies patient.

    The asker is authorized again at every look: an organization that moves is not watched from its former branch.
    """
    told: Progress | None = None
    silent = 0
    while not node.troubles() or told is None:
        try:
            b, _, _ = await asyncio.to_thread(seen, node, asker, organization_id, UUID(bulk_id))
        except Refused:
            return
        progress = progress_of(b)
        if progress != told:
            told, silent = progress, 0
            yield _event("progress", progress)
        elif (silent := silent + 1) % _HEARTBEAT_TICKS == 0:
            yield b": still running\n\n"
        if progress.status == "completed":
            yield _event("completed", progress)
            return
        await asyncio.sleep(_TICK_S)


def _event(name: str, progress: Progress) -> bytes:
    return f"event: {name}\ndata: {progress.model_dump_json()}\n\n".encode()
