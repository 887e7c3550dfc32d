"""When numbers hears of a subscription: what it wants, gave up, cannot have, and waits for (S4, S6, N9, X4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.numbers.facts import ACME, SUB, day
from trunkline.testing import Story
from trunkline_numbers.domain.number.errors import NumberTaken
from trunkline_numbers.domain.number.subscription_sync import Hold, Keep, Leave
from trunkline_numbers.domain.subscription.events import (
    AssignmentRefusalEnded,
    Gap,
    NumberAssignmentRefused,
    NumberForgone,
    ServiceUndone,
    SubscriptionReceived,
    SubscriptionServed,
    SwappedOut,
)
from trunkline_numbers.domain.subscription.subscription import (
    SUBSCRIPTION,
    Subscription,
    end_refusal,
    forgo,
    named_since,
    numbers_of,
    receive,
    refuse,
)
from trunkline_numbers.domain.subscription.tenures import Standing, target, tenures

A, B, C, Z = "+6511111111", "+6522222222", "+6533333333", "+6599999999"


def heard(
    number: str = A, *outs: tuple[str, float], on: float = 0, sequence: int = 1, **own: Any
) -> SubscriptionReceived:
    """The state that was heard; `outs` as (number, day)."""
    fields: dict[str, Any] = {"product": "number", "status": "active", "started_at": day(0), **own}
    return SubscriptionReceived(
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
    told(heard(sequence=2)).when(lambda s: receive(s, said, day(1000))).then(*[said] * fresh)


def test_then_a_change_concerns_every_number_named_or_ever_had() -> None:
    """S4."""
    s = after(heard(C, (A, 1), (B, 2)), served(Z, 0))
    assert numbers_of(s) == [C, A, B, Z]
    assert numbers_of(after()) == []
    assert numbers_of(after(heard(product="did_reservation"))) == []


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
def test_then_a_refusal_ends_with_its_cause(newest: SubscriptionReceived, cause: str) -> None:
    """S6: as long as it is active and has no number."""
    story = told(heard(A), refused(A, 0), newest).when(lambda s: end_refusal(s, day(9)))
    story.then(AssignmentRefusalEnded(at=day(9), number=A, cause=cause))  # type: ignore[arg-type]
    story.when(lambda s: end_refusal(s, day(9))).then_nothing()


def test_then_what_was_forgone_is_known_once() -> None:
    """N9."""
    story = told(heard(B, (A, 1))).when(lambda s: forgo(s, A, day(3))).then(NumberForgone)
    story.when(lambda s: forgo(s, A, day(4))).then_nothing()
    told(heard(), served(A, 0)).when(lambda s: forgo(s, A, day(4))).then_nothing()


# -- which numbers it had (N9, D10.12) --------------------------------------------------------------------------------

FREE, MINE = Standing(False), Standing(True)
TAKEN = Standing(False, refused=NumberTaken(number=B))


def had(s: Subscription, **standings: Standing) -> list[tuple[str, float, float | None]]:
    """Which numbers it had from when to when; of each number how it stands, FREE unless said otherwise."""
    names = {"A": A, "B": B, "C": C, "Z": Z}
    known = {names[name]: standing for name, standing in standings.items()}
    found = tenures(s, lambda number: known.get(number, FREE))
    return [(t.number, on(t.since), None if t.until is None else on(t.until)) for t in found]


def on(at: datetime) -> float:
    return (at - day(0)) / (day(1) - day(0))


def belongs(s: Subscription, number: str, **standings: Standing) -> Any:
    known = {"A": A, "B": B, "C": C}
    given = {known[name]: standing for name, standing in standings.items()}

    def standing(n: str) -> Standing:
        return given.get(n, FREE)

    return target(s, number, tenures(s, standing))


def test_then_each_number_is_had_until_the_next_one_came() -> None:
    """N9, N3, §10.10: A to B to C, each from its own instant."""
    assert had(after(heard(C, (A, 1), (B, 2)))) == [(A, 0, 1), (B, 1, 2), (C, 2, None)]
    assert named_since(after(heard(C, (A, 1), (B, 2))), C) == day(2)


def test_then_a_number_that_could_not_be_had_leaves_the_one_before_where_it_was() -> None:
    """N9: neither changes; the next swap that can be made gives up the one that it still had."""
    s = after(heard(C, (A, 1), (B, 2)))
    assert had(s, B=TAKEN) == [(A, 0, 2), (C, 2, None)]
    assert had(s, C=TAKEN) == [(A, 0, 1), (B, 1, None)]
    assert belongs(s, B, B=TAKEN) == Leave(day(0))


def test_then_a_number_that_had_to_be_waited_for_is_had_from_when_it_was_free() -> None:
    """S6, N9: both at that instant; for a time that was over by then it is not had."""
    s = after(heard(B, (A, 5)))
    assert had(s, B=Standing(False, day(20))) == [(A, 0, 20), (B, 20, None)]
    assert had(after(heard(C, (A, 5), (B, 9))), B=Standing(False, day(20))) == [(A, 0, 9), (C, 9, None)]


def test_then_one_that_it_had_and_that_is_somebody_elses_now_was_had_for_its_time() -> None:
    """N9: A to B to C to A, which is another customer's: C stays."""
    s = after(heard(A, (A, 2), (B, 3), (C, 4)), served(A, 1), served(B, 2))
    assert had(s, A=TAKEN) == [(A, 1, 2), (B, 2, 3), (C, 3, None)]


def test_then_a_swap_of_no_time_is_a_swap() -> None:
    """§10.12: as if it were a second later."""
    assert had(after(heard(B, (A, 0)))) == [(A, 0, 0), (B, 0, None)]
    assert belongs(after(heard(B, (A, 0))), A) == Keep((("swapped", day(0)),), day(0))


def test_then_an_expiry_that_was_made_good_divides_the_time() -> None:
    """§3: assigned again from the reactivation on."""
    gaps = (Gap(day(10), day(70)),)
    assert had(after(heard(gaps=gaps))) == [(A, 0, 10), (A, 70, None)]
    assert belongs(after(heard(gaps=gaps, on=70)), A) == Hold(day(70))
    assert had(after(heard(gaps=gaps)), A=Standing(False, day(30))) == [(A, 70, None)]


def test_then_what_it_had_when_it_ended_is_reserved_by_all_its_ends() -> None:
    """§10.5, §10.12."""
    s = after(heard(status="terminated", expired_at=day(5), terminated_at=day(7)))
    facts = (("expired", day(5)), ("terminated", day(7)))
    assert belongs(s, A) == Keep(facts, day(0))
    assert belongs(s, A, A=Standing(False, day(6))) == Leave(day(0))


def test_then_what_was_refused_is_taken_for_its_time_only_where_nobody_acted_since() -> None:
    """N9, X4: it could have been had, as is known now."""
    s = after(heard(status="terminated", terminated_at=day(50)), refused(A, 0))
    assert had(s, A=Standing(False, day(38), acted_at=day(0))) == [(A, 38, None)]
    assert had(s, A=Standing(False, day(38), acted_at=day(45))) == []


def test_then_an_assignment_that_did_not_count_leaves_no_trace() -> None:
    """§10.12: the number was not had, however long it was thought to be."""
    s = after(heard(A, on=9), served(A, 0), served(B, 5))
    assert belongs(s, B, A=MINE, B=MINE) == Leave(day(9))
    s = after(heard(A, on=9), served(A, 0), served(B, 5), ServiceUndone(at=day(9), number=B))
    assert (list(s.served), s.grants) == ([A], ((A, day(0)),))
