"""When numbers are searched: any mix of filters finds what it should, in pages, for whoever may see it (N11, P2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
from trunkline.errors import Refused
from trunkline.eventstore.event_store import Store
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.queries import inventory, row_estimates, search
from trunkline_numbers.queries.digit_pattern import Pattern, read_pattern
from trunkline_numbers.queries.filters import Conditions, Wanted, conditions
from trunkline_numbers.queries.inventory import Found, Inventory
from trunkline_numbers.queries.page_window import Slice
from trunkline_numbers.queries.row_estimates import Sample
from trunkline_numbers.queries.search import Total

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


def pages(store: Store, wanted: Wanted, subject: str | None, part: Slice) -> tuple[list[Number], Total]:
    """Everything found, page by page, as the door turns them."""
    asked = conditions(wanted, scope(subject))
    numbers = Inventory(store)
    rows, total = numbers.first_page(asked, part)
    found: list[Found] = []
    while True:
        found += rows[: part.limit]
        if len(rows) <= part.limit:
            return [row.number for row in found], total
        last = found[-1].number
        since = getattr(last.life, "since", None) if part.sort == "available_since" else None
        rows = numbers.next_page(
            asked, Slice(part.limit, part.sort, part.descending, last.number, since, part.upto), total
        )


def expected(wanted: Wanted, subject: str | None) -> list[Number]:
    """What should be found, in order."""
    return [n for n in NUMBERS if seen(n, subject) and meets(n, wanted, subject)]


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
        patch.setattr(row_estimates, "BLOCKS", 1)
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
        patch.setattr(row_estimates, "BLOCKS", 1)
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
@given(wanted=WANTED, asker=ASKERS, descending=st.booleans(), few=st.sampled_from((-1, 60)))
def test_then_what_a_sample_shows_to_be_many_is_not_counted(
    store: Store, wanted: Wanted, asker: str | None, descending: bool, few: int
) -> None:
    """N11: the same items; an estimate never stands for what should have been counted, however few are one's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_estimates, "BLOCKS", 15)
        patch.setattr(row_estimates, "RUN", 3)
        patch.setattr(search, "FEW", few)
        patch.setattr(search, "EXACT_TO", 10)
        found, total = pages(store, wanted, asker, Slice(50, descending=descending))
    right = expected(wanted, asker)
    assert found == (right[::-1] if descending else right)
    assert total == Total(len(right)) if len(right) <= 10 else (total.is_ == "exact" or total.value > 10)


@SIGHT
@given(wanted=WANTED, asker=ASKERS, limit=st.sampled_from((1, 7)), wrong=st.sampled_from((0.01, 1, 100)))
def test_then_the_first_pages_sample_serves_the_others_however_wrong_it_has_become(
    store: Store, wanted: Wanted, asker: str | None, limit: int, wrong: float
) -> None:
    """N11: it is taken once, and says which way is the shorter one, not what is found."""
    taken: list[Sample] = []

    def take_once(*asked: Any) -> Sample | None:
        if (said := row_estimates.take(*asked)) is not None:
            each = tuple((condition, count * wrong) for condition, count in said.each)
            taken.append(replace(said, all=said.all * wrong, each=each, own=said.own * wrong))
        return taken[0] if said is not None else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_estimates, "BLOCKS", 1)
        patch.setattr(search, "FEW", 20)
        patch.setattr(search, "take", take_once)
        found, _ = pages(store, wanted, asker, Slice(limit))
    assert found == expected(wanted, asker)
    assert len(taken) == 1


def test_then_no_more_samples_are_kept_than_so_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11, P2: each is kept for the very search it was taken for; the one asked for longest ago is forgotten first."""
    taken: list[Conditions] = []
    monkeypatch.setattr(row_estimates, "BLOCKS", 1)
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(inventory, "SAMPLES", 2)
    monkeypatch.setattr(search, "take", lambda *given: taken.append(given[1]) or row_estimates.take(*given))
    numbers, after = Inventory(store), Slice(5, after="+1")
    by_asker = [
        conditions(Wanted(states=("available",)), scope(principal)) for principal in (None, "org-east-1", "org-own")
    ]
    for place in (0, 1, 0, 2, 0, 1):
        numbers.next_page(by_asker[place], after, Total(1_000, "estimate"))
    assert taken == [by_asker[place] for place in (0, 1, 2, 1)]


@pytest.mark.parametrize("asker", [None, PARTIES[0], "org-east-1"])
@pytest.mark.parametrize("bound", [None, True, False])
@pytest.mark.parametrize("pattern", [None, "*8", "*88*", "*123*"])
def test_then_each_state_is_counted_by_whatever_index_tells_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, asker: str | None, bound: bool | None, pattern: str | None
) -> None:
    """N11: states with what else an index of numbers' lives may tell, from the rarest to the most common."""
    monkeypatch.setattr(row_estimates, "BLOCKS", 15)
    monkeypatch.setattr(row_estimates, "RUNS", 0)
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(search, "EXACT_TO", 500)
    for states in ((), ("available",), ("reserved",), ("assigned",), ("locked", "deleted")):
        for since in (None, NOW - 100 * DAY):
            read = read_pattern(pattern) if pattern else None
            wanted = Wanted(states=states, bound=bound, pattern=read, available_since=since)  # type: ignore[arg-type]
            found, total = pages(store, wanted, asker, Slice(50))
            assert found == expected(wanted, asker)
            assert total == Total(len(found))


def test_then_runs_along_a_filter_spare_the_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """N11: more than a few hundred of what has voice and no binding: known without reading that many."""
    monkeypatch.setattr(row_estimates, "BLOCKS", 15)
    monkeypatch.setattr(row_estimates, "RUN", 2)
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(search, "EXACT_TO", 20)
    monkeypatch.setattr(search, "statements", lambda *_: pytest.fail("counted"))
    wanted = Wanted(capabilities=("voice",), bound=False)
    for principal in (None, PARTIES[0]):
        found, total = pages(store, wanted, principal, Slice(50))
        right = expected(wanted, principal)
        assert found == right
        assert total.is_ == "estimate"
        assert len(right) / 2 < total.value < len(right) * 2


@SIGHT
@given(wanted=WANTED, asker=ASKERS, limit=st.sampled_from((1, 7, 50)), descending=st.booleans(), common=st.booleans())
def test_then_available_numbers_can_be_sorted_by_how_long_they_are(
    store: Store, wanted: Wanted, asker: str | None, limit: int, descending: bool, common: bool
) -> None:
    """N1, N11: Available for how long is tracked, filtered and sorted by."""
    wanted = Wanted(**{**{f: getattr(wanted, f) for f in wanted.__dataclass_fields__}, "states": ("available",)})
    with pytest.MonkeyPatch.context() as patch:
        if common:
            patch.setattr(row_estimates, "BLOCKS", 1)
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
