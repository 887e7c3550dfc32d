"""Extensions: one, and lists with search, within the branch; a member sees the one that serves it (P4, L15, L20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.idempotency import shown as answered
from trunkline.http.pagination import TEXT, Items, Paging, one_page, page, paging, whole
from trunkline.http.schemas import OneForm
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.extensions.schemas import ExtensionShown, shown_extension
from trunkline_licensing.api.extensions.visibility import (
    PATH,
    ROW,
    ROWS,
    UNKNOWN,
    in_organization_of,
    of_row,
    rows,
    shown,
    to_extension,
)
from trunkline_licensing.domain.extension.extension import EXTENSION


@dataclass
class Search:
    """What extensions are looked for; a dependency."""

    q: Annotated[OneForm | None, Query(max_length=100, description="In the key, or in the name of line or person.")] = (
        None
    )
    ext_key: Annotated[str | None, Query(max_length=5, description="This key.")] = None
    user_id: Annotated[UUID | None, Query(description="Serving this person.")] = None
    license: Annotated[str | None, Query(max_length=64, description="With this license.")] = None
    subscription_id: Annotated[UUID | None, Query(description="Using a unit of this subscription.")] = None
    number: Annotated[str | None, Query(max_length=16, description="With this number.")] = None
    assigned: Annotated[bool | None, Query(description="Serving somebody, or nobody.")] = None
    suspended: Annotated[bool | None, Query(description="With a license that nothing covers, or without.")] = None
    bulk_id: Annotated[UUID | None, Query(description="Made by this bulk assignment.")] = None

    def where(self, organization_id: str) -> tuple[list[str], dict[str, Any]]:
        """As SQL over `ROWS`, with its parameters."""
        conditions = ["e.organization_id = %(organization_id)s", "NOT e.deleted"]
        params: dict[str, Any] = {"organization_id": organization_id}
        for name, sql in _CONDITIONS.items():
            value = getattr(self, name)
            if value is not None:
                conditions.append(sql)
                params[name] = str(value) if isinstance(value, UUID) else value
        if self.q is not None:
            params["q"] = f"%{self.q.translate(_LITERALLY)}%"
        return conditions, params


_LITERALLY = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_CONDITIONS = {
    "q": "(e.ext_key LIKE %(q)s OR e.directory_name ILIKE %(q)s OR i.name ILIKE %(q)s)",
    "ext_key": "e.ext_key = %(ext_key)s",
    "user_id": "e.user_id = %(user_id)s",
    "license": "%(license)s = ANY(e.licenses)",
    "subscription_id": "%(subscription_id)s = ANY(e.subscriptions)",
    "number": "e.number = %(number)s",
    "assigned": "(e.user_id IS NOT NULL) = %(assigned)s",
    "suspended": "(cardinality(e.suspended) > 0) = %(suspended)s",
    "bulk_id": "e.bulk_id = %(bulk_id)s",
}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "extensions", UNKNOWN)

    @routes.get(PATH, summary="The extensions of an organization")
    def list_extensions(
        organization_id: UUID,
        principal: CurrentPrincipal,
        paging: Annotated[Paging, Depends(paging)],
        search: Annotated[Search, Depends()],
    ) -> Items[ExtensionShown]:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see extensions", org)
        where, params = search.where(org)
        if principal.role == "member":
            where.append("e.user_id = %(mine)s")
            params["mine"] = principal.person
        return _page(context, paging, where, params)

    @routes.get(PATH + "/{extension_id}", summary="One extension", response_model=ExtensionShown)
    def show_extension(
        organization_id: UUID, extension_id: UUID, principal: CurrentPrincipal, request: Request
    ) -> Response:
        uow, key = reader(context), str(extension_id)
        to_extension(uow, principal, "see extensions", str(organization_id), key)
        return answered(request, shown(uow, key, catalogue(context)), uow.get(EXTENSION, key).version)

    return routes


def _page(context: ServiceContext, paging: Paging, where: list[str], params: dict[str, Any]) -> Items[ExtensionShown]:
    """A page in the order of keys, 999 before 1000; the branch is part of the query, not a filter after it."""
    wanted = page(paging, {"ext_key": (whole, TEXT)}, where, params)
    total = rows(context, f"SELECT count(*) FROM {ROWS} WHERE {' AND '.join(where)}", params)[0][0]
    if wanted.after:
        number, key = wanted.place()
        where = [*where, f"(e.ext_number, e.key) {wanted.beyond} (%(after_number)s::int, %(after_key)s)"]
        params = {**params, "after_number": number, "after_key": key}
    order = f"ORDER BY e.ext_number {wanted.direction}, e.key {wanted.direction} LIMIT {wanted.limit + 1}"
    found = rows(context, f"SELECT e.ext_number, e.key, {ROW} FROM {ROWS} WHERE {' AND '.join(where)} {order}", params)
    known = catalogue(context)
    return one_page(
        wanted, found, total, lambda row: shown_extension(*of_row(*row[2:]), known), lambda row: (str(row[0]), row[1])
    )
