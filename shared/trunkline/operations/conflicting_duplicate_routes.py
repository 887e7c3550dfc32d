"""Conflicting duplicates over HTTP, for operators: listed, applied under an id of their own, dismissed (S3, P6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest
from trunkline.http.pagination import page, row_id
from trunkline.http.schemas import Body
from trunkline.messaging.conflicting_duplicates.settle import apply, dismiss
from trunkline.messaging.conflicting_duplicates.store import Status, quarantined_page
from trunkline.operations.audited_command import Remark, audited_command
from trunkline.operations.lists import OperatePage, Pages, items

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime


class ApplyConflict(Body):
    """How a conflicting duplicate is applied."""

    event_id: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = Field(
        None, description="The id that it gets; null: the one it came with and the number of the row."
    )
    remark: Remark | None = None


class DismissConflict(Body):
    """Why a conflicting duplicate is dismissed."""

    remark: Remark


class SettledConflict(BaseModel):
    """What became of a conflicting duplicate, and the events that it brought about."""

    id: int
    status: Literal["applied", "dismissed"]
    event_id: str | None = None
    recorded: list[dict[str, str]] = []


def add_conflicts(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the operations to a service's operators' operations.

    Args:
        router: it has their prefix and its dependency authorizes.
        runtime: the running service.
    """

    @router.get("/quarantined", summary="Messages with other contents under an event id that was processed before")
    def quarantined(
        pages: Pages, status: Annotated[Status | None, Query(description="Only those that stand so.")] = None
    ) -> OperatePage:
        window = page(pages, {"id": (row_id,)}, "quarantined", status)
        (after,) = window.place() or (0,)
        return items(window, quarantined_page(runtime.store, after=after, limit=window.limit + 1, status=status), "id")

    @router.post(
        "/quarantined/{quarantined_id}/apply",
        summary="Process a conflicting duplicate as an event of its own",
        response_model=SettledConflict,
    )
    def apply_quarantined(quarantined_id: int, request: PostRequest, body: ApplyConflict) -> Response:
        def decide(uow: UnitOfWork) -> SettledConflict:
            done = apply(uow, runtime.service, quarantined_id, request.principal.actor, body.event_id, body.remark)
            recorded = [{"stream": stream, "type": name} for stream, name in done.recorded]
            return SettledConflict(id=quarantined_id, status="applied", event_id=done.event_id, recorded=recorded)

        about = {"id": quarantined_id} | body.model_dump(exclude_none=True)
        return audited_command(runtime, request, "conflict apply", about, decide)

    @router.post(
        "/quarantined/{quarantined_id}/dismiss",
        summary="Keep to what took effect first, and say why",
        response_model=SettledConflict,
    )
    def dismiss_quarantined(quarantined_id: int, request: PostRequest, body: DismissConflict) -> Response:
        def decide(uow: UnitOfWork) -> SettledConflict:
            dismiss(uow, quarantined_id, request.principal.actor, body.remark)
            return SettledConflict(id=quarantined_id, status="dismissed")

        return audited_command(
            runtime, request, "conflict dismiss", {"id": quarantined_id, "remark": body.remark}, decide
        )
