"""What the operators' lists have in common: how they are paged, and what an item is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel

from trunkline.http.pagination import LARGEST_PAGE, Page, Paging

Shown = dict[str, Any]
ROW_IDS: Final = range(2**62)
"""What a row's id, or a place in the log, can be: PostgreSQL would not take a larger one."""


def pages(
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")] = None,
) -> Paging:
    """The part of a list that is asked for; these lists have one order; a dependency."""
    return Paging(limit=limit, cursor=cursor, sort=None)


Pages = Annotated[Paging, Depends(pages)]


class OperatePage(BaseModel):
    """One page of a list. `next` is the cursor of the page after it; null on the last one."""

    items: list[Shown]
    next: str | None = None


def show(value: Any) -> Shown:
    """A struct as JSON shows it."""
    shown: Shown = msgspec.to_builtins(value)
    return shown


def items(page: Page, rows: Sequence[Any], *after: str) -> OperatePage:
    """A page out of at most `limit + 1` rows; `after` are the attributes that make its last row's place."""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    cursor = page.next(*(_place(getattr(shown[-1], name)) for name in after)) if more else None
    return OperatePage(items=[show(row) for row in shown], next=cursor)


def _place(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
