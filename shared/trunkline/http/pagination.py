"""Lists by cursor: `?limit=&cursor=&sort=`. A cursor says after what to go on, and fits only the list it came from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel

from trunkline.errors import Refused

T = TypeVar("T")
LARGEST_PAGE: Final = 500
Kind = Callable[[str], object]
"""Reads a sort value as a cursor has it. Raises ValueError for what no item of the list can have."""
TEXT: Final[Kind] = str


def whole(text: str) -> int:
    """A number that counts something: a row, a version, the digits of a key."""
    return _below(2**31, text)


def row_id(text: str) -> int:
    """The id of a row, of which there may be more than anybody counts."""
    return _below(2**62, text)


def _below(bound: int, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < bound):
        raise ValueError(text)
    return int(text)


def moment(text: str) -> datetime:
    """An instant, told with its offset."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    try:
        return found.astimezone(UTC)
    except OverflowError:  # so near the end of time that its offset leads beyond
        raise ValueError(text) from None


class CursorUnreadable(Refused):
    """The cursor is none of this list's: take `next` as it came, with the same filters and sort."""

    status: ClassVar[int] = 422


class SortUnknown(Refused):
    """The list cannot be sorted by {value}; it takes {known}, with `-` before it for the other direction."""

    status: ClassVar[int] = 422


class Items(BaseModel, Generic[T]):
    """One page of a list. `next` is the cursor of the page after it; null on the last one."""

    items: list[T]
    next: str | None = None
    total: int
    total_is: Literal["exact", "estimate"] = "exact"


class _Place(msgspec.Struct, array_like=True):
    list: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What part of a list is asked for.

    Attributes:
        limit: most items, 1 to 500.
        sort: one of the names the list can be sorted by.
        descending: whether in the other direction.
        after: the sort values of the last item of the page before, as text; empty: from the beginning.
        kinds: of these values.
    """

    limit: int
    sort: str
    descending: bool
    after: tuple[str, ...]
    kinds: tuple[Kind, ...]
    _list: str

    def place(self) -> tuple[Any, ...]:
        """The same as what they stand for."""
        return tuple(kind(text) for kind, text in zip(self.kinds, self.after, strict=True)) if self.after else ()

    def next(self, *after: str) -> str:
        """The cursor of the page that begins after an item with these sort values."""
        return base64.urlsafe_b64encode(msgspec.json.encode(_Place(self._list, after))).decode().rstrip("=")

    @property
    def direction(self) -> str:
        """`ASC` or `DESC`, for SQL."""
        return "DESC" if self.descending else "ASC"

    @property
    def beyond(self) -> str:
        """The comparison with `after` that goes on, for SQL."""
        return "<" if self.descending else ">"


class Paging(BaseModel):
    """The three parameters as they are sent."""

    limit: int
    cursor: str | None
    sort: str | None


def paging(
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most items on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")] = None,
    sort: Annotated[str | None, Query(max_length=40, description="A field; `-` before it: descending.")] = None,
) -> Paging:
    """Read the parameters; a dependency."""
    return Paging(limit=limit, cursor=cursor, sort=sort)


def page(paging: Paging, sorts: Mapping[str, tuple[Kind, ...]], *filters: object) -> Page:
    """Check the parameters against one list.

    Args:
        paging: as sent.
        sorts: what the list can be sorted by, with the sort values that a cursor then has; the first one is taken
            where nothing is asked.
        filters: everything else that makes this list this list: path, filters, the asker's branch.

    Raises:
        SortUnknown, CursorUnreadable: as they say.
    """
    wanted = paging.sort or next(iter(sorts))
    name = wanted.removeprefix("-")
    if name not in sorts:
        raise SortUnknown(value=repr(wanted), known=", ".join(sorts), part="query", pointer="#/sort")
    identity = blake2b(msgspec.json.encode([wanted, *map(str, filters)]), digest_size=9).hexdigest()
    after = () if paging.cursor is None else _read(paging.cursor, identity)
    found = Page(paging.limit, name, wanted.startswith("-"), after, sorts[name], identity)
    try:
        found.place()
    except ValueError:
        raise CursorUnreadable(part="query", pointer="#/cursor", value=paging.cursor) from None
    return found


def _read(cursor: str, identity: str) -> tuple[str, ...]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(raw, type=_Place)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise CursorUnreadable(part="query", pointer="#/cursor", value=cursor) from None
    if place.list != identity or not place.after or any("\x00" in value for value in place.after):
        raise CursorUnreadable(part="query", pointer="#/cursor", value=cursor)
    return place.after


def one_page(
    page: Page, rows: Sequence[Any], total: int, show: Callable[[Any], T], key: Callable[[Any], tuple[str, ...]]
) -> Items[T]:
    """A page out of at most `limit + 1` rows that were read for it: one more than fits tells that there is more.

    Args:
        page: what was asked for.
        rows: read after `page.after`.
        total: how many there are in all.
        show: a row as an item.
        key: a row's sort values, as the next cursor gives them back in `page.after`.
    """
    kept = rows[: page.limit]
    after = page.next(*key(kept[-1])) if len(rows) > page.limit else None
    return Items[Any](items=[show(row) for row in kept], next=after, total=total)


def history_page(paging: Paging, happened: Sequence[T], of: str) -> Items[T]:
    """A page of a history that was read whole; what happens while one turns the pages moves nothing.

    Args:
        paging: as sent; sorted by `at`, or `-at` with the newest first.
        happened: all of it, the oldest first.
        of: whose history.

    Raises:
        SortUnknown, CursorUnreadable: as they say.
    """
    wanted = page(paging, {"at": (whole,)}, of)
    places = range(len(happened))
    if wanted.after:
        (place,) = wanted.place()
        places = places[:place] if wanted.descending else places[place + 1 :]
    rows = (places[::-1] if wanted.descending else places)[: wanted.limit + 1]
    return one_page(wanted, rows, len(happened), lambda row: happened[row], lambda row: (str(row),))
