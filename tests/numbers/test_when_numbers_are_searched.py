"""When numbers are searched: any mix of filters finds what it should, in pages, for whoever may see it (N11, P2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.numbers.stock import (
    DOMAINS,
    NOW,
    PARTIES,
    SUBSCRIPTIONS,
    drawn,
    folded,
    keep,
    meets,
    open_views,
    scope,
    seen,
)
from trunkline.clock import DAY
from trunkline.refusal import Refused
from trunkline.store import Store
from trunkline_numbers.number import NUMBER, Number
from trunkline_numbers.number_events import NumberReleased, NumberReserved
from trunkline_numbers.views import search
from trunkline_numbers.views.search import Found, Total, read_first, read_next
from trunkline_numbers.views.slices import Slice, Sort
from trunkline_numbers.views.wanted import Pattern, Wanted, conditions, read_pattern

LIVES = drawn(400, seed=11)
NUMBERS = folded(LIVES)
SIGHT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def store(databases: Any) -> Iterator[Store]:
    """400 numbers of every kind."""
    url = databases.create()
    found = open_views(url)
    keep(found, LIVES.items())
    with found.connection() as conn:
        conn.execute("ANALYZE")
    yield found
    found.close()
    databases.drop(url)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    """A filter that is mostly not asked for."""
    return st.none() | st.none() | st.sampled_from(values)


PATTERNS = [read_pattern(text) for text in ("65", "+44", "+651*", "*8", "*88", "*1*", "*88*", "*123*", "*2345*")]
WANTED = st.builds(
    Wanted,
    states=st.just(()) | st.lists(st.sampled_from(("available", "reserved", "assigned", "locked", "deleted")),
                                  max_size=3, unique=True).map(tuple),
    sku=one_of("=SKU", "B", "none"),
    pattern=one_of(*PATTERNS),
    capabilities=st.just(()) | st.lists(st.sampled_from(("voice", "fax", "sms")), max_size=2).map(tuple),
    vendor=one_of("Carrier, One", "@two"),
    country=one_of("SG", "GB"),
    routing=one_of("r1"),
    golden=one_of(True, False),
    ported_in=one_of(True, False),
    domain=one_of(*(domain for domains in DOMAINS.values() for domain in domains)),
    subscription=one_of(*SUBSCRIPTIONS),
    owner=one_of(*PARTIES),
    holder=one_of(*PARTIES),
    uploader=one_of(*PARTIES),
    bound=one_of(True, False),
    available_since=one_of(NOW - 100 * DAY, NOW - 300 * DAY),
)  # fmt: skip
ASKERS = st.sampled_from((None, None, *PARTIES))


def pages(store: Store, wanted: Wanted, asker: str | None, part: Slice) -> tuple[list[Number], Total]:
    """Everything found, page by page, as the door turns them."""
    asked = conditions(wanted, scope(asker))
    rows, total = read_first(store, asked, part)
    found: list[Found] = []
    while True:
        found += rows[: part.limit]
        if len(rows) <= part.limit:
            return [row.number for row in found], total
        last = found[-1].number
        since = getattr(last.life, "since", None) if part.sort == "available_since" else None
        rows = read_next(
            store, asked, Slice(part.limit, part.sort, part.descending, last.number, since, part.upto), total
        )


def expected(wanted: Wanted, asker: str | None) -> list[Number]:
    """What should be found, in order."""
    return [n for n in NUMBERS if seen(n, asker) and meets(n, wanted, asker)]


@SIGHT
@given(wanted=WANTED, asker=ASKERS, limit=st.sampled_from((1, 7, 50, 500)), descending=st.booleans())
def test_then_any_mix_of_filters_finds_what_it_should_and_nothing_foreign(
    store: Store, wanted: Wanted, asker: str | None, limit: int, descending: bool
) -> None:
    """N11, P2: the same as asking each number in turn, by the gate of every other door; counted exactly."""
    found, total = pages(store, wanted, asker, Slice(limit, descending=descending))
    right = expected(wanted, asker)
    assert found == (right[::-1] if descending else right)
    assert total == Total(len(right))


@SIGHT
@given(wanted=WANTED, asker=ASKERS, limit=st.sampled_from((1, 7, 50)), descending=st.booleans())
def test_then_what_is_common_is_found_by_walking_and_its_number_estimated(
    store: Store, wanted: Wanted, asker: str | None, limit: int, descending: bool
) -> None:
    """N11: the same items in the same order; what is told of their number comes from rows that the asker may see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SAMPLE_BLOCKS", 1)
        patch.setattr(search, "COMMON", 0)
        patch.setattr(search, "FEW", -1)
        patch.setattr(search, "LONG_WALK", 60)
        found, total = pages(store, wanted, asker, Slice(limit, descending=descending))
    right = expected(wanted, asker)
    assert found == (right[::-1] if descending else right)
    assert total.is_ == "estimate"
    assert right or total.value == 0


@SIGHT
@given(wanted=WANTED, asker=ASKERS, descending=st.booleans())
def test_then_what_may_be_few_is_counted_up_to_a_bound(
    store: Store, wanted: Wanted, asker: str | None, descending: bool
) -> None:
    """N11: exact to the bound, whatever the sample says; marked as an estimate beyond it, and more than the bound."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SAMPLE_BLOCKS", 1)
        patch.setattr(search, "FEW", -1)
        patch.setattr(search, "EXACT_TO", 20)
        found, total = pages(store, wanted, asker, Slice(7, descending=descending))
    right = expected(wanted, asker)
    assert found == (right[::-1] if descending else right)
    if len(right) <= 20:
        assert total == Total(len(right))
    else:
        assert total.is_ == "estimate"
        assert total.value > 20


@SIGHT
@given(wanted=WANTED, asker=ASKERS, limit=st.sampled_from((1, 7, 50)), descending=st.booleans(), common=st.booleans())
def test_then_available_numbers_can_be_sorted_by_how_long_they_are(
    store: Store, wanted: Wanted, asker: str | None, limit: int, descending: bool, common: bool
) -> None:
    """N1, N11: Available for how long is tracked, filtered and sorted by."""
    wanted = Wanted(**{**{f: getattr(wanted, f) for f in wanted.__dataclass_fields__}, "states": ("available",)})
    with pytest.MonkeyPatch.context() as patch:
        if common:
            patch.setattr(search, "SAMPLE_BLOCKS", 1)
            patch.setattr(search, "COMMON", 0)
        found, _ = pages(store, wanted, asker, Slice(limit, "available_since", descending, upto=NOW))
    right = sorted(expected(wanted, asker), key=lambda n: (n.life.since, n.number), reverse=descending)  # type: ignore[union-attr]
    assert found == right


@pytest.mark.parametrize(
    ("text", "digits", "place"),
    [
        ("65", "65", "begin"), ("+65", "65", "begin"), ("+65*", "65", "begin"), ("65*", "65", "begin"),
        (" 65", "65", "begin"), ("*888", "888", "end"), ("*88*", "88", "within"),
    ],
)  # fmt: skip
def test_then_a_pattern_is_a_beginning_an_end_or_a_part(text: str, digits: str, place: Any) -> None:
    """N11: `65`, `+65` and `+65*` are prefixes; `*888`, `*88*` also work; a URL's `+` may come as a space."""
    assert read_pattern(text) == Pattern(digits, place)


@pytest.mark.parametrize("text", ["", "*", "**", "+", "6*5", "*+65", "a", "6?", "٦٥", "1" * 16, "*65**", "65%"])
def test_then_what_is_no_pattern_is_refused(text: str) -> None:
    """N11, §9: what, where and why."""
    with pytest.raises(Refused, match="no number pattern"):
        read_pattern(text)


@pytest.fixture(scope="module")
def bare(databases: Any) -> Iterator[Store]:
    """Views that each example empties and fills anew."""
    url = databases.create()
    found = open_views(url)
    yield found
    found.close()
    databases.drop(url)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 40),
    sort=st.sampled_from(("number", "available_since")),
    descending=st.booleans(),
    common=st.booleans(),
    moves=st.lists(st.sets(st.integers(0, 99), max_size=50), min_size=1, max_size=6),
)
def test_then_pages_neither_skip_nor_repeat_while_numbers_change(
    bare: Store, limit: int, sort: Sort, descending: bool, common: bool, moves: list[set[int]]
) -> None:
    """N11: what is Available all the time comes up once; what goes and comes back meanwhile comes up once at most."""
    with bare.connection() as conn:
        conn.execute("TRUNCATE number_view_g1, listing_view_g1")
    drawn_lives = list(drawn(130, seed=5).items())
    lives = {number: events[:1] for number, events in drawn_lives if not events[0].legacy}  # type: ignore[attr-defined]
    lives = dict(list(lives.items())[:100])
    keep(bare, lives.items())
    names, changes, at = list(lives), cycle(moves), NOW
    asked = conditions(Wanted(states=("available",)), None)
    upto = NOW if sort == "available_since" else None
    with pytest.MonkeyPatch.context() as patch:
        if common:
            patch.setattr(search, "SAMPLE_BLOCKS", 1)
            patch.setattr(search, "COMMON", 0)
            patch.setattr(search, "FEW", -1)
        rows, total = read_first(bare, asked, Slice(limit, sort, descending, upto=upto))
        found = [row.number for row in rows[:limit]]
        while len(rows) > limit:
            at += timedelta(minutes=1)
            _move(bare, lives, [names[place] for place in sorted(next(changes))], at)
            last = found[-1]
            since = last.life.since if sort == "available_since" else None  # type: ignore[union-attr]
            rows = read_next(bare, asked, Slice(limit, sort, descending, last.number, since, upto), total)
            found += [row.number for row in rows[:limit]]
    came = [n.number for n in found]
    assert len(came) == len(set(came)), "nothing comes up twice"
    moved = {names[place] for places in moves for place in places}
    assert set(lives) - moved <= set(came), "nothing that stayed is left out"


def _move(store: Store, lives: dict[str, list[Any]], moving: list[str], at: Any) -> None:
    """Some become reserved, those that were are released."""
    for number in moving:
        events = lives[number]
        if NUMBER.fold(number, events).state == "available":
            end = at + 28 * DAY
            new: Any = NumberReserved(
                at=at,
                reserver_id="org-own",
                reserver_kind="organization",
                cause="manual",
                ends_at=end,
                free_ends_at=end,
            )
        else:
            new = NumberReleased(at=at, cause="by_hand", reserver_id="org-own")
        keep(store, [(number, [new])], begun=len(events))
        events.append(new)
