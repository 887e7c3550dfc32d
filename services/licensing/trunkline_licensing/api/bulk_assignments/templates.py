"""Templates of bulk assignments: made, listed, searched, shown, edited, duplicated, deleted (L5, L6, L14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, UpdateRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change, shown
from trunkline.http.pagination import TEXT, Items, Paging, moment, one_page, page
from trunkline.http.pagination import paging as paging_of
from trunkline.http.schemas import OneForm
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.bulk_assignments.dependencies import ONE, PATH, TAG, UNKNOWN, answer, changing, reach, seen
from trunkline_licensing.api.bulk_assignments.schemas import (
    BulkChange,
    BulkListed,
    BulkShown,
    NewBulk,
    Status,
    shown_bulk,
)
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, create, delete, edit, name_of_copy
from trunkline_licensing.domain.pool.errors import AddonUnknown
from trunkline_licensing.tables.bulk_rows import forget


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, TAG, UNKNOWN)

    @routes.post(PATH, summary="Make a bulk assignment", status_code=201, response_model=BulkShown)
    def create_bulk_assignment(organization_id: UUID, body: NewBulk, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(uuid4())
            resource = party_resource(uow, org, "organization")
            authorize(branch_of(uow, request.principal), "change licenses", resource)
            _check_known(context, body.addons)
            uow.record(BULK, key, create(uow.state(BULK, key), org, body.name, body.addons, uow.now), request.cause)
            return answer(uow, key, 201)

        return change(context, request, decide)

    @routes.get(PATH, summary="The bulk assignments of an organization")
    def list_bulk_assignments(
        organization_id: UUID,
        principal: CurrentPrincipal,
        paging: Annotated[Paging, Depends(paging_of)],
        search: Annotated[OneForm | None, Query(max_length=200, description="Part of the name or of the UUID.")] = None,
        status: Annotated[Status | None, Query(description="Only in this status.")] = None,
    ) -> Items[BulkListed]:
        uow = reader(context)
        resource = party_resource(uow, str(organization_id), "organization")
        authorize(branch_of(uow, principal), "see licenses", resource)
        return _list(context, paging, str(organization_id), search, status)

    @routes.get(ONE, summary="One bulk assignment", response_model=BulkShown)
    def show_bulk_assignment(
        organization_id: UUID, bulk_id: UUID, principal: CurrentPrincipal, request: Request
    ) -> Response:
        b, _, version = seen(context, principal, organization_id, bulk_id)
        return shown(request, shown_bulk(b), version)

    @routes.get("/licensing/bulk-assignments/{bulk_id}", summary="One, by its id alone", response_model=BulkShown)
    def find_bulk_assignment(bulk_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        owner = reader(context).state(BULK, str(bulk_id)).organization_id
        b, _, version = seen(context, principal, UUID(owner) if owner is not None else bulk_id, bulk_id)
        return shown(request, shown_bulk(b), version)

    @routes.patch(ONE, summary="Edit a draft", response_model=BulkShown)
    def edit_bulk_assignment(
        organization_id: UUID, bulk_id: UUID, body: BulkChange, request: UpdateRequest
    ) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            b = changing(uow, request, organization_id, bulk_id)
            given = body.model_fields_set
            name, addons = body.name if "name" in given else None, body.addons if "addons" in given else None
            _check_known(context, addons or ())
            uow.record(BULK, b.id, edit(b, name, addons, uow.now), request.cause)
            return answer(uow, b.id)

        return change(context, request, decide)

    @routes.post(ONE + "/duplicate", summary="Copy name and add-ons", status_code=201, response_model=BulkShown)
    def duplicate_bulk_assignment(organization_id: UUID, bulk_id: UUID, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            b = reach(uow, request.principal, "change licenses", organization_id, bulk_id)
            key = str(uuid4())
            of = (str(organization_id), name_of_copy(b.name), b.addons)
            uow.record(BULK, key, create(uow.state(BULK, key), *of, uow.now, b.id), request.cause)
            return answer(uow, key, 201)

        return change(context, request, decide)

    @routes.delete(ONE, summary="Delete a draft", status_code=204)
    def delete_bulk_assignment(organization_id: UUID, bulk_id: UUID, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            b = changing(uow, request, organization_id, bulk_id)
            uow.record(BULK, b.id, delete(b, uow.now), request.cause)
            forget(uow, b.id)
            return CommandResult(status=204)

        return change(context, request, decide)

    return routes


def _check_known(context: ServiceContext, addons: Sequence[str]) -> None:
    """Refuse an add-on that there is not; what one needs beside it, a row may bring."""
    known = catalogue(context).addons
    for index, code in enumerate(addons):
        if code not in known:
            raise AddonUnknown(license_code=code, value=code, pointer=f"#/addons/{index}")


_COLUMNS = "key, name, addons, status, total, succeeded, failed, waiting, pending, created_at, started_at, completed_at"
_WILD = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def _list(
    context: ServiceContext, paging: Paging, organization_id: str, search: str | None, status: str | None
) -> Items[BulkListed]:
    """A page of the view; the organization is part of the query."""
    wanted = page(paging, {"created_at": (moment, TEXT), "name": (TEXT, TEXT)}, organization_id, search, status)
    where, params = ["organization_id = %(org)s", "NOT deleted"], dict[str, Any](org=organization_id)
    if status is not None:
        where.append("status = %(status)s")
        params["status"] = status
    if search is not None:
        where.append("(name ILIKE %(search)s OR key LIKE lower(%(search)s))")
        params["search"] = f"%{search.replace(chr(0), '').translate(_WILD)}%"
    with context.store.connection() as conn:
        counted = conn.execute(f"SELECT count(*) FROM bulk_view WHERE {' AND '.join(where)}".encode(), params)
        total = counted.fetchall()[0][0]
        column = wanted.sort
        if wanted.after:
            kind = "timestamptz" if column == "created_at" else "text"
            where.append(f"({column}, key) {wanted.beyond} (%(after)s::{kind}, %(key)s)")
            params |= dict(zip(("after", "key"), wanted.place(), strict=True))
        order = f"{column} {wanted.direction}, key {wanted.direction} LIMIT {wanted.limit + 1}"
        sql = f"SELECT {_COLUMNS} FROM bulk_view WHERE {' AND '.join(where)} ORDER BY {order}"
        rows = conn.execute(sql.encode(), params).fetchall()
    return one_page(wanted, rows, total, _listed, lambda row: (_text(row[9 if column == "created_at" else 1]), row[0]))


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _listed(row: Any) -> BulkListed:
    names = [name.strip() for name in _COLUMNS.split(",")]
    return BulkListed(**{"bulk_id": row[0], **dict(zip(names[1:], row[1:], strict=True))})
