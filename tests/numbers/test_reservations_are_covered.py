"""Which numbers a DID reservation subscription pays for, and what that does to each of them (N4, N5, §10.10)."""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest

from tests.numbers.facts import ACME, COVER, OTHER_SUB, QUARANTINE, RESELLER, SUB, Tale, day
from trunkline.testing import Story
from trunkline_numbers.domain.number.events import (
    NumberReleased,
    NumberReserved,
    ReservationEnding,
    ReservationExpired,
    ReservationExtended,
)
from trunkline_numbers.domain.number.state import Reserved
from trunkline_numbers.domain.subscription.events import (
    CoversFrom,
    ReservationCovered,
    ReservationUncovered,
    SubscriptionReceived,
)
from trunkline_numbers.domain.subscription.paid_reservations import Judged, Standing, Until, Walks, judge
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Cover, Subscription


def judged(*steps: tuple[float, int, float | None], extended: dict[str, float], **freed: float) -> Judged:
    """Steps as (day, units, renewed until); what was extended, each on its day, until day 58, for free until 28."""
    heard = SubscriptionReceived(
        at=day(90),
        sequence=len(steps),
        organization_id=ACME.id,
        product="did_reservation",
        status="active",
        started_at=day(0),
        covers=tuple(CoversFrom(day(at), units, None if end is None else day(end)) for at, units, end in steps),
    )
    covers = {number: Cover(day(at), day(58)) for number, at in extended.items()}
    gone = {number: Standing(freed=day(at)) for number, at in freed.items()}
    standings = {number: gone.get(number, Standing(free_ends_at=day(28))) for number in extended}
    return judge(Subscription(COVER, heard, covers=covers), standings)


def stepping(chance: Random, most: int) -> list[CoversFrom]:
    """Renewals and quantities of a subscription, some later, some at one instant with the one before."""
    steps, at = [CoversFrom(day(0), 3)], 0
    for _ in range(most):
        at += chance.choice([-3, 0, 1, 2, 5, 20])
        until = day(at + chance.choice([1, 10, 30])) if chance.random() < 0.7 else None
        steps.append(CoversFrom(day(max(at, 0)), chance.choice([0, 1, 2, 3, 3]), until))
    return steps


ABC = {"A": 5.0, "B": 6.0, "C": 7.0}


def ends(found: Judged) -> dict[str, datetime]:
    return {number: until.ends_at for number, until in found.kept.items()}


@pytest.mark.parametrize("seed", range(100))
def test_then_a_walk_goes_on_where_the_batch_has_left_it(seed: int) -> None:
    """X4: fact by fact, with what the batch has walked through, as all at once; also where a fact comes late."""
    chance, walks = Random(seed), Walks()
    steps: list[CoversFrom] = []
    covers = {number: Cover(day(at), day(58)) for number, at in ABC.items()}
    for step in stepping(chance, 12):
        late = chance.random() < 0.15
        steps.insert(chance.randrange(len(steps) + 1) if late else len(steps), step)
        ends = day(28) if chance.random() < 0.9 else day(40)
        standings = {number: Standing(free_ends_at=ends) for number in covers}
        if chance.random() < 0.1:
            standings["B"] = Standing(freed=day(30))
        heard = SubscriptionReceived(
            at=step.at,
            sequence=len(steps),
            organization_id=ACME.id,
            product="did_reservation",
            status="active",
            started_at=day(0),
            covers=tuple(steps),
        )
        s = Subscription(COVER, heard, covers=covers)
        assert judge(s, standings, walks) == judge(s, standings)


# -- the subscription's past ------------------------------------------------------------------------------------------


def test_then_each_keeps_its_unit_until_its_end() -> None:
    """N4: a unit, a number."""
    assert judged((0, 3, None), extended=ABC) == Judged({}, {n: Until(day(58), day(ABC[n])) for n in ABC}, ())


def test_then_those_extended_last_lose_theirs_at_that_instant() -> None:
    """N4: a lower quantity; a higher one gives nothing back."""
    found = judged((0, 3, None), (10, 2, None), (20, 1, None), (30, 3, None), extended=ABC)
    assert (found.lost, list(found.kept)) == ({"C": day(10), "B": day(20)}, ["A"])


def test_then_one_for_which_there_was_no_unit_lost_it_at_once() -> None:
    """N4, X4: as it turns out, the quantity had been lowered before."""
    assert judged((0, 3, None), (5.5, 1, None), extended=ABC).lost == {"B": day(6), "C": day(7)}


def test_then_a_renewal_moves_the_end_of_those_it_covers() -> None:
    """N4: the newest renewal counts, also where it ends earlier."""
    found = judged((0, 2, None), (10, 1, None), (20, 1, 90), (30, 1, 70), extended={"A": 5, "B": 6})
    assert (found.lost, ends(found), found.kept["A"].at) == ({"B": day(10)}, {"A": day(70)}, day(30))


def test_then_a_renewal_covers_again_what_ran_out_as_far_as_there_are_units() -> None:
    """N4, §10.10: those extended first."""
    found = judged((0, 3, None), (60, 2, None), (61, 2, 91), extended=ABC)
    assert (found.lost, ends(found)) == ({}, {"A": day(91), "B": day(91), "C": day(58)})


def test_then_what_ran_out_can_lose_no_unit() -> None:
    """N4: all ends are over on day 58, before the quantity is lowered; free periods do not end before their time."""
    assert judged((0, 3, None), (58, 0, None), extended=ABC).lost == {}
    early = judged((0, 1, None), (8, 1, 10), (27, 0, None), extended={"A": 5})
    assert early.lost == {"A": day(27)}, "renewed until day 10 only, it is kept for free until day 28"


def test_then_a_number_that_is_gone_frees_its_unit_before_it_is_counted() -> None:
    """N4: restored, released or deleted; at the same instant too."""
    found = judged((0, 2, None), (20, 1, None), extended={"A": 5, "B": 6}, A=20)
    assert (found.lost, list(found.kept), found.freed) == ({}, ["B"], ("A",))
    assert judged((0, 1, None), extended={"A": 5, "B": 6}, A=6).lost == {}


def test_then_the_order_of_extending_is_remembered_until_a_number_is_gone() -> None:
    """N4, X4: one that lost its unit keeps its place and may get it back; extended anew, it is the last."""

    def covered(number: str, at: float) -> ReservationCovered:
        return ReservationCovered(at=day(at), number=number, ends_at=day(58))

    story = Story(SUBSCRIPTION, COVER).given(covered("A", 5), covered("B", 6))
    story.given(ReservationUncovered(at=day(9), number="A", cause="lost"))
    assert {number: cover.lost for number, cover in story.state.covers.items()} == {"A": True, "B": False}
    story.given(covered("A", 5))
    assert [(number, cover.lost) for number, cover in story.state.covers.items()] == [("A", False), ("B", False)]
    assert list(story.given(covered("A", 10)).state.covers) == ["B", "A"]
    assert list(story.given(ReservationUncovered(at=day(11), number="B", cause="freed")).state.covers) == ["A"]


# -- the number -------------------------------------------------------------------------------------------------------


def paid_for(until: float = 58) -> Tale:
    """Reserved on day 0, free until day 28, and paid for from day 10 on."""
    return Tale().added(0).reserved(ACME, 0).extended(ACME, until, 10)


def test_then_a_renewal_moves_the_charged_end_with_a_new_notice() -> None:
    """N4, N5: once; never before the free end; not one that another pays for."""
    tale = paid_for().kept(88, 50)
    extended = tale.events[0]
    assert isinstance(extended, ReservationExtended)
    assert (extended.at, extended.ends_at, extended.notice_at) == (day(50), day(88), day(81))
    tale.kept(88, 50).then_nothing()
    tale.kept(99, 51, cover=OTHER_SUB).then_nothing()
    tale.kept(20, 15, 51).then(ReservationExtended, ReservationExpired, NumberReleased)
    assert tale.state.life.since == day(28)  # type: ignore[union-attr]


def test_then_a_renewal_heard_after_the_end_reserves_again_with_a_notice() -> None:
    """N4, N5, §10.10."""
    tale = paid_for().settled(60).kept(88, 58, 60)
    life = tale.then(NumberReserved).state.life
    assert isinstance(life, Reserved)
    assert (life.since, life.ends_at, life.free_ends_at, life.notice_at) == (day(0), day(88), day(28), day(81))
    assert life.cover_id == COVER
    tale.settled(85).then(ReservationEnding)


def test_then_a_renewal_whose_end_is_over_as_well_is_on_record_and_counts() -> None:
    """§10.10, N1: Available since that end, once; without a notice of what is over."""
    tale = paid_for().settled(60).kept(70, 58, 75)
    tale.then(NumberReserved, ReservationExpired, NumberReleased)
    assert tale.state.life.since == day(70)  # type: ignore[union-attr]
    tale.kept(70, 58, 76).then_nothing()


@pytest.mark.parametrize("act", ["locked", "reserved", "by another"])
def test_then_what_somebody_did_since_stands(act: str) -> None:
    """§10.10: whatever is heard of the payer."""
    tale = paid_for().settled(60)
    if act == "locked":
        tale.locked(61).unlocked(62)
    elif act == "reserved":
        tale.reserved(ACME, 61)
    else:
        tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 10, cover=OTHER_SUB).settled(60)
    tale.kept(88, 58, 63).then_nothing()
    tale.uncovered(40, 63).then_nothing()


def test_then_the_end_of_the_payer_heard_after_the_end_counts_from_its_own_instant() -> None:
    """N4, §10.10: over since day 40, not since day 58; so a quarantine ends as much earlier; once."""
    tale = Tale(QUARANTINE).added(0).holds(0.5).keeps(("terminated", 1)).extended(ACME, 60, 10).settled(70)
    tale.uncovered(40, 71).then(NumberReserved, NumberReleased)
    life = tale.state.life
    assert (life.since, life.quarantined_until) == (day(40), day(130))  # type: ignore[union-attr]
    tale.uncovered(40, 72).then_nothing()


def test_then_the_end_of_the_payer_within_the_free_period_leaves_that() -> None:
    """N4, §10.10: heard on day 20, or on day 60 when all is over: until day 28 either way."""
    timely, late = paid_for().uncovered(15, 20).settled(60), paid_for().settled(60)
    late.uncovered(15, 60).then(NumberReserved, ReservationExpired, NumberReleased)
    assert timely.state.life.since == late.state.life.since == day(28)  # type: ignore[union-attr]
    late.uncovered(15, 61).then_nothing()


def test_then_one_that_only_seemed_to_have_lost_its_unit_is_paid_for_again() -> None:
    """X4: `again`, while the free part goes on; without it, one that is not paid for stays so."""
    tale = paid_for().uncovered(15, 16)
    tale.kept(58, 10, 17).then_nothing()
    life = tale.kept(58, 10, 17, again=True).then(ReservationExtended).state.life
    assert isinstance(life, Reserved)
    assert (life.cover_id, life.ends_at, life.notice_at) == (COVER, day(58), day(51))


def test_then_the_free_end_of_an_ended_number_leaves_a_charged_one_that_is_over() -> None:
    """N4, §10.5: an expired number's 56 days, extended; its termination heard when all is over shortens nothing."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).extended(ACME, 96, 20).settled(100)
    assert tale.state.life.since == day(96)  # type: ignore[union-attr]
    tale.keeps(("expired", 10), ("terminated", 12), on=101, of=SUB).then_nothing()


def test_then_a_partners_reservation_goes_on_as_the_partners() -> None:
    """N4: paid for by an organization of its branch; renewed late, it is the partner's again."""
    tale = Tale().added(0).reserved(RESELLER, 0).extended(ACME, 58, 10).settled(60).kept(88, 58, 60)
    assert tale.state.life.reserver_id == RESELLER.id  # type: ignore[union-attr]
