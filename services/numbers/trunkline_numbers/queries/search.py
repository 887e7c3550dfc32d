"""Numbers found: a page of them in order, and how many there are (N11, N1).

What is common is found by walking along an index that has some of the numbers in their order and leaving out what does
not fit; what is rare by gathering all of it and sorting that. A sample decides which it is, and what to walk along
(`row_estimates.py`): PostgreSQL left to itself supposes that what is looked for is spread evenly over all numbers,
which it is not. What lies between is counted as far as need be (`counts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from trunkline.eventstore.event_store import Connection
from trunkline_numbers.queries.counts import statements
from trunkline_numbers.queries.filters import Condition, Conditions
from trunkline_numbers.queries.page_window import Slice, SqlAndParams, where
from trunkline_numbers.queries.row_estimates import Sample, many, take

EXACT_TO: Final = 200
"""At least up to so many are counted; how many more there are may be estimated."""
COMMON: Final = 4_000
"""Where a sample speaks for as many, they are more than `EXACT_TO`, and are not counted."""
FEW: Final = 2_000
"""Where one condition leaves so few, all of them are looked at."""
LONG_WALK: Final = 4_000
"""Candidates looked at on a way before another way is tried."""
_SHOWN: Final = "v.key, v.version, v.folded"


@dataclass(frozen=True)
class Total:
    """How many there are; the estimate is in round figures."""

    value: int
    is_: Literal["exact", "estimate"] = "exact"


class Search:
    """One search on one connection."""

    def __init__(self, conn: Connection, conditions: Conditions, part: Slice) -> None:
        self._conn, self._conditions, self._part = conn, conditions, part

    def sample(self) -> Sample | None:
        """A sample of what is wanted; None: there are so few numbers that all of them are looked at."""
        return take(self._fetch, self._conditions, self._part)

    def first(self, sample: Sample | None) -> tuple[list[Any], Total]:
        """A page, and how many there are: as long as there are few, exactly."""
        if sample is None or self._fewest(sample) <= FEW:
            rows, count = self._gather(sample)
            return rows, Total(count)
        found = sample.all
        if found < (5 * COMMON if self._conditions.ranges else COMMON):  # those that begin alike lie close
            surely = many(self._fetch, self._conditions, self._part, sample, EXACT_TO)
            if surely is None:
                keys = self._some(sample)
                if len(keys) <= EXACT_TO:
                    return self._these(keys), Total(len(keys))
            return self._walk(sample), Total(max(_rounded(surely or found), EXACT_TO + 1), "estimate")
        return self._walk(sample), Total(_rounded(found), "estimate")

    def next(self, sample: Sample | None, *, counted: bool) -> list[Any]:
        """A page after the first; `counted`: that found few, and so they may all be looked at again."""
        if sample is None or self._fewest(sample) <= FEW:
            return self._gather(sample)[0]
        if counted:
            keys = self._some(sample)
            if len(keys) <= EXACT_TO:
                return self._these(keys)
        return self._walk(sample)

    def _fewest(self, sample: Sample) -> float:
        """How many the rarest condition leaves that an index leads to."""
        led = [count for c, count in sample.each if c.walk is not None or c.led]
        part = [sample.part] if self._conditions.part is not None and self._conditions.part.listed is not None else []
        return min([*led, *part, sample.numbers])

    def _source(self, sample: Sample | None) -> tuple[str, str, list[SqlAndParams]]:
        """The table that has the keys, what to read from, and what must hold: for all that there are."""
        all_, part = self._conditions.all, self._conditions.part
        listed = [c for c in all_ if c.listed is not None]
        # An index of the parts of a number is slow to read: another one that leaves not many more is better.
        led = part is not None and part.listed is not None and sample is not None and not self._rarer(sample)
        from_listing = bool(listed) or led
        both = from_listing and (len(listed) < len(all_) or self._part.sort != "number")
        table = "l" if from_listing else "v"
        source = "listing_view l" if from_listing else "number_view v"
        source += " JOIN number_view v ON v.key = l.key" if both else ""
        parts = [c.of_listing() if c.listed is not None else (c.sql, c.params) for c in all_]
        parts += [part.listed] if led and part is not None and part.listed is not None else []
        for name in ("l", "v") if both else (table,):
            parts += [*self._conditions.like(name), *self._conditions.between(name)]
        return table, source, [*parts, *self._part.old_enough()]

    def _rarer(self, sample: Sample) -> bool:
        counts = [count for c, count in sample.each if c.walk is not None or c.led]
        return min(counts, default=sample.numbers + 1) <= 10 * sample.part

    def _gather(self, sample: Sample | None, *, going_on: bool = False) -> tuple[list[Any], int]:
        """All that there are, counted, and the first of those after the slice's beginning; `going_on`: these alone."""
        table, source, parts = self._source(sample)
        parts += self._part.beyond(table if self._part.sort == "number" else "v") if going_on else []
        all_, params = where(parts)
        columns = ", ".join(f"{'v' if column != 'key' else table}.{column}" for column in self._part.order)
        beyond, more = where(self._part.beyond("m"))
        rows = self._fetch(
            f"WITH m AS MATERIALIZED (SELECT {columns} FROM {source}{all_}),"
            f" part AS (SELECT * FROM m{beyond} {self._part.by('m')} LIMIT %s)"
            f" SELECT (SELECT count(*) FROM m), {_SHOWN} FROM (SELECT) one"
            f" LEFT JOIN (part m JOIN number_view v ON v.key = m.key) ON true {self._part.by('m')}",
            (*params, *more, self._part.rows),
        )
        return [row[1:] for row in rows if row[1] is not None], int(rows[0][0])

    def _some(self, sample: Sample) -> list[str]:
        """All that there are, or one more than is counted."""
        found: dict[str, None] = {}
        for sql, params in statements(self._conditions, self._part, sample, FEW):
            with self._conn.cursor(name="found") as cursor:
                cursor.execute(sql.encode(), params, binary=True)
                while len(found) <= EXACT_TO and (rows := cursor.fetchmany(EXACT_TO + 1)):
                    found.update((key, None) for (key,) in rows)
        return list(found)

    def _these(self, keys: list[str]) -> list[Any]:
        """Those of some numbers that are in the slice."""
        parts, params = where([("v.key = ANY(%s)", (keys,)), *self._part.beyond("v")])
        return self._fetch(
            f"SELECT {_SHOWN} FROM number_view v{parts} {self._part.by('v')} LIMIT %s", (*params, self._part.rows)
        )

    def _walk(self, sample: Sample) -> list[Any]:
        """The first ones after the slice's beginning, by whichever way should come to enough of them first."""
        ways = self._ways(sample)
        known = [way for way, _ in ways if way is not None] if self._part.sort == "number" else []
        begin = self._begin(known) if len(known) > 1 else []  # the index of one alone begins there anyway
        if begin is None:
            return []
        longest = max(LONG_WALK, 10 * self._part.rows)
        walked: dict[int, int] = {}
        for so_far in (4, longest):  # as far as should do, were they spread evenly; then as far as it pays
            for index, (way, count) in enumerate(ways[:2]):
                most = int(min(so_far * self._part.rows * max(1.0, count / max(sample.all, 1.0)), longest))
                if walked.get(index, 0) >= most:
                    continue
                walked[index] = most
                rows = self._along(way, begin, most)
                if begin and self._part.rows <= 2 * len(rows) < 2 * self._part.rows:  # so near that it pays to go on
                    rows += self._along(way, [rows[-1][0]], most)[1:]
                if len(rows) >= self._part.rows:
                    return rows[: self._part.rows]
        self._conn.execute(b"SET LOCAL enable_hashjoin = on")  # all of many is read now
        return self._gather(sample, going_on=True)[0]

    def _ways(self, sample: Sample) -> list[tuple[Condition | None, float]]:
        """Ways along the numbers in order, and how many each has: those that meet one condition, the rarest first."""
        everywhere = (None, sample.numbers)
        return [everywhere] if self._part.sort != "number" else [*sample.walks, everywhere]

    def _begin(self, ways: Sequence[Condition]) -> list[str] | None:
        """Before which number none is that meets them all: numbers of a country lie together, and so do its SKUs.

        Returns:
            That number, if there are ways; None: no number meets them all.
        """
        part, first = self._part, "max" if self._part.descending else "min"
        bounds: list[SqlAndParams] = []
        for way in ways:
            table = way.walk or "v"
            own = way.of_listing() if table == "l" else (way.sql, way.params)
            parts, params = where([own, *self._conditions.between(table), *part.beyond(table)])
            view = "listing_view l" if table == "l" else "number_view v"
            bounds.append((f"(SELECT {first}({table}.key) FROM {view}{parts})", params))
        if not bounds:
            return []
        values = [value for _, given in bounds for value in given]
        (ends,) = self._fetch(f"SELECT {', '.join(text for text, _ in bounds)}", values)
        if None in ends:
            return None
        return [min(ends) if part.descending else max(ends)]

    def _along(self, way: Condition | None, start: list[str], most: int) -> list[Any]:
        part, like = self._part, self._conditions.part is not None
        by_number = part.sort == "number"
        table = "l" if by_number and (way.walk == "l" if way is not None else like) else "v"
        begin: list[SqlAndParams] = []
        if way is not None:
            begin.append(way.of_listing() if table == "l" else (way.sql, way.params))
        elif not by_number:
            begin.append(("v.state = 'available'", ()))
        begin += [(f"{table}.key {'<=' if part.descending else '>='} %s", (key,)) for key in start]
        begin += [*self._conditions.between(table), *(part.old_enough() if table == "v" else []), *part.beyond(table)]
        # An index alone has the keys, and so the parts of a number; whole rows are read only of what is left then.
        keys_only = by_number and (table == "l" or like)
        begin += self._conditions.like(table) if keys_only else []
        first, before = where(begin)
        parts, params = where([*self._conditions.clauses(), *part.old_enough()])
        view = "number_view" if table == "v" else "listing_view"
        inner = f"(SELECT {table}.key FROM {view}" if keys_only else f"(SELECT * FROM {view}"
        inner = f"{inner} {table}{first} {part.by(table)} LIMIT {most}) {'w' if keys_only else 'v'}"
        join = " JOIN number_view v ON v.key = w.key" if keys_only else ""
        sql = f"SELECT {_SHOWN} FROM {inner}{join}{parts} {part.by('w' if keys_only else 'v')} LIMIT %s"
        return self._fetch(sql, (*before, *params, part.rows))

    def _fetch(self, sql: str, params: Sequence[Any]) -> list[Any]:
        """Planned for these very values: what is rare here is common there."""
        return self._conn.execute(sql.encode(), params, binary=True, prepare=False).fetchall()


def _rounded(value: float) -> int:
    """To two digits: it is not known better."""
    return int(float(f"{value:.1e}"))
