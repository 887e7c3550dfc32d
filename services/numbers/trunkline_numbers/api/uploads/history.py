"""What happened to an upload: who sent, started and cancelled it, when, and how chunk followed chunk (R3)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from trunkline.eventstore.history import read_history
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.pagination import Items, Paging, history_page, paging
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.number_schemas import UNKNOWN_ROLE
from trunkline_numbers.api.uploads.routes import seen
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.upload import UPLOAD, Upload, UploadUnknown, evolve


class UploadHappened(BaseModel):
    """One event of an upload's history. After it `done` rows had their outcome, `added` of them in the inventory.

    Of who is outside the asker's branch only the role is shown, as `actor`; correlation and causation are null.
    """

    id: str
    event: str
    at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: str | None
    causation_id: str | None
    status: str
    done: int
    added: int
    data: dict[str, Any]


def router(context: ServiceContext) -> APIRouter:
    """The operation."""
    routes = service_router(context, "numbers", {404: UploadUnknown.__doc__ or ""})

    @routes.get("/numbers/uploads/{upload_id}/history", summary="Everything that happened to an upload")
    def history(
        upload_id: UUID, principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]
    ) -> Items[UploadHappened]:
        _, visibility = seen(reader(context), principal, upload_id)
        key = str(upload_id)
        u, happened = Upload(key), list[UploadHappened]()
        for event in read_history(context.store, UPLOAD.stream(key)):
            u = evolve(u, event.event)
            happened.append(_shown(event, u, visibility))
        return history_page(paging, happened, key)

    return routes


def _shown(event: RecordedEvent, u: Upload, visibility: Visibility) -> UploadHappened:
    meta, data = event.meta, msgspec.to_builtins(event.event)
    del data["at"]
    within = visibility.acts_within(meta)
    actor = meta.actor if within else meta.role or UNKNOWN_ROLE
    if "by" in data:
        data["by"] = actor
    return UploadHappened(
        id=event.id,
        event=type(event.event).__name__,
        at=event.event.at,
        recorded_at=meta.recorded_at,
        actor=actor,
        correlation_id=meta.correlation_id if within else None,
        causation_id=meta.causation_id if within else None,
        status=u.status,
        done=u.rows_done,
        added=u.added,
        data=data,
    )
