"""When licensing asks for numbers for its extensions, in batches, in any order, and twice (X5, R5)."""

from __future__ import annotations

import pytest

from tests.numbers.bindings import EXT, OTHER_EXT, THIRD_EXT, answers, asks, hears, holds, rings_at, withdraws
from tests.numbers.facts import ACME, KEY, OTHER_SUB, STRANGER, SUB
from tests.numbers.world import Licensing, World, in_memory
from trunkline_numbers.domain.extension import EXTENSION, NumberBindingRefused
from trunkline_numbers.domain.number.errors import NumberUnavailable
from trunkline_numbers.domain.policy import Policy

A, B = KEY, "+6522222222"


def told(world: World) -> list[tuple[object, ...]]:
    """What numbers answered, in order."""
    return answers(world.place.log)  # type: ignore[attr-defined]


def refusals(world: World) -> list[NumberBindingRefused]:
    return [event for _, event in world.place.log if isinstance(event, NumberBindingRefused)]  # type: ignore[attr-defined]


def assigned(number: str = KEY) -> World:
    """The number serves a subscription of the organization."""
    return in_memory().adds(number).hears(Licensing().started(0, number))


def test_then_it_is_bound_and_says_in_which_generation() -> None:
    """X5: once, however often it is asked."""
    world = hears(assigned(), asks(1))
    hears(hears(world, asks(1)), asks(1), asks(1))
    assert told(world) == [("bound", EXT, 1)]
    assert rings_at(world.number()) == (EXT, 1)


def test_then_a_foreign_unknown_quarantined_locked_or_deleted_number_is_refused_alike() -> None:
    """X5, P2: the same code and the same sentence, so that nothing is given away."""
    world = in_memory().applies(Policy(quarantine_days={"SG": 90})).knows(STRANGER.id)
    foreign, locked, kept, visible = (f"+65{n}0000000" for n in (3, 4, 5, 6))
    other = Licensing(OTHER_SUB, STRANGER.id)
    ended = Licensing(SUB, STRANGER.id)
    holds(world, foreign, holder=STRANGER).adds(locked, kept, visible).locks(locked)
    world.hears(other.started(0, foreign), ended.started(0, kept)).hears(ended.terminated(1)).passes_to(40)
    for place, number in enumerate((foreign, locked, kept, visible, "+6577777777"), 1):
        hears(world, asks(place, number))
    assert len(refusals(world)) == 5
    for refusal in refusals(world):
        assert refusal.code == "number-unavailable"
        assert refusal.reason == NumberUnavailable(number=refusal.number).sentence


def test_then_the_organization_is_told_why_its_own_number_is_refused() -> None:
    """X5: it may know what is so of its own numbers."""
    world = hears(assigned(), asks(1), asks(1, extension=OTHER_EXT))
    assert [(r.code, "serves a voice user already" in r.reason) for r in refusals(world)] == [
        ("number-unavailable", True)
    ]


@pytest.mark.parametrize("words", [(withdraws(1), asks(1)), (asks(1), withdraws(1)), (withdraws(1), asks(1), asks(1))])
def test_then_a_request_that_was_withdrawn_before_it_came_is_not_obeyed(words: tuple[object, ...]) -> None:
    """X5: between two topics nothing is promised; in one batch or in several."""
    one, many = assigned(), assigned()
    hears(one, *words)  # type: ignore[arg-type]
    for word in words:
        hears(many, word)  # type: ignore[arg-type]
    for world in (one, many):
        assert rings_at(world.number()) is None
        assert world.place.state(EXTENSION, EXT).newest == (1, True)
        assert not refusals(world)


def test_then_another_number_takes_the_place_of_the_first_whether_or_not_the_withdrawal_is_heard() -> None:
    """X5, L16: the first is unbound and stays with its subscription."""
    for words in ([asks(2, B)], [withdraws(1, A), asks(2, B)], [asks(2, B), withdraws(1, A)]):
        world = hears(assigned(A).adds(B).hears(Licensing(OTHER_SUB).started(0, B)), asks(1, A))
        for word in words:
            hears(world, word)
        assert told(world) == [("bound", EXT, 1), ("asked", EXT, 1), ("bound", EXT, 2)]
        assert (rings_at(world.number(A)), rings_at(world.number(B))) == (None, (EXT, 2))
        assert world.number(A).state == "assigned"


def test_then_a_number_given_up_can_be_had_by_another_extension_in_the_same_batch() -> None:
    """X5: withdrawals come before requests, whatever their order."""
    world = hears(assigned(), asks(1))
    hears(world, asks(1, extension=OTHER_EXT), withdraws(1))
    assert rings_at(world.number()) == (OTHER_EXT, 1)
    assert not refusals(world)


def test_then_a_late_withdrawal_leaves_the_one_who_has_it_now() -> None:
    """X5: the first lost it to the end of its subscription; the number has gone on to somebody else."""
    world = hears(assigned(), asks(1))
    licensing = Licensing()
    licensing.started(0)
    world.hears(licensing.terminated(1)).passes_to(40)
    world.hears(Licensing(OTHER_SUB).started(40))
    hears(world, asks(1, extension=THIRD_EXT), withdraws(1))
    assert told(world) == [("bound", EXT, 1), ("terminated", EXT, 1), ("bound", THIRD_EXT, 1)]
    assert rings_at(world.number()) == (THIRD_EXT, 1)


def test_then_the_user_of_an_extension_changes_without_another_number() -> None:
    """X5, L15: the same number in a newer generation is bound anew, even while it is suspended."""
    world = hears(assigned(), asks(1))
    licensing = Licensing()
    licensing.started(0)
    world.hears(licensing.expired(1))
    hears(world, asks(2, user=None))
    assert told(world) == [("bound", EXT, 1), ("bound", EXT, 2)]
    world.hears(licensing.reactivated(2))
    assert rings_at(world.number()) == (EXT, 2)


def test_then_one_query_reads_all_numbers_of_a_batch(world: World) -> None:
    """X5: on a real database; a thousand at once."""
    numbers = [f"+65{60_000_000 + n}" for n in range(1000)]
    holds(world, *numbers)
    extensions = [f"e0000000-0000-4000-8000-{n:012d}" for n in range(1000)]
    store = world.place.store  # type: ignore[attr-defined]
    reads, read = [], store.read_streams

    def counting(ids: list[str], conn: object = None) -> object:
        reads.append(len(ids))
        return read(ids, conn)

    store.read_streams = counting
    hears(world, *(asks(1, n, extension=e, organization=ACME.id) for n, e in zip(numbers, extensions, strict=True)))
    assert reads == [1001, 1000]
    assert [rings_at(world.number(n)) for n in numbers[::250]] == [(e, 1) for e in extensions[::250]]
