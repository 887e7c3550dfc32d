"""Where all numbers that are asked for are found, to be counted (N11): as SQL, through the rarest filters' indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from trunkline_numbers.queries.filters import Condition, Conditions
from trunkline_numbers.queries.page_window import Said, Slice, where
from trunkline_numbers.queries.row_estimates import Sample

_ALIKE: Final = 16
"""A filter with so many times more numbers than the rarest is asked of these, instead of read from its index."""
_Counted = tuple[Condition, float]


def statements(asked: Conditions, part: Slice, sample: Sample, few: int) -> Iterator[Said]:
    """Queries for the keys of all numbers found: together they have each at least once.

    Args:
        asked: what they meet.
        part: up to when they came.
        sample: how many meet each.
        few: so many of the asker's own are looked for apart from those that it is offered.
    """
    for wanted, of_few in _alternatives(asked, sample, few):
        lives = [count for c, count in wanted if c.walk == "v"]
        alone = not _listed(asked, wanted)
        if of_few or (alone and len(lives) != 1):
            yield _plain(asked, part, wanted)
        elif alone or (lives and _sooner(min(lives), asked, wanted, sample)):
            yield _by_life(asked, part, wanted)
        else:
            yield _by_listing(asked, part, wanted, sample)


def _listed(asked: Conditions, wanted: Sequence[_Counted]) -> bool:
    return any(c.listed is not None for c, _ in wanted) or _has_index(asked)


def _has_index(asked: Conditions) -> bool:
    return asked.part is not None and asked.part.listed is not None


def _sooner(life: float, asked: Conditions, wanted: Sequence[_Counted], sample: Sample) -> bool:
    """Whether an index of what changes leaves few rows to read: it has the number, and so a part of it, in itself."""
    listed = min((count for c, count in wanted if c.listed is not None), default=sample.numbers + 1)
    return 4 * life < listed and (not _has_index(asked) or life < 10 * sample.part)


def _alternatives(asked: Conditions, sample: Sample, few: int) -> Iterator[tuple[list[_Counted], bool]]:
    """The conditions, and whether one of them leaves few: what is offered has no index in common with what is own."""
    either = [c for c in asked.all if c.ways]
    if not either or sample.own > few:
        yield list(sample.each), False
        return
    others = [(c, count) for c, count in sample.each if not c.ways]
    for way in either[0].ways:
        known = [c for c, _ in others]
        more = [(c, sample.numbers) for c in way if c not in known]
        yield [*others, *more], any(c.led for c in way)


def _plain(asked: Conditions, part: Slice, wanted: Sequence[_Counted]) -> Said:
    said = [*((c.said, c.params) for c, _ in wanted), *asked.like("v"), *asked.between("v"), *part.old_enough()]
    text, params = where(said)
    return f"SELECT v.key FROM number_view v{text}", params


def _by_life(asked: Conditions, part: Slice, wanted: Sequence[_Counted]) -> Said:
    """The index of the rarest tells enough: only the rows of what is left then are read."""
    lead = min(((c, count) for c, count in wanted if c.walk == "v"), key=lambda one: one[1])[0]
    first = [lead, *_told_by(lead, wanted)]
    inner, before = where([*((c.said, c.params) for c in first), *asked.like("v"), *asked.between("v")])
    rest, after = where([*((c.said, c.params) for c, _ in wanted if c not in first), *part.old_enough()])
    if not rest:
        return f"SELECT v.key FROM number_view v{inner}", before
    keys = f"(SELECT v.key FROM number_view v{inner} OFFSET 0) w"
    return f"SELECT v.key FROM {keys} JOIN number_view v ON v.key = w.key{rest}", (*before, *after)


def _told_by(life: Condition, wanted: Sequence[_Counted]) -> list[Condition]:
    """The index of the states has owners and stocks, too."""
    return [c for c, _ in wanted if c.own and not c.ways] if life.state else []


def _by_listing(asked: Conditions, part: Slice, wanted: Sequence[_Counted], sample: Sample) -> Said:
    """What a number is, then, by an index alone, what it is in its life; rows only for what that does not tell."""
    listed = [(c.of_listing(), count) for c, count in wanted if c.listed is not None]
    listed += [(asked.part.listed, sample.part)] if asked.part is not None and asked.part.listed is not None else []
    rarest = min(count for _, count in listed)
    lead = [said for said, count in listed if count <= _ALIKE * max(rarest, 1)]
    said = [said for said, _ in listed if said not in lead]
    first = [*lead, *asked.like("l"), *asked.between("l")]
    if said:
        inner, before = where(first)
        source = f"(SELECT * FROM listing_view l{inner} OFFSET 0) l"
    else:
        source, before, said = "listing_view l", (), first
    told: list[Condition] = []
    for place, life in enumerate(c for c, _ in wanted if c.listed is None and c.walk == "v"):
        source += f" JOIN number_view s{place} ON s{place}.key = l.key"
        here = [life, *_told_by(life, wanted)]
        said += [(c.said.replace("v.", f"s{place}."), c.params) for c in here]
        told += here
    rest = [(c.said, c.params) for c, _ in wanted if c.listed is None and c not in told] + part.old_enough()
    source += " JOIN number_view v ON v.key = l.key" if rest else ""
    text, params = where([*said, *rest])
    return f"SELECT l.key FROM {source}{text}", (*before, *params)
