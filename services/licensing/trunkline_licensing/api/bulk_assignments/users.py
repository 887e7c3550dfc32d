"""The people of a bulk assignment: files of them added to a draft, looked at; sample files (L7, L8, L9)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, CurrentPrincipal, WriteRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.multipart import MEDIA_TYPE, FormUnreadable, read_form
from trunkline.http.pagination import Items, Paging, one_page, page, whole
from trunkline.http.pagination import paging as paging_of
from trunkline.http.schemas import Name
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.bulk_assignments.dependencies import (
    ONE,
    PATH,
    TAG,
    UNKNOWN,
    answer,
    changing,
    seen,
    with_newest_people,
)
from trunkline_licensing.api.bulk_assignments.sample import sample
from trunkline_licensing.api.bulk_assignments.schemas import BulkShown, UserShown, shown_row
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.application.bulk_assignment.layouts import (
    MOST_BYTES,
    LayoutName,
    UsersFile,
    read_users,
    rows_of,
)
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, add_users, check
from trunkline_licensing.tables.bulk_rows import add_rows, count_rows, page_of_rows

_FORM_BYTES: Final = 65_536
_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A CSV file in one of the three layouts, of at most 5,242,880 bytes, or a form with one.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            MEDIA_TYPE: {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}},
        },
    },
    "x-action": "change licenses",
    "x-max-body-bytes": MOST_BYTES + _FORM_BYTES,
}


async def _file(
    request: Request,
    content_type: Annotated[str, Header(alias="Content-Type", include_in_schema=False)] = "",
    file_name: Annotated[Name | None, Query(description="What reports call the file.")] = None,
) -> tuple[bytes, str | None]:
    """The file as it was sent, and its name; a dependency."""
    body = await request.body()
    if not content_type.lower().startswith(MEDIA_TYPE):
        return body, file_name
    files = [part for part in read_form(body, content_type) if part.file_name is not None or part.name == "file"]
    if len(files) != 1:
        raise FormUnreadable(why=f"it has {len(files)} files, and one is expected")
    return files[0].content, file_name or files[0].file_name or None


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, TAG, {**UNKNOWN, 413: "the file is too large"})

    @routes.post(ONE + "/users", summary="Add the people of a CSV file", response_model=BulkShown, openapi_extra=_FILE)
    def add_users_to_bulk_assignment(
        organization_id: UUID,
        bulk_id: UUID,
        request: CommandRequest,
        file: Annotated[tuple[bytes, str | None], Depends(_file)],
    ) -> Response:
        data, name = file
        check(
            seen(context, request.principal, organization_id, bulk_id)[0], "add users"
        )  # before anything of it is read
        users = _read(data, name or "the file")
        return change(context, request, lambda uow: _add(uow, request, organization_id, bulk_id, users, name))

    @routes.get(ONE + "/users", summary="The people of a bulk assignment")
    def list_users_of_bulk_assignment(
        organization_id: UUID, bulk_id: UUID, principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging_of)]
    ) -> Items[UserShown]:
        b, uow, _ = seen(context, principal, organization_id, bulk_id)
        check(b, "see users")
        wanted = page(paging, {"row": (whole,)}, b.id)
        (after,) = wanted.place() or (0,)
        rows = page_of_rows(uow.fetch, b, after, wanted.limit + 1)
        total = count_rows(uow.fetch, b.id)
        show = lambda found: UserShown(**shown_row(b, found.row))  # type: ignore[arg-type]  # noqa: E731
        return one_page(wanted, rows, total, show, lambda found: (str(found.row.place),))

    @routes.get(PATH + "/samples/{layout}", summary="A sample file", response_class=Response)
    def sample_file(organization_id: UUID, layout: LayoutName, principal: CurrentPrincipal) -> Response:
        uow, org = reader(context), str(organization_id)
        authorize(branch_of(uow, principal), "see licenses", party_resource(uow, org, "organization"))
        with_newest_people(context)
        disposition = f'attachment; filename="bulk_assignment_{layout}.csv"'
        content = b"".join(sample(uow, org, layout, catalogue(context)))
        return Response(content, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition})

    return routes


def _read(data: bytes, name: str) -> UsersFile | Refused:
    """The people of a file, or why it is refused: that is answered where answers are kept for their idempotency key."""
    try:
        return read_users(data, name)
    except Refused as refused:
        return refused


def _add(
    uow: UnitOfWork,
    request: WriteRequest,
    organization_id: UUID,
    bulk_id: UUID,
    users: UsersFile | Refused,
    name: str | None,
) -> CommandResult:
    b = changing(uow, request, organization_id, bulk_id)
    check(b, "add users")
    if isinstance(users, Refused):
        raise users
    file, rows = rows_of(users, name or f"file {len(b.files) + 1}", b)
    uow.record(BULK, b.id, add_users(b, file, uow.now), request.cause)
    add_rows(uow, b.id, rows)
    return answer(uow, b.id)
