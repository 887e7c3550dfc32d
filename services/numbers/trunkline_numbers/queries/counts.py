"""Where all numbers that are wanted are found, to be counted (N11): as SQL, through the rarest filters' indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from trunkline_numbers.queries.filters import Condition, Conditions
from trunkline_numbers.queries.page_window import Slice, SqlAndParams, where
from trunkline_numbers.queries.row_estimates import Sample

_ALIKE: Final = 16
"""A filter with so many times more numbers than the rarest is tested on these, instead of read from its index."""
_Counted = tuple[Condition, float]


def statements(conditions: Conditions, part: Slice, sample: Sample, few: int) -> Iterator[SqlAndParams]:
    """Queries for the keys of all numbers found: together they have each at least once.

    Args:
        conditions: what they meet.
        part: up to when they came.
        sample: how many meet each.
        few: so many of the principal's own are looked for apart from those that it is offered.
    """
    for wanted, of_few in _alternatives(conditions, sample, few):
        lives = [count for c, count in wanted if c.walk == "v"]
        alone = not _listed(conditions, wanted)
        if of_few or (alone and len(lives) != 1):
            yield _plain(conditions, part, wanted)
        elif alone or (lives and _sooner(min(lives), conditions, wanted, sample)):
            yield _by_life(conditions, part, wanted)
        else:
            yield _by_listing(conditions, part, wanted, sample)


def _listed(conditions: Conditions, wanted: Sequence[_Counted]) -> bool:
    return any(c.listed is not None for c, _ in wanted) or _has_index(conditions)


def _has_index(conditions: Conditions) -> bool:
    return conditions.part is not None and conditions.part.listed is not None


def _sooner(life: float, conditions: Conditions, wanted: Sequence[_Counted], sample: Sample) -> bool:
    """Whether an index of what changes leaves few rows to read: it has the number, and so a part of it, in itself."""
    listed = min((count for c, count in wanted if c.listed is not None), default=sample.numbers + 1)
    return 4 * life < listed and (not _has_index(conditions) or life < 10 * sample.part)


def _alternatives(conditions: Conditions, sample: Sample, few: int) -> Iterator[tuple[list[_Counted], bool]]:
    """The conditions, and whether one of them leaves few: what is offered has no index in common with what is own."""
    either = [c for c in conditions.all if c.ways]
    if not either or sample.own > few:
        yield list(sample.each), False
        return
    others = [(c, count) for c, count in sample.each if not c.ways]
    for way in either[0].ways:
        known = [c for c, _ in others]
        more = [(c, sample.numbers) for c in way if c not in known]
        yield [*others, *more], any(c.led for c in way)


def _plain(conditions: Conditions, part: Slice, wanted: Sequence[_Counted]) -> SqlAndParams:
    parts = [*((c.sql, c.params) for c, _ in wanted), *conditions.like("v"), *conditions.between("v")]
    parts += part.old_enough()
    text, params = where(parts)
    return f"SELECT v.key FROM number_view v{text}", params


def _by_life(conditions: Conditions, part: Slice, wanted: Sequence[_Counted]) -> SqlAndParams:
    """The index of the rarest is enough: only the rows of what is left then are read."""
    lead = min(((c, count) for c, count in wanted if c.walk == "v"), key=lambda one: one[1])[0]
    first = [lead, *_in_index_of(lead, wanted)]
    inner, before = where([*((c.sql, c.params) for c in first), *conditions.like("v"), *conditions.between("v")])
    rest, after = where([*((c.sql, c.params) for c, _ in wanted if c not in first), *part.old_enough()])
    if not rest:
        return f"SELECT v.key FROM number_view v{inner}", before
    keys = f"(SELECT v.key FROM number_view v{inner} OFFSET 0) w"
    return f"SELECT v.key FROM {keys} JOIN number_view v ON v.key = w.key{rest}", (*before, *after)


def _in_index_of(life: Condition, wanted: Sequence[_Counted]) -> list[Condition]:
    """The index of the states has owners and stocks, too."""
    return [c for c, _ in wanted if c.own and not c.ways] if life.state else []


def _by_listing(conditions: Conditions, part: Slice, wanted: Sequence[_Counted], sample: Sample) -> SqlAndParams:
    """What a number is, then, by an index alone, what it is in its life; rows only for what the index does not hold."""
    listed = [(c.of_listing(), count) for c, count in wanted if c.listed is not None]
    if conditions.part is not None and conditions.part.listed is not None:
        listed.append((conditions.part.listed, sample.part))
    rarest = min(count for _, count in listed)
    lead = [one for one, count in listed if count <= _ALIKE * max(rarest, 1)]
    parts = [one for one, _ in listed if one not in lead]
    first = [*lead, *conditions.like("l"), *conditions.between("l")]
    if parts:
        inner, before = where(first)
        source = f"(SELECT * FROM listing_view l{inner} OFFSET 0) l"
    else:
        source, before, parts = "listing_view l", (), first
    applied: list[Condition] = []
    for index, life in enumerate(c for c, _ in wanted if c.listed is None and c.walk == "v"):
        source += f" JOIN number_view s{index} ON s{index}.key = l.key"
        here = [life, *_in_index_of(life, wanted)]
        parts += [(c.sql.replace("v.", f"s{index}."), c.params) for c in here]
        applied += here
    rest = [(c.sql, c.params) for c, _ in wanted if c.listed is None and c not in applied] + part.old_enough()
    source += " JOIN number_view v ON v.key = l.key" if rest else ""
    text, params = where([*parts, *rest])
    return f"SELECT l.key FROM {source}{text}", (*before, *params)
