"""Active subscriptions whose number is not assigned to them, for operators: which, since when and why (S6, O7)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from trunkline.http.dependencies import operating, service_router
from trunkline.http.pagination import TEXT, page
from trunkline.operations.lists import Pages
from trunkline_numbers.domain.subscription.subscription import Subscription, is_dismissed

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext

_read: Final = msgspec.msgpack.Decoder(Subscription).decode
_FROM: Final = """
    FROM subscription_view s LEFT JOIN number_view n ON n.key = s.number
    WHERE s.product = 'number' AND s.status = 'active' AND s.number IS NOT NULL
        AND (n.state = 'assigned' AND n.subscription_id = s.key) IS NOT TRUE"""
_SELECT: Final = f"""
    SELECT s.key, s.organization_id, s.number, s.started_at, s.refused_code, s.refused_reason, s.refused_since,
        n.state, s.folded {_FROM}"""


class WithoutNumber(BaseModel):
    """One such subscription.

    `code`: of the refusal that is on record; `dismissed`: a person ended the wait; null: neither is on record.
    """

    subscription_id: str
    organization_id: str
    number: str
    started_at: datetime
    number_state: str | None = Field(description="How the number stands now; null: it is not in the inventory.")
    code: str | None
    reason: str | None
    since: datetime | None


class WithoutNumberPage(BaseModel):
    """A page of them, by id. `open`: those among all for which nobody has dismissed the refusal."""

    items: list[WithoutNumber]
    next: str | None = None
    total: int
    open: int


def router(context: ServiceContext) -> APIRouter:
    """The operation."""
    routes = service_router(context, "numbers: operate", {404: "there is no such thing"})
    routes.prefix = "/numbers/operate"
    routes.dependencies.append(Depends(operating))

    @routes.get("/without-number", summary="Active subscriptions whose number is not assigned to them")
    def without_number(
        pages: Pages, dismissed: Annotated[bool, Query(description="Also those that were dismissed.")] = True
    ) -> WithoutNumberPage:
        window = page(pages, {"key": (TEXT,)}, "without-number", str(dismissed))
        (after,) = window.place() or ("",)
        with context.store.connection() as conn:
            rows = conn.execute(f"{_SELECT} ORDER BY s.key".encode()).fetchall()
        found = [_shown(row) for row in rows]
        still_open = sum(each.code != "dismissed" for each in found)
        wanted = [each for each in found if each.subscription_id > after and (dismissed or each.code != "dismissed")]
        shown = wanted[: window.limit]
        cursor = window.next(shown[-1].subscription_id) if len(wanted) > len(shown) else None
        return WithoutNumberPage(items=shown, next=cursor, total=len(found), open=still_open)

    return routes


def _shown(row: Any) -> WithoutNumber:
    key, organization_id, number, started_at, code, reason, since, state, folded = row
    if code is None and is_dismissed(_read(folded), number):
        code, reason = "dismissed", "a person dismissed the refusal"
    return WithoutNumber(
        subscription_id=key,
        organization_id=organization_id,
        number=number,
        started_at=started_at,
        number_state=state,
        code=code,
        reason=reason,
        since=since,
    )
