"""When numbers hears of a subscription: what it wants, gave up, cannot have, and waits for (S4, S6, N9, X4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.numbers.facts import ACME, SUB, day
from trunkline.testing import Story
from trunkline_numbers.number_following import Hold, Keep, Leave
from trunkline_numbers.subscription import (
    SUBSCRIPTION,
    Subscription,
    after_giving_up,
    end_refusal,
    forgo,
    given_up,
    had_from,
    hear,
    named_since,
    numbers_of,
    refuse,
    wanted,
)
from trunkline_numbers.subscription_events import (
    AssignmentRefusalEnded,
    NumberAssignmentRefused,
    NumberForgone,
    SubscriptionHeard,
    SubscriptionServed,
    SwappedOut,
)

A, B, C, Z = "+6511111111", "+6522222222", "+6533333333", "+6599999999"


def heard(number: str = A, *outs: tuple[str, float], on: float = 0, sequence: int = 1, **own: Any) -> SubscriptionHeard:
    """The state that was heard; `outs` as (number, day)."""
    fields: dict[str, Any] = {"product": "number", "status": "active", "started_at": day(0), **own}
    return SubscriptionHeard(
        at=day(on),
        sequence=sequence,
        organization_id=ACME.id,
        number=number,
        swapped_out=tuple(SwappedOut(gone, day(at)) for gone, at in outs),
        **fields,
    )


def served(number: str, on: float) -> SubscriptionServed:
    return SubscriptionServed(at=day(on), number=number)


def refused(number: str, on: float, code: str = "number-taken") -> NumberAssignmentRefused:
    return NumberAssignmentRefused(at=day(on), number=number, code=code, reason="It is taken.")


def told(*events: Any) -> Story[Subscription]:
    return Story(SUBSCRIPTION, SUB).given(*events)


def after(*events: Any) -> Subscription:
    return told(*events).state


@pytest.mark.parametrize(("sequence", "fresh"), [(1, False), (2, False), (3, True)])
def test_then_only_what_is_newer_counts(sequence: int, fresh: bool) -> None:
    """X3, X4: the newest state wins, whatever it was called."""
    said = heard(sequence=sequence)
    told(heard(sequence=2)).when(lambda s: hear(s, said)).then(*[said] * fresh)


def test_then_a_change_concerns_every_number_named_or_ever_had() -> None:
    """S4."""
    s = after(heard(C, (A, 1), (B, 2)), served(Z, 0))
    assert numbers_of(s) == [C, A, B, Z]
    assert numbers_of(after()) == []
    assert numbers_of(after(heard(product="did_reservation"))) == []


def test_then_an_active_one_holds_its_number_from_its_start() -> None:
    """§10.10: a late event counts from its own instant."""
    assert wanted(after(heard(on=9)), A) == Hold(day(0))


def test_then_a_swapped_in_number_is_held_from_the_swap() -> None:
    """N9: also the one in the middle, and one that came back."""
    assert wanted(after(heard(B, (A, 5), on=9)), B) == Hold(day(5))
    assert wanted(after(heard(A, (A, 5), (B, 6), on=9)), A) == Hold(day(6))


def test_then_a_number_that_it_had_comes_back_at_the_newest_fact() -> None:
    """§3: restored."""
    assert wanted(after(heard(on=9), served(A, 0)), A) == Hold(day(9))


def test_then_a_number_that_it_was_refused_counts_from_when_it_can_be_had() -> None:
    """S6."""
    assert wanted(after(heard(on=9), refused(A, 0)), A) == Hold(day(0), waited=True)


def test_then_an_ended_one_keeps_what_it_had_by_all_its_ends() -> None:
    """§10.5, §10.12."""
    ends = {"status": "terminated", "expired_at": day(5), "terminated_at": day(7)}
    facts = (("expired", day(5)), ("terminated", day(7)))
    assert wanted(after(heard(**ends), served(A, 0)), A) == Keep(facts)


def test_then_one_heard_of_when_it_is_over_takes_the_number_for_its_time() -> None:
    """X4: an expiry heard before the start; but not where it could not have the number."""
    ends = {"status": "expired", "expired_at": day(5)}
    assert wanted(after(heard(**ends)), A) == Keep((("expired", day(5)),), held_from=day(0))
    assert wanted(after(heard(**ends), refused(A, 0)), A) == Keep((("expired", day(5)),))


def test_then_swapped_out_numbers_are_given_up_newest_first() -> None:
    """N9: each from its own swap."""
    s = after(heard(C, (A, 1), (B, 2)), served(A, 0), served(B, 1), served(C, 2))
    assert given_up(s) == [B, A]
    assert after_giving_up(s, A) == Keep((("swapped", day(1)),))
    assert after_giving_up(s, B) == Keep((("swapped", day(2)),))


def test_then_a_number_that_came_back_is_not_given_up() -> None:
    """N9: A to B to A."""
    assert given_up(after(heard(A, (A, 1), (B, 2)), served(A, 0), served(B, 1))) == [B]


def test_then_a_number_given_up_twice_counts_from_the_newest_swap() -> None:
    """N3: A to B to A to C."""
    s = after(heard(C, (A, 1), (B, 2), (A, 3)), served(A, 0))
    assert after_giving_up(s, A) == Keep((("swapped", day(3)),))


@pytest.mark.parametrize(("number", "first", "last"), [(A, 0, 2), (B, 1, 1), (C, 3, 3)])
def test_then_it_is_known_since_when_a_number_is_named(number: str, first: float, last: float) -> None:
    """N9: A to B to A to C; A twice."""
    s = after(heard(C, (A, 1), (B, 2), (A, 3)))
    assert named_since(s, number) == day(last)
    assert had_from(s, number) == (None if number == C else day(first))


def test_then_a_swap_that_had_to_wait_gives_up_the_old_number_when_the_new_one_came() -> None:
    """N9: both or neither, so both at the same instant."""
    s = after(heard(B, (A, 5)), served(A, 0), refused(B, 5), served(B, 20))
    assert after_giving_up(s, A) == Keep((("swapped", day(20)),))


def test_then_a_number_in_the_middle_never_heard_of_is_had_for_its_time() -> None:
    """X4: swaps A to B and B to C heard in reverse."""
    s = after(heard(C, (A, 1), (B, 2)))
    assert after_giving_up(s, B) == Keep((("swapped", day(2)),), held_from=day(1))


def test_then_one_that_could_not_be_had_then_is_not_taken_to_be_given_up() -> None:
    """N9: gets the new one alone."""
    for event in (refused(A, 0), NumberForgone(at=day(1), number=A)):
        assert after_giving_up(after(heard(B, (A, 1)), event), A) == Keep((("swapped", day(1)),))


def test_then_an_old_number_that_was_never_its_own_is_not_taken() -> None:
    """N9: billing names Z as the old one, the subscription had A."""
    s = after(heard(B, (A, 5), (Z, 5)))
    assert after_giving_up(s, Z) == Keep((("swapped", day(5)),))
    assert after_giving_up(s, A) == Keep((("swapped", day(5)),), held_from=day(0))


def test_then_a_number_that_the_state_does_not_know_is_left() -> None:
    """X4: a swap to B that did not count after all."""
    s = after(heard(A, on=9), served(A, 0), served(B, 5))
    assert given_up(s) == [B]
    assert after_giving_up(s, B) == Leave(day(9))


def test_then_a_refusal_is_put_on_record_once() -> None:
    """S6: and again where the reason is another one."""
    story = told(heard())

    def denied(code: str, on: datetime) -> Any:
        return lambda s: refuse(s, A, code, "It cannot be had.", on)

    story.when(denied("number-taken", day(1))).then(NumberAssignmentRefused)
    story.when(denied("number-taken", day(2))).then_nothing()
    story.when(denied("number-is-locked", day(3))).then(NumberAssignmentRefused)
    assert story.state.denied == (A,)


@pytest.mark.parametrize(
    ("newest", "cause"),
    [
        (heard(A), "assigned"),
        (heard(B, (A, 2)), "superseded"),
        (heard(A, status="expired", expired_at=day(5)), "not_active"),
    ],
)
def test_then_a_refusal_ends_with_its_cause(newest: SubscriptionHeard, cause: str) -> None:
    """S6: as long as it is active and has no number."""
    story = told(heard(A), refused(A, 0), newest).when(lambda s: end_refusal(s, day(9)))
    story.then(AssignmentRefusalEnded(at=day(9), number=A, cause=cause))  # type: ignore[arg-type]
    story.when(lambda s: end_refusal(s, day(9))).then_nothing()


def test_then_what_was_forgone_is_known_once() -> None:
    """N9."""
    story = told(heard(B, (A, 1))).when(lambda s: forgo(s, A, day(3))).then(NumberForgone)
    story.when(lambda s: forgo(s, A, day(4))).then_nothing()
    told(heard(), served(A, 0)).when(lambda s: forgo(s, A, day(4))).then_nothing()
