"""The license overview: per code what is bought, used and free; per unit who uses it (L20)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from trunkline.http.dependencies import CurrentPrincipal, reader, service_router
from trunkline.http.pagination import TEXT, Items, Paging, one_page, page, paging, whole
from trunkline.http.schemas import OneForm
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.extensions.schemas import CENTER_ROLES, CenterRole
from trunkline_licensing.api.extensions.visibility import in_organization_of, rows
from trunkline_licensing.domain.pool.catalogue import BASE, CONTACT_CENTER, Catalogue

PATH = "/licensing/organizations/{organization_id}/licenses"


class SupplyShown(BaseModel):
    """One subscription's part of a license; `moved`: it is another organization's or license's by now."""

    subscription_id: str
    reference: str | None
    status: Literal["active", "expired", "terminated", "moved"]
    started_at: datetime
    quantity: int
    allocated: int
    free: int
    suspended: int


class LicenseShown(BaseModel):
    """One license of an organization: units of active subscriptions, in use, to spare, and used without cover."""

    license_code: str
    name: str
    purchased: int
    allocated: int
    free: int
    suspended: int
    subscriptions: list[SupplyShown]


class Licenses(BaseModel):
    """Every license that an organization has, the base license first."""

    items: list[LicenseShown]


class UnitShown(BaseModel):
    """One unit in use, and who uses it; of Contact Center, what they are there (P5)."""

    license_code: str
    name: str
    subscription_id: str
    suspended: bool
    extension_id: str
    ext_key: str
    user_id: str | None
    user_name: str | None
    contact_center_role: CenterRole | None


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "licenses", {404: "no such organization, or not in the asker's branch"})

    @routes.get(PATH, summary="What an organization has bought, uses, and has to spare")
    def overview(
        organization_id: UUID,
        principal: CurrentPrincipal,
        license: Annotated[str | None, Query(max_length=64, description="Only this one, by its code.")] = None,  # noqa: A002
    ) -> Licenses:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see licenses", org)
        sql = (
            "SELECT license_code, purchased, allocated, free, suspended, supplies FROM pool_view"
            " WHERE organization_id = %(org)s AND (%(code)s::text IS NULL OR license_code = %(code)s)"
        )
        known = catalogue(context)
        found = [_license(row, known) for row in rows(context, sql, {"org": org, "code": license})]
        return Licenses(items=sorted(found, key=lambda shown: (shown.license_code != BASE, shown.license_code)))

    @routes.get(PATH + "/units", summary="Every unit in use, and who uses it")
    def list_units(
        organization_id: UUID,
        principal: CurrentPrincipal,
        paging: Annotated[Paging, Depends(paging)],
        license: Annotated[str | None, Query(max_length=64, description="Of this license.")] = None,  # noqa: A002
        user: Annotated[
            OneForm | None, Query(max_length=200, description="Serving this person: UUID, or in the name.")
        ] = None,
        extension: Annotated[str | None, Query(max_length=40, description="Of this extension: UUID or key.")] = None,
        subscription_id: Annotated[UUID | None, Query(description="Of this subscription.")] = None,
        suspended: Annotated[bool | None, Query(description="That nothing covers now, or that are covered.")] = None,
    ) -> Items[UnitShown]:
        org = str(organization_id)
        in_organization_of(reader(context), principal, "see licenses", org)
        params = {
            "org": org,
            "license": license,
            "user": user,
            "like": None if user is None else f"%{user.translate(_LITERALLY)}%",
            "extension": extension,
            "subscription": str(subscription_id) if subscription_id else None,
            "suspended": suspended,
        }
        return _units(context, paging, params)

    return routes


_LITERALLY = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_FILTERS = {
    "license": "u.code = %(license)s",
    "user": "(e.user_id = lower(%(user)s) OR i.name ILIKE %(like)s)",
    "extension": "(e.ext_key = %(extension)s OR e.key = lower(%(extension)s))",
    "subscription": "u.subscription_id = %(subscription)s",
    "suspended": "(u.code = ANY(e.suspended)) = %(suspended)s",
}
_FROM = (
    "extension_view e CROSS JOIN LATERAL unnest(e.licenses, e.subscriptions) AS u(code, subscription_id)"
    " LEFT JOIN identity_view i ON i.key = e.user_id AND NOT i.removed"
    " WHERE e.organization_id = %(org)s AND NOT e.deleted"
)


def _units(context: ServiceContext, paging: Paging, params: dict[str, Any]) -> Items[UnitShown]:
    """A page in the order of extension keys; the organization is part of the query, not a filter after it."""
    wanted = page(paging, {"extension": (whole, TEXT, TEXT)}, params)
    source = _FROM + "".join(f" AND {sql}" for name, sql in _FILTERS.items() if params[name] is not None)
    total = rows(context, f"SELECT count(*) FROM {source}", params)[0][0]
    if wanted.after:
        number, key, code = wanted.place()
        source += f" AND (e.ext_number, e.key, u.code) {wanted.beyond} (%(after)s::int, %(after_key)s, %(after_code)s)"
        params = {**params, "after": number, "after_key": key, "after_code": code}
    order = ", ".join(f"{column} {wanted.direction}" for column in ("e.ext_number", "e.key", "u.code"))
    sql = (
        "SELECT u.code, u.subscription_id, u.code = ANY(e.suspended), e.key, e.ext_key, e.user_id, i.name, i.role,"
        " e.ext_number"
        f" FROM {source} ORDER BY {order} LIMIT {wanted.limit + 1}"
    )
    known = catalogue(context)
    found = rows(context, sql, params)
    return one_page(wanted, found, total, lambda row: _unit(row, known), lambda row: (str(row[8]), row[3], row[0]))


def _unit(row: Any, known: Catalogue) -> UnitShown:
    code, subscription_id, suspended, extension_id, ext_key, user_id, user_name, role, _ = row
    return UnitShown(
        license_code=code,
        name=known.name(code),
        subscription_id=subscription_id,
        suspended=suspended,
        extension_id=extension_id,
        ext_key=ext_key,
        user_id=user_id,
        user_name=user_name,
        contact_center_role=CENTER_ROLES.get(role) if code == CONTACT_CENTER else None,
    )


def _license(row: Any, known: Catalogue) -> LicenseShown:
    code, purchased, allocated, free, suspended, supplies = row
    return LicenseShown(
        license_code=code,
        name=known.name(code),
        purchased=purchased,
        allocated=allocated,
        free=free,
        suspended=suspended,
        subscriptions=[SupplyShown(**supply) for supply in supplies],
    )
