"""The two reports of the Phone System license: provisioned extensions, and numbers that nobody uses yet (L18, L19)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from trunkline.files.export_slots import BUSY
from trunkline.files.table_writer import MEDIA_TYPES, Cell, csv_bytes
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.pagination import TEXT, Items, Paging, one_page, page, paging
from trunkline.http.streaming import StreamedFile
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.extensions.schemas import CENTER_ROLES
from trunkline_licensing.api.extensions.visibility import PATH, ROW, ROWS, UNKNOWN, in_organization_of, of_row, rows
from trunkline_licensing.api.licenses import PATH as LICENSES
from trunkline_licensing.domain.extension.events import ON_IT, Facts
from trunkline_licensing.domain.party.facts import Identity
from trunkline_licensing.domain.pool.catalogue import CONTACT_CENTER, Catalogue

PAGE: Final = 2_000
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "the report", "content": {MEDIA_TYPES["csv"]: {"schema": {"type": "string"}}}}
}
EXTENSION_COLUMNS: Final = ("Ext Key", "Number", "User", "Addon License details")
NUMBER_COLUMNS: Final = ("Number", "Subscription", "SKU", "Country", "Capabilities", "Assigned Since")
_NUMBERS: Final = "number_copy WHERE organization_id = %(org)s AND state = 'assigned' AND NOT bound"


class AvailableNumber(BaseModel):
    """A number of the organization that serves nobody yet."""

    number: str
    subscription_id: str | None
    sku: str | None
    country: str | None
    capabilities: list[str]
    assigned_since: datetime | None


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "extensions", {**UNKNOWN, **BUSY})

    @routes.get(PATH + "/export", summary="All extensions as CSV", response_class=StreamingResponse, responses=_CSV)
    def export_extensions(organization_id: UUID, principal: CurrentPrincipal) -> StreamingResponse:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see licenses", org)
        found = _extensions(context, org, catalogue(context))
        return _file(context, principal, org, "provisioned_extension", csv_bytes(EXTENSION_COLUMNS, found))

    @routes.get(LICENSES + "/available-numbers", summary="Numbers of the organization that serve nobody yet")
    def available_numbers(
        organization_id: UUID, principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]
    ) -> Items[AvailableNumber]:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see licenses", org)
        wanted = page(paging, {"number": (TEXT,)}, org)
        total = rows(context, f"SELECT count(*) FROM {_NUMBERS}", {"org": org})[0][0]
        after = wanted.after[0] if wanted.after else None
        found = _numbers(context, org, after, wanted.limit + 1, wanted.beyond, wanted.direction)
        return one_page(wanted, found, total, _shown, lambda row: (row[0],))

    @routes.get(
        LICENSES + "/available-numbers/export",
        summary="Numbers that serve nobody yet, as CSV",
        response_class=StreamingResponse,
        responses=_CSV,
    )
    def export_available_numbers(organization_id: UUID, principal: CurrentPrincipal) -> StreamingResponse:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see licenses", org)
        return _file(context, principal, org, "available_number", csv_bytes(NUMBER_COLUMNS, _all_numbers(context, org)))

    return routes


def file_name(organization_id: str, at: datetime, report: str) -> str:
    """The name that a report is downloaded under (L18, L19)."""
    return f"{organization_id}_{at.astimezone(UTC):%Y%m%dT%H%M%SZ}_license_phonesystem_{report}.csv"


def _file(
    context: ServiceContext, principal: Principal, organization_id: str, report: str, content: Iterator[bytes]
) -> StreamingResponse:
    name = file_name(organization_id, context.clock.now(), report)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamedFile(context.exports.pieces(principal.party_id, content), MEDIA_TYPES["csv"], headers)


def _extensions(context: ServiceContext, org: str, known: Catalogue) -> Iterator[Sequence[Cell]]:
    """All extensions in the order of their keys, read page by page: flat memory, and no connection held meanwhile."""
    after: tuple[int, str] = (-1, "")
    while True:
        sql = (
            f"SELECT e.ext_number, e.key, {ROW} FROM {ROWS} WHERE e.organization_id = %(org)s AND NOT e.deleted"
            f" AND (e.ext_number, e.key) > (%(number)s, %(key)s) ORDER BY e.ext_number, e.key LIMIT {PAGE}"
        )
        found = rows(context, sql, {"org": org, "number": after[0], "key": after[1]})
        for row in found:
            x, person = of_row(*row[2:])
            facts = x.facts
            assert facts is not None
            number = facts.number
            details = "; ".join(_addon(code, facts, person, known) for code in facts.codes)
            has = number.number if number is not None and number.status in ON_IT else None
            yield facts.ext_key, has, person.name if person is not None else facts.user_id, details
        if len(found) < PAGE:
            return
        after = found[-1][0], found[-1][1]


def _addon(code: str, facts: Facts, person: Identity | None, known: Catalogue) -> str:
    """An add-on as the report has it; with Contact Center what the person is there (P5)."""
    role = f", {CENTER_ROLES[person.role]}" if code == CONTACT_CENTER and person is not None else ""
    return f"{known.name(code)} ({code}){role}{', suspended' if code in facts.suspended else ''}"


def _all_numbers(context: ServiceContext, org: str) -> Iterator[Sequence[Cell]]:
    after: str | None = None
    while True:
        found = _numbers(context, org, after, PAGE, ">", "ASC")
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1][0]


def _numbers(
    context: ServiceContext, org: str, after: str | None, limit: int, beyond: str, direction: str
) -> list[Any]:
    going_on = "" if after is None else f" AND number {beyond} %(after)s"
    sql = (
        "SELECT number, subscription_id, sku, country, capabilities, since"
        f" FROM {_NUMBERS}{going_on} ORDER BY number {direction} LIMIT {limit}"
    )
    return rows(context, sql, {"org": org, "after": after})


def _shown(row: Any) -> AvailableNumber:
    number, subscription_id, sku, country, capabilities, since = row
    return AvailableNumber(
        number=number,
        subscription_id=subscription_id,
        sku=sku,
        country=country,
        capabilities=(capabilities or "").split(),
        assigned_since=since,
    )
