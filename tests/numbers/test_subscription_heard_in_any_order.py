"""When a subscription's events come in any order, more than once, the newest among them: the same numbers (X4).

In memory, so that thousands of histories are tried; tests/end_to_end does the same over both services.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.numbers.facts import ACME, KEY, PARTNER, SUB, Tale, day, uuid
from tests.numbers.world import Licensing, World, in_memory
from trunkline.clock import FixedClock
from trunkline.contracts.cloudevents.message import Message
from trunkline.testing import Memory
from trunkline_numbers.domain.number.state import Assigned, Available, Reserved
from trunkline_numbers.domain.number.subscription_sync import Hold, Keep, Leave, Target

B, C, Z = "+6522222222", "+6533333333", "+6599999999"
NUMBERS = (KEY, B, C, Z)

steps = st.lists(
    st.tuples(
        st.sampled_from(("renewed", "expired", "reactivated", "terminated", "swapped", "swapped", "swapped oddly")),
        st.sampled_from((0.25, 1, 3, 20)),
    ),
    max_size=6,
)
spoilt = st.dictionaries(st.sampled_from(NUMBERS[:3]), st.sampled_from(("absent", "locked", "taken")), max_size=2)


def history(told: list[tuple[str, float]]) -> tuple[list[Message], float]:
    """What licensing says of a subscription that lives like this, and the last day; what cannot be is left out."""
    licensing, on, at, status = Licensing(), 0.0, 0, "active"
    messages = [licensing.started(on)]
    for what, days in told:
        on += days
        if what == "renewed":
            messages.append(licensing.renewed(on))
        elif what == "expired" and status == "active":
            messages.append(licensing.expired(on))
            status = "expired"
        elif what == "reactivated" and status == "expired":
            messages.append(licensing.reactivated(on))
            status = "active"
        elif what == "terminated" and status != "terminated":
            messages.append(licensing.terminated(on))
            status = "terminated"
        elif what.startswith("swapped") and status == "active":
            at += 1
            messages.append(licensing.swapped(on, NUMBERS[at % 3], old=Z if what == "swapped oddly" else None))
    return messages, on


def begun(on: float, spoil: dict[str, str]) -> World:
    """A world on that day, in which some numbers cannot be had."""
    world = World(Memory(FixedClock(day(0)))).knows(PARTNER, ACME.id)
    world.adds(*(number for number in NUMBERS if spoil.get(number) != "absent"))
    for place, number in enumerate(spoil):
        if spoil[number] == "taken":
            world.hears(Licensing(uuid("5ab", 10 + place)).started(0, number))
    world.moves_to(on)
    return world.locks(*(number for number in spoil if spoil[number] == "locked"))


def seen(world: World, number: str) -> tuple[Any, ...]:
    """Where a number is, and since when where it is Available."""
    life = world.number(number).life
    return (*world.picture(number), *([life.since] if isinstance(life, Available) else []))


def picture(world: World) -> dict[str, Any]:
    return {number: seen(world, number) for number in NUMBERS} | {"waits": world.waits_for()}


@settings(max_examples=300, deadline=None)
@given(told=steps, spoil=spoilt, later=st.sampled_from((0.1, 0.9, 2, 30, 60, 100)), seed=st.integers(0, 2**32))
@example(told=[("swapped", 1), ("swapped", 1)], spoil={B: "locked"}, later=0.1, seed=1)
@example(told=[("swapped oddly", 1)], spoil={}, later=0.1, seed=1)
@example(told=[*[("swapped", 0.25)] * 3, ("terminated", 0.25)], spoil={}, later=30, seed=0)  # over, but not since then
def test_then_numbers_end_where_in_order_delivery_ends(
    told: list[tuple[str, float]], spoil: dict[str, str], later: float, seed: int
) -> None:
    """X4, §10.12: any order, any duplication, in one batch or in many."""
    messages, end = history(told)
    plain, mixed = begun(end + later, spoil), begun(end + later, spoil)
    for message in messages:
        plain.hears(message)
    chance = Random(seed)
    shuffled = [*messages, *chance.choices(messages, k=chance.randrange(4))]
    chance.shuffle(shuffled)
    while shuffled:
        some = chance.randint(1, len(shuffled))
        mixed.hears(*shuffled[:some])
        del shuffled[:some]
    assert picture(mixed) == picture(plain)


@settings(max_examples=200, deadline=None)
@given(told=steps, seed=st.integers(0, 2**32))
def test_then_timely_delivery_ends_where_late_delivery_ends(told: list[tuple[str, float]], seed: int) -> None:
    """X4, §10.10, N10: heard at once, with a timer running, or all of it afterwards."""
    messages, end = history(told)
    timely, late = begun(0, {}), begun(end + 0.1, {})
    for message in messages:
        timely.passes_to((message.time - day(0)).total_seconds() / 86_400)
        timely.hears(message)
    timely.passes_to(end + 0.1)
    Random(seed).shuffle(messages)
    late.hears(*messages)
    assert {number: seen(late, number)[:4] for number in NUMBERS} == {n: seen(timely, n)[:4] for n in NUMBERS}


@settings(max_examples=200, deadline=None)
@given(told=steps, seed=st.integers(0, 2**32))
def test_then_the_organization_may_come_at_any_place_among_them(told: list[tuple[str, float]], seed: int) -> None:
    """S7, X4: parties and subscriptions come over different topics."""
    messages, end = history(told)
    plain = begun(end + 0.1, {}).hears(*messages)
    strange = World(Memory(FixedClock(day(0)))).adds(*NUMBERS).moves_to(end + 0.1)
    chance = Random(seed)
    arrivals: list[Any] = [*messages, PARTNER, ACME.id]
    chance.shuffle(arrivals)
    for arrival in arrivals:
        if isinstance(arrival, str):
            strange.knows(arrival)
        else:
            strange.hears(arrival)
    assert picture(strange) == picture(plain)
    for number in NUMBERS:
        assert strange.number(number).life == plain.number(number).life or isinstance(
            strange.number(number).life, Assigned | Available | Reserved
        )


targets: st.SearchStrategy[Target] = st.one_of(
    st.integers(1, 90).map(lambda n: Hold(day(n))),
    st.tuples(st.sampled_from(("expired", "terminated", "swapped")), st.integers(1, 90)).map(
        lambda fact: Keep(((fact[0], day(fact[1])),), day(0.5))  # type: ignore[arg-type]
    ),
    st.tuples(st.integers(1, 90), st.integers(1, 90)).map(
        lambda at: Keep((("expired", day(min(at))), ("terminated", day(max(at)))), day(0.5))
    ),
    st.just(Leave(day(90))),
)


def place(tale: Tale) -> tuple[Any, ...]:
    match tale.state.life:
        case Reserved() as r:
            return ("reserved", r.subscription_id, r.cause, r.since, r.ends_at, r.notice_at)
        case Assigned() as a:
            return ("assigned", a.subscription_id)
        case life:
            return (type(life).__name__,)


@settings(max_examples=400)
@given(before=st.lists(targets, max_size=5), newest=targets, now=st.sampled_from((90, 100, 130)))
@example(
    before=[Leave(day(90))], newest=Keep((("swapped", day(90)),), day(0.5)), now=90
)  # left at once, and swapped out then
def test_then_a_number_ends_where_the_newest_target_alone_brings_it(
    before: list[Target], newest: Target, now: float
) -> None:
    """X4, the kernel of it: whatever was heard before, and however often."""
    mixed, plain = (Tale().added(0).holds(0.5, now).as_given() for _ in range(2))
    for target in [*before, *before, newest, newest]:
        mixed.follows(target, now)
    plain.follows(newest, now)
    assert place(mixed) == place(plain)


def test_then_a_swap_heard_before_the_start_keeps_the_old_number_for_its_day() -> None:
    """N9, X4: the newest state alone tells it all."""
    licensing = Licensing()
    started, swapped = licensing.started(1), licensing.swapped(5, B)
    world = in_memory().adds(KEY, B).moves_to(5.5).hears(swapped)
    assert world.picture(KEY)[:4] == ("reserved", SUB, "swapped", day(6))
    assert world.picture(B) == ("assigned", SUB)
    before = world.picture(KEY), world.picture(B)
    assert (world.hears(started, swapped).picture(KEY), world.picture(B)) == before


def test_then_a_swap_that_did_not_count_after_all_leaves_the_new_number_at_once() -> None:
    """X4, §10.12: it turns out that the subscription had expired before."""
    licensing = Licensing()
    world = in_memory().adds(KEY, B).moves_to(5.5)
    world.hears(licensing.started(1), licensing.swapped(5, B))
    world.hears(licensing.unswapped(5.2, KEY))
    assert world.picture(B) == ("available",)
    assert world.picture(KEY) == ("assigned", SUB)


def test_then_an_old_number_of_billing_that_was_never_the_subscriptions_is_not_touched() -> None:
    """N9: a subscription whose old number it does not hold gets the new one alone."""
    licensing = Licensing()
    world = in_memory().adds(KEY, B, Z).moves_to(5.5)
    world.hears(licensing.started(1), licensing.swapped(5, B, old=Z))
    assert world.picture(B) == ("assigned", SUB)
    assert world.number(Z).last_organization_id is None


def test_then_a_refused_swap_falls_back_on_the_number_of_its_last_naming() -> None:
    """N9, X4: A, B, (C refused), A, B, (C refused): B it is, though an earlier swap had given it up."""
    licensing = Licensing()
    facts = [licensing.started(0), *(licensing.swapped(n, NUMBERS[n % 3]) for n in range(1, 6))]
    for heard in (facts, [facts[3], facts[5]]):
        world = begun(5.1, {C: "taken"})
        for fact in heard:
            world.hears(fact)
        assert world.picture(B) == ("assigned", SUB)
        assert world.picture(KEY) == ("available",)
        assert world.waits_for() == "number-taken"
