"""Numbers found: a page of them in order, and how many there are (N11, N1).

What is common is found by walking along the numbers, or along an index that has some of them in the same order, and
leaving out what does not fit; what is rare by gathering all of it and sorting that. A sample says which it is.
PostgreSQL left to itself supposes that what is looked for is spread evenly over all numbers, which it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from trunkline.store import Connection, Store
from trunkline_numbers.number import Number
from trunkline_numbers.views.number_view import VIEW
from trunkline_numbers.views.wanted import Condition, Conditions

EXACT_TO: Final = 500
"""At least up to so many are counted; how many more there are may be estimated."""
COMMON: Final = 8 * EXACT_TO
"""Where a sample speaks for as many, they are more than `EXACT_TO`, and are not counted."""
SAMPLE_BLOCKS: Final = 1_000
SHORT_WALK, LONG_WALK = 500, 3_000
"""Candidates looked at on a way before the next way is tried."""
Sort = Literal["number", "available_since"]
_read: Final = msgspec.msgpack.Decoder(Number).decode
_SHOWN: Final = "v.key, v.version, v.folded"


@dataclass(frozen=True)
class Slice:
    """What part of what is found is wanted.

    Attributes:
        sort: `available_since` only where nothing but Available numbers is asked for.
        after: the number to go on after; None: from the beginning.
        since: with that sort, since when that number is Available.
        upto: with that sort, only those Available since then or longer: who became so while one turned the pages would
            come up twice.
    """

    limit: int
    sort: Sort = "number"
    descending: bool = False
    after: str | None = None
    since: datetime | None = None
    upto: datetime | None = None

    @property
    def rows(self) -> int:
        """To be read: one more than fits tells that there is more."""
        return self.limit + 1

    @property
    def order(self) -> tuple[str, ...]:
        """The columns it is sorted by."""
        return ("available_since", "key") if self.sort == "available_since" else ("key",)

    def by(self, table: str) -> str:
        """ORDER BY."""
        direction = "DESC" if self.descending else "ASC"
        return "ORDER BY " + ", ".join(f"{table}.{column} {direction}" for column in self.order)


@dataclass(frozen=True)
class Total:
    """How many there are; the estimate is in round figures."""

    value: int
    is_: Literal["exact", "estimate"] = "exact"


@dataclass(frozen=True)
class Found:
    """One number found, and its version."""

    number: Number
    version: int


Said = tuple[str, tuple[Any, ...]]


def read_first(store: Store, asked: Conditions, part: Slice) -> tuple[list[Found], Total]:
    """The first page, at most `limit + 1` numbers, and how many there are.

    The estimate is taken from rows that meet the conditions, the asker's branch among them: it tells nothing of what
    others have (P2).
    """
    with _connection(store) as conn:
        search = _Search(conn, asked, part)
        estimate = search.estimate()
        if estimate is None or estimate < search.common:
            rows, count = search.gather()
            return _found(rows), Total(count)
        return _found(search.walk()), Total(_rounded(estimate), "estimate")


def read_next(store: Store, asked: Conditions, part: Slice, total: Total) -> list[Found]:
    """A page after the first; `total` as the first one told it."""
    with _connection(store) as conn:
        search = _Search(conn, asked, part)
        return _found(search.walk() if total.is_ == "estimate" else search.gather()[0])


_SETTINGS: Final = (
    b"SET TRANSACTION READ ONLY; SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '16MB';"
    b" SET LOCAL max_parallel_workers_per_gather = 0"  # the other cores have other work
)


@contextmanager
def _connection(store: Store) -> Iterator[Connection]:
    """A snapshot that is planned for as if most of what is read were in memory: an index is then worth its price."""
    with store.connection() as conn, conn.transaction():
        conn.execute(_SETTINGS)
        yield conn


def _found(rows: Sequence[Any]) -> list[Found]:
    return [Found(_read(folded), version) for _, version, folded in rows]


def _rounded(value: float) -> int:
    """To two digits: it is not known better."""
    return int(float(f"{value:.1e}"))


class _Search:
    """One search on one connection."""

    def __init__(self, conn: Connection, asked: Conditions, part: Slice) -> None:
        self._conn, self._asked, self._part = conn, asked, part

    @property
    def common(self) -> int:
        """From how many on a sample is believed: numbers that begin alike lie in the same few blocks."""
        return 5 * COMMON if self._asked.ranges else COMMON

    def estimate(self) -> float | None:
        """How many there are, by a sample of the table's blocks; None where the table is small."""
        ((table, size),) = self._fetch(
            "SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class WHERE oid = (SELECT to_regclass(name || '_g' ||"
            " generation) FROM projections WHERE name = %s AND status = 'active')",
            (VIEW.name,),
        )
        if size <= SAMPLE_BLOCKS:
            return None
        percent = 100.0 * SAMPLE_BLOCKS / size
        where, params = _all([*self._said(), *self._ranges("v"), *self._upto()])
        sample = f"{table} v TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"
        ((hits,),) = self._fetch(f"SELECT count(*) FROM {sample}{where}", params)
        return float(hits * 100.0 / percent)

    def gather(self) -> tuple[list[Any], int]:
        """All that there are, counted, and the first of those after the slice's beginning."""
        listed = [c for c in self._asked.all if c.listed is not None]
        both = bool(listed) and (len(listed) < len(self._asked.all) or self._part.sort != "number")
        said = [c.of_listing() if c.listed is not None else (c.said, c.params) for c in self._asked.all]
        table = "l" if listed else "v"
        source = "listing_view l" if listed else "number_view v"
        source += " JOIN number_view v ON v.key = l.key" if both else ""
        said += self._ranges(table) + (self._ranges("v") if both else []) + self._upto()
        where, params = _all(said)
        columns = ", ".join(f"{'v' if column != 'key' else table}.{column}" for column in self._part.order)
        beyond, more = _all(self._beyond("m"))
        rows = self._fetch(
            f"WITH m AS MATERIALIZED (SELECT {columns} FROM {source}{where}),"
            f" part AS (SELECT * FROM m{beyond} {self._part.by('m')} LIMIT %s)"
            f" SELECT (SELECT count(*) FROM m), {_SHOWN} FROM (SELECT) one"
            f" LEFT JOIN (part m JOIN number_view v ON v.key = m.key) ON true {self._part.by('m')}",
            (*params, *more, self._part.rows),
        )
        return [row[1:] for row in rows if row[1] is not None], int(rows[0][0])

    def walk(self) -> list[Any]:
        """The first ones after the slice's beginning, by whichever way comes to enough of them first."""
        part = self._part
        for most in (SHORT_WALK, LONG_WALK):
            for way in self._ways():
                rows = self._along(way, max(most, 10 * part.rows))
                if len(rows) == part.rows:
                    return rows
        return self.gather()[0]

    def _ways(self) -> Iterator[Condition | None]:
        """Ways along the numbers in order: all of them, or those that meet one condition."""
        yield None
        if self._part.sort == "number":
            yield from (condition for condition in self._asked.all if condition.walk is not None)

    def _along(self, way: Condition | None, most: int) -> list[Any]:
        part = self._part
        table = "v" if way is None or way.walk is None else way.walk
        begin: list[Said] = []
        if way is not None:
            begin.append(way.of_listing() if table == "l" else (way.said, way.params))
        elif part.sort == "available_since":
            begin.append(("v.state = 'available'", ()))
        begin += [*self._ranges(table), *(self._upto() if table == "v" else []), *self._beyond(table)]
        first, before = _all(begin)
        where, params = _all(self._said())
        view = "number_view" if table == "v" else "listing_view"
        inner = f"(SELECT * FROM {view} {table}{first} {part.by(table)} LIMIT {most}) {table}"
        join = " JOIN number_view v ON v.key = l.key" if table == "l" else ""
        sql = f"SELECT {_SHOWN} FROM {inner}{join}{where} {part.by(table)} LIMIT %s"
        return self._fetch(sql, (*before, *params, part.rows))

    def _said(self) -> list[Said]:
        return [(condition.said, condition.params) for condition in self._asked.all]

    def _ranges(self, table: str) -> list[Said]:
        return [(f"{table}.key >= %s AND {table}.key < %s", limits) for limits in self._asked.ranges]

    def _upto(self) -> list[Said]:
        return [] if self._part.upto is None else [("v.available_since <= %s", (self._part.upto,))]

    def _beyond(self, table: str) -> list[Said]:
        part, sign = self._part, "<" if self._part.descending else ">"
        if part.after is None:
            return []
        if part.sort == "available_since":
            return [(f"({table}.available_since, {table}.key) {sign} (%s, %s)", (part.since, part.after))]
        return [(f"{table}.key {sign} %s", (part.after,))]

    def _fetch(self, sql: str, params: Sequence[Any]) -> list[Any]:
        """Planned for these very values: what is rare here is common there."""
        return self._conn.execute(sql.encode(), params, binary=True, prepare=False).fetchall()


def _all(said: Sequence[Said]) -> Said:
    """WHERE, with its parameters."""
    if not said:
        return "", ()
    return " WHERE " + " AND ".join(text for text, _ in said), tuple(value for _, given in said for value in given)
