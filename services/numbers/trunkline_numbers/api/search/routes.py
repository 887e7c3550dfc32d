"""Searching the inventory: a page of numbers by any mix of filters, and all of them as a file (N11, N1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from trunkline.clock import rfc3339
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.files.export_slots import BUSY
from trunkline.files.table_writer import MEDIA_TYPES
from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.pagination import TEXT, Items, Kind, Page, Paging, moment, one_page, page, row_id
from trunkline.http.streaming import StreamedFile
from trunkline.security.authorization import authorize
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.number_schemas import NumberShown, shown_number
from trunkline_numbers.api.search.parameters import ExportQuery, Filters, SearchQuery, SortNeedsAvailable
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.projections.party import branch_of
from trunkline_numbers.queries.export import Export
from trunkline_numbers.queries.filters import Conditions, Scope, conditions
from trunkline_numbers.queries.inventory import Found, Inventory
from trunkline_numbers.queries.page_window import Slice
from trunkline_numbers.queries.search import Total

_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media: {} for media in MEDIA_TYPES.values()}, "description": "the file"}
}
_NUMBER: Final = re.compile(r"\+[0-9]{1,15}", re.ASCII)
_UNCACHED: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", BUSY)
    inventory = Inventory(context.store)

    @routes.get("/numbers", summary="Search numbers", response_model=Items[NumberShown])
    def search_numbers(query: Annotated[SearchQuery, Query()], principal: CurrentPrincipal) -> Response:
        found = _Search(context, principal, query).answer(inventory, query)
        return Response(found.model_dump_json(), headers=_UNCACHED, media_type="application/json")

    @routes.get(
        "/numbers/export", summary="All numbers found, as a file", response_class=StreamingResponse, responses=_FILE
    )
    def export_numbers(query: Annotated[ExportQuery, Query()], principal: CurrentPrincipal) -> Response:
        search = _Search(context, principal, query)
        export = Export(context.store.url, search.conditions, search.scope, query.layout)
        pieces = context.exports.pieces(principal.party_id, export.pieces(query.format))
        at = search.uow.now.strftime("%Y%m%dT%H%M%SZ")
        headers = {"Content-Disposition": f'attachment; filename="numbers_{at}.{query.format}"', **_UNCACHED}
        return StreamedFile(pieces, MEDIA_TYPES[query.format], headers)

    return routes


class _Search:
    """What one asker searches for."""

    def __init__(self, context: ServiceContext, principal: Principal, filters: Filters) -> None:
        self._store, self._principal = context.store, principal
        self.uow: UnitOfWork = reader(context)
        self._visibility = Visibility(self.uow, principal)
        authorize(self._visibility.branch, "see numbers")
        self.scope = self._scope()
        self.wanted = filters.wanted(self.uow.now)
        self.conditions: Conditions = conditions(self.wanted, self.scope)

    def _scope(self) -> Scope | None:
        mine = self._principal.party_id
        if mine is None:
            return None
        me = party(self.uow, mine)
        above = me.partner_id if me is not None else None
        return Scope(
            branch=tuple(branch_of(self._store, mine)),
            domains=me.domains if me is not None else None,
            sellers=(above,) if above is not None and above != mine else (),
        )

    def answer(self, inventory: Inventory, query: SearchQuery) -> Items[NumberShown]:
        """A page, and how many there are: as the first page told it."""
        filters = query.model_dump_json(exclude={"limit", "cursor", "sort"})
        paging = Paging(limit=query.limit, cursor=query.cursor, sort=query.sort)
        wanted = page(paging, _SORTS, "numbers", filters, self._principal.subject, self._principal.party_id)
        by_age = wanted.sort == "available_since"
        if by_age and self.wanted.states != ("available",) and self.wanted.available_since is None:
            raise SortNeedsAvailable(part="query", pointer="#/sort", value=query.sort)
        upto = self.uow.now if by_age else None
        part = Slice(wanted.limit, "available_since" if by_age else "number", wanted.descending, upto=upto)
        if wanted.after:
            part, total = _going_on(part, *wanted.place())
            found = inventory.next_page(self.conditions, part, total)
        else:
            found, total = inventory.first_page(self.conditions, part)
        return self._page(wanted, found, total, part.upto)

    def _page(self, wanted: Page, found: list[Found], total: Total, upto: datetime | None) -> Items[NumberShown]:
        self.uow.load((PARTY, party_id) for party_id in _parties(found, self._principal))

        def place(row: Found) -> tuple[str, ...]:
            since = row.number.life.since if upto is not None else None  # type: ignore[union-attr] # it is Available
            ends = () if since is None or upto is None else (rfc3339(since), rfc3339(upto))
            return (row.number.number, str(total.value), total.is_, *ends)

        items = one_page(wanted, found, total.value, lambda row: shown_number(row.number, self._visibility), place)
        items.total_is = total.is_
        return items


def _going_on(part: Slice, number: str, total: int, is_: str, *since: datetime) -> tuple[Slice, Total]:
    """Where a cursor goes on, and what its first page counted."""
    told = Total(min(total, 10**12), "estimate" if is_ == "estimate" else "exact")
    return Slice(part.limit, part.sort, part.descending, number, *since), told


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return text


# Which number, what the first page counted, and, by age, since when that number is Available and the others must be.
_SORTS: Final[dict[str, tuple[Kind, ...]]] = {
    "number": (_number, row_id, TEXT),
    "available_since": (_number, row_id, TEXT, moment, moment),
}


def _parties(found: Iterable[Found], principal: Principal) -> set[str]:
    """Whom these numbers name: what of it the asker may see is asked of the parties, all at once."""
    return set() if principal.sees_all else {party_id for row in found for party_id in _named(row.number)}


def _named(n: Number) -> Iterator[str]:
    yield from filter(None, (n.uploader_id, n.holder_id))
    for field in ("reserver_id", "organization_id"):
        if (party_id := getattr(n.life, field, None)) is not None:
            yield party_id
    yield from (binding.organization_id for binding in n.bindings)
