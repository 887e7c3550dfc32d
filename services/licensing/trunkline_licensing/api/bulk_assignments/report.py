"""What became of each row of a bulk assignment: page by page as JSON, or whole as CSV (L11, L13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from trunkline.files.export_slots import BUSY
from trunkline.files.table_writer import MEDIA_TYPES, csv_bytes
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.pagination import Items, Paging, one_page, page, whole
from trunkline.http.pagination import paging as paging_of
from trunkline.http.streaming import StreamedFile
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.bulk_assignments.dependencies import ONE, TAG, UNKNOWN, seen
from trunkline_licensing.api.bulk_assignments.schemas import Outcome, RowReported, reported_row
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import Bulk, check
from trunkline_licensing.tables.bulk_rows import Chosen, RowStatus, count_rows, page_of_rows

_PAGE: Final = 1_000
_STATUSES: Final[dict[Outcome, tuple[RowStatus, ...]]] = {
    "pending": ("pending", "short"),
    "waiting": ("waiting", "held"),
    "succeeded": ("succeeded",),
    "failed": ("failed",),
}
_COLUMNS: Final = {
    "row": "Row",
    "file": "File",
    "line": "Line",
    "ext_key": "Ext Key",
    "user": "User",
    "number": "Number",
    "subscription_reference": "Subscription Reference",
    "addons": "Addon Licenses",
    "outcome": "Outcome",
    "code": "Code",
    "reason": "Reason",
    "extension_id": "Extension UUID",
    "identity_id": "Identity UUID",
}
Code = Annotated[
    str | None,
    Query(max_length=100, pattern="^[A-Z_]+$", description="Only rows with this code, such as NO_ADDON_LICENSE."),
]
Only = Annotated[Outcome | None, Query(description="Only rows with this outcome.")]


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, TAG, {**UNKNOWN, **BUSY})

    @routes.get(ONE + "/report", summary="What became of each row", response_model=Items[RowReported])
    def report_bulk_assignment(
        organization_id: UUID,
        bulk_id: UUID,
        principal: CurrentPrincipal,
        paging: Annotated[Paging, Depends(paging_of)],
        form: Annotated[Literal["json", "csv"], Query(alias="format", description="CSV: all rows.")] = "json",
        outcome: Only = None,
        code: Code = None,
    ) -> Any:
        b, uow, _ = seen(context, principal, organization_id, bulk_id)
        check(b, "report")
        chosen = Chosen(_STATUSES[outcome] if outcome else None, code)
        if form == "csv":
            return _csv(context, principal, b, chosen)
        wanted = page(paging, {"row": (whole,)}, b.id, outcome, code)
        (after,) = wanted.place() or (0,)
        rows = page_of_rows(uow.fetch, b, after, wanted.limit + 1, chosen)
        total = count_rows(uow.fetch, b.id, chosen)
        return one_page(
            wanted, rows, total, lambda found: reported_row(b, found), lambda found: (str(found.row.place),)
        )

    return routes


def _csv(context: ServiceContext, principal: Principal, b: Bulk, chosen: Chosen) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{b.id}_bulk_assignment_report.csv"'}
    content = csv_bytes(list(_COLUMNS.values()), _lines(context, b, chosen))
    return StreamedFile(context.exports.pieces(principal.party_id, content), MEDIA_TYPES["csv"], headers)


def _lines(context: ServiceContext, b: Bulk, chosen: Chosen) -> Iterator[list[Any]]:
    """All rows in file order, read a page at a time."""
    after = 0
    while rows := page_of_rows(reader(context).fetch, b, after, _PAGE, chosen):
        for found in rows:
            yield list(reported_row(b, found).values())
        after = rows[-1].row.place
