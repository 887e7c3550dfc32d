"""How many there are of what is wanted, as a sample of the numbers has it (N11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trunkline_numbers.projections.number import VIEW
from trunkline_numbers.queries.filters import Condition, Conditions
from trunkline_numbers.queries.page_window import Slice, SqlAndParams, where

Fetch = Callable[[str, Sequence[Any]], list[Any]]
BLOCKS: Final = 250
RUNS, RUN = 40, 40
_HITS, _PLACES = 25, 10
"""So many in all runs together, and in runs from so many blocks, do not come about by chance."""
_FAR: Final = 4
"""So many times the bound that the estimate may be wrong by far."""
_NONE: Final[SqlAndParams] = ("true", ())


@dataclass(frozen=True)
class Sample:
    """What it speaks for.

    Attributes:
        source: the sample itself, as a table `v`.
        numbers: how many there are at all.
        all: how many meet all conditions.
        each: each condition, and how many meet it.
        part: how many have the part of a number.
        own: how many are the principal's own, where it is offered others too; else all.
    """

    source: str
    numbers: float
    all: float
    each: tuple[tuple[Condition, float], ...]
    part: float
    own: float

    @property
    def walks(self) -> list[tuple[Condition, float]]:
        """Conditions that an index has in the order of the numbers, the rarest first."""
        return sorted((one for one in self.each if one[0].walk is not None), key=lambda one: one[1])


def take(fetch: Fetch, conditions: Conditions, part: Slice) -> Sample | None:
    """A sample of some hundred blocks, the same ones until the table has grown; None where it is small anyway."""
    ((table, size),) = fetch(
        "SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class WHERE oid = (SELECT to_regclass(name || '_g' ||"
        " generation) FROM projections WHERE name = %s AND status = 'active')",
        (VIEW.name,),
    )
    if size <= BLOCKS:
        return None
    percent = 100.0 * BLOCKS / size
    source = f"{table} v TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"
    own = [(c.sql, c.params) for one in conditions.all for way in one.ways[-1:] for c in way] or [_NONE]
    parts = [*((c.sql, c.params) for c in conditions.all), *(conditions.like("v") or [_NONE])]
    parts += [*(part.old_enough() or [_NONE]), *own]
    # Each is evaluated once for each number: a branch may have a hundred parties.
    flags = ", ".join(f"{text} AS c{index}" for index, (text, _) in enumerate(parts))
    every = " AND ".join(f"c{index}" for index in range(len(parts) - 1))
    counts = ", ".join(f"count(*) FILTER (WHERE {text})" for text in (every, *(f"c{n}" for n in range(len(parts)))))
    within, limits = where(conditions.between("v"))
    params = [value for _, given in parts for value in given]
    (hits,) = fetch(
        f"SELECT count(*), {counts} FROM (SELECT {flags} FROM {source}{within} OFFSET 0) each", (*params, *limits)
    )
    numbers, all_, *each = (hit * 100.0 / percent for hit in hits)
    return Sample(source, numbers, all_, tuple(zip(conditions.all, each, strict=False)), each[-3], each[-1])


def many(fetch: Fetch, conditions: Conditions, part: Slice, sample: Sample, bound: int) -> float | None:
    """How many there are, if they are certainly more than `bound`.

    Looked for in short runs along the rarest filter's index, each from a number in the sample: as many drawn from all
    numbers would hold far fewer of them. None: that is not known.
    """
    if not sample.walks or sample.all < _FAR * bound:
        return None
    way, count = sample.walks[0]
    if count * _HITS > RUNS * RUN * sample.all:
        return None
    table, own, view = (
        ("l", way.of_listing(), "listing_view l") if way.walk == "l" else ("v", (way.sql, way.params), "number_view v")
    )
    begun, first = where([(way.sql, way.params), *conditions.between("v")])
    run, along = where([own, *conditions.between(table)])
    meets, params = where([*conditions.clauses(), *part.old_enough()])
    ((places, seen, different, hits),) = fetch(
        f"SELECT count(DISTINCT s.block) FILTER ({meets}), count(*), count(DISTINCT w.key), count(*) FILTER ({meets})"
        " FROM"
        f" (SELECT v.key, (v.ctid::text::point)[0] AS block FROM {sample.source}{begun}"
        f" ORDER BY hashtext(v.key) LIMIT {RUNS}) s CROSS JOIN LATERAL"
        f" (SELECT {table}.key FROM {view}{run} AND {table}.key >= s.key ORDER BY {table}.key LIMIT {RUN}) w"
        " JOIN number_view v ON v.key = w.key",
        (*params, *params, *first, *along),
    )
    # What came all at once may fill a block of the sample: it looks like much, but its runs meet each other.
    if places < _PLACES or hits < _HITS or different < 0.8 * seen:
        return None
    found = count * float(hits) / float(seen)
    return found if found >= _FAR * bound else None
