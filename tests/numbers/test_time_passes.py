"""When time passes over a number: notices, ends, quarantine; each at its instant, once (N5, N6, N10, N15)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.numbers.facts import (
    ACME,
    COVER,
    LISTING,
    NOW,
    OTHER_SUB,
    QUARANTINE,
    RESELLER,
    SISTER,
    STRANGER,
    SUB,
    Tale,
    day,
    reserved_by,
    states,
)
from trunkline_numbers.domain.number import errors as refusals
from trunkline_numbers.domain.number.events import (
    Listing,
    LockEnding,
    LockExpired,
    NumberAssigned,
    NumberLocked,
    NumberReleased,
    NumberReserved,
    QuarantineEnded,
    ReservationEnding,
    ReservationExpired,
    ReservationExtended,
)
from trunkline_numbers.domain.number.number import due
from trunkline_numbers.domain.policy import Policy, SpecialPeriod

SECOND = timedelta(seconds=1)


def instants(tale: Tale) -> list[tuple[str, datetime]]:
    return [(type(event).__name__, event.at) for event in tale.events]


@pytest.mark.parametrize("state", states())
def test_then_settling_again_says_nothing(state: str) -> None:
    """N10: exactly once, whatever the timer does."""
    states()[state].settled(NOW).settled(NOW).then_nothing()


@pytest.mark.parametrize("state", states())
def test_then_it_is_due_at_the_instant_of_what_comes_next_and_not_before(state: str) -> None:
    """N10: the deadline is neither early nor late by a second."""
    tale = states()[state].settled(NOW)
    next_at = due(tale.state)
    if next_at is None:
        tale.settled(NOW + 10_000).then_nothing()
        return
    days = (next_at - day(0)) / timedelta(days=1)
    tale.settled((next_at - SECOND - day(0)) / timedelta(days=1)).then_nothing()
    tale.settled(days)
    assert tale.events
    assert {event.at for event in tale.events} == {next_at}


def test_then_the_reserver_is_told_seven_days_before() -> None:
    """N5: then once, and then the end comes."""
    tale = Tale().added(0).reserved(ACME, 0)
    tale.settled(21).then(
        ReservationEnding(at=day(21), reserver_id=ACME.id, reserver_kind="organization", ends_at=day(28))
    )
    assert due(tale.state) == day(28)
    tale.settled(27.9).then_nothing()
    tale.settled(28).then(ReservationExpired, NumberReleased)


def test_then_a_partner_is_told_of_its_own() -> None:
    """N5."""
    ending = ReservationEnding(at=day(21), reserver_id=RESELLER.id, reserver_kind="partner", ends_at=day(28))
    Tale().added(0).reserved(RESELLER, 0).settled(21).then(ending)


def test_then_a_reservation_shorter_than_seven_days_has_no_notice() -> None:
    """N5: the one day after a swap."""
    tale = reserved_by("swapped", 10)
    assert due(tale.state) == day(11)
    tale.settled(11).then(ReservationExpired, NumberReleased)


@pytest.mark.parametrize(("days", "told"), [(6, False), (7, True), (8, True)])
def test_then_seven_days_are_long_enough(days: int, told: bool) -> None:
    """N5: shorter than seven days gets none."""
    tale = Tale(Policy(manual_days=days)).added(0).reserved(ACME, 1)
    events = [*tale.events, *tale.settled(days).events]
    assert [e.at for e in events if isinstance(e, ReservationEnding)] == ([day(1 + days - 7)] if told else [])


def test_then_a_notice_whose_end_has_passed_meanwhile_is_not_sent() -> None:
    """N10: caught up after an outage."""
    tale = Tale().added(0).reserved(ACME, 0).settled(28)
    assert instants(tale) == [("ReservationExpired", day(28)), ("NumberReleased", day(28))]
    lock = Tale().added(0).locked(0).settled(28)
    assert instants(lock) == [("LockExpired", day(28))]


def test_then_a_notice_that_is_late_but_in_time_is_sent_with_its_own_instant() -> None:
    """N10: stamped with the due instant."""
    tale = Tale().added(0).reserved(ACME, 0).settled(27)
    assert instants(tale) == [("ReservationEnding", day(21))]


def test_then_a_notice_is_not_sent_for_an_end_that_has_passed_though_only_an_earlier_fact_is_settled() -> None:
    """N10: settled to day 22 on day 30."""
    Tale().added(0).reserved(ACME, 0).settled(22, now=30).then_nothing()


def test_then_a_lock_is_told_before_and_after() -> None:
    """N6: that it has ended always is."""
    tale = Tale().added(0).locked(0)
    tale.settled(21).then(LockEnding(at=day(21), ends_at=day(28)))
    tale.settled(28).then(LockExpired(at=day(28)))
    assert tale.state.state == "available"


def test_then_an_extension_moves_the_end_and_brings_a_new_notice() -> None:
    """N4: the first one was told already."""
    tale = Tale().added(0).reserved(ACME, 0).settled(21).extended(ACME, 58, 22)
    assert due(tale.state) == day(51)
    tale.settled(51).then(ReservationEnding)
    tale.settled(58).then(ReservationExpired, NumberReleased)


def test_then_an_extension_too_short_for_a_timely_notice_is_told_at_once() -> None:
    """N4, N5: extended on day 27 until day 31."""
    tale = Tale().added(0).reserved(ACME, 0).settled(21).extended(ACME, 31, 27)
    assert [type(e) for e in tale.events] == [ReservationExtended, ReservationEnding]
    assert tale.events[-1].at == day(27)


def test_then_a_renewal_of_the_cover_moves_the_charged_end() -> None:
    """N4: and the same again says nothing."""
    tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2)
    tale.extended(ACME, 88, 40, spare=0).then(ReservationExtended)
    assert due(tale.state) == day(81)
    tale.extended(ACME, 88, 41, spare=0).then_nothing()


def test_then_the_free_period_is_never_shortened_by_its_cover() -> None:
    """N4: a cover that ends before the free period does."""
    tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 10, 2)
    assert due(tale.state) == day(21)
    tale.extended(ACME, 10, 3).then_nothing()


def test_then_when_the_cover_ends_only_the_charged_part_ends() -> None:
    """N4: at the later of that instant and the end of the free period."""
    early = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).uncovered(10)
    assert [type(e) for e in early.events] == [NumberReserved]
    assert due(early.state) == day(21)
    early.settled(28).then(ReservationExpired, NumberReleased)
    late = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).uncovered(40)
    late.then(NumberReleased(at=day(40), cause="cover_ended", reserver_id=ACME.id))


def test_then_a_cover_that_ended_long_ago_releases_at_the_end_of_the_free_period() -> None:
    """N4, N10: ended on day 10, heard on day 40."""
    tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).uncovered(10, on=40)
    assert instants(tale)[1:] == [("ReservationExpired", day(28)), ("NumberReleased", day(28))]


def test_then_another_subscriptions_end_is_no_concern() -> None:
    """N4."""
    Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).uncovered(10, cover="another").then_nothing()


def test_then_only_an_active_cover_with_a_spare_unit_extends() -> None:
    """N4."""
    kept = Tale().added(0).reserved(ACME, 0)
    kept.extended(ACME, 58, 2, status="expired").then_refused(refusals.SubscriptionNotActive, subscription_id=COVER)
    kept.extended(ACME, 58, 2, spare=0).then_refused(refusals.NothingSpare)
    kept.extended(SISTER, 58, 2).then_refused(refusals.ReservationOfAnother)


def test_then_a_late_expiry_is_told_only_while_its_end_is_ahead() -> None:
    """N10, §10.10: heard 50 days late, the notice of day 49 is still worth telling."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10), on=60)
    assert instants(tale) == [("NumberReserved", day(10)), ("ReservationEnding", day(59))]


# -- policies (N15) ---------------------------------------------------------------------------------------------------


def test_then_special_numbers_have_their_own_periods() -> None:
    """N15, R10: the first that fits is taken."""
    policy = Policy(
        special_periods=(
            SpecialPeriod(property="ported_in", cause="terminated", days=90),
            SpecialPeriod(property="golden", cause="terminated", days=60),
        )
    )
    for golden, ported, days in [(False, False, 28), (True, False, 60), (False, True, 90), (True, True, 90)]:
        listing = Listing(country="SG", sku="did", vendor="carrier", golden=golden, ported_in=ported)
        tale = Tale(policy).added(0, listing=listing).holds(1).keeps(("terminated", 10))
        assert tale.state.life.ends_at == day(10 + days)  # type: ignore[union-attr]
        tale = Tale(policy).added(0, listing=listing).holds(1).keeps(("expired", 10))
        assert tale.state.life.ends_at == day(66)  # type: ignore[union-attr]


def test_then_lock_period_and_notice_are_policy() -> None:
    """N15."""
    tale = Tale(Policy(lock_days=10, notice_days=2)).added(0).locked(1)
    tale.then(NumberLocked(at=day(1), ends_at=day(11), notice_at=day(9), remark="to be checked"))


@pytest.mark.parametrize("only_from_reserved", [False, True])
def test_then_golden_numbers_may_need_a_reservation(only_from_reserved: bool) -> None:
    """N15, §10.13: off by default."""
    golden = Listing(country="SG", sku="did", vendor="carrier", golden=True)
    policy = Policy(golden_only_from_reserved=only_from_reserved)
    tale = Tale(policy).added(0, listing=golden).assigned(ACME, SUB, 1)
    if only_from_reserved:
        tale.then_refused(refusals.GoldenNeedsReservation)
    else:
        tale.then(NumberAssigned)
    Tale(policy).added(0, listing=golden).reserved(ACME, 1).assigned(ACME, SUB, 2).then(NumberAssigned)


def test_then_a_policy_changed_later_moves_no_end_that_was_given() -> None:
    """N15: neither of the reservation in force, nor of one that another fact has replaced, nor of one that is over."""
    shorter, longer = Policy(expired_days=20, terminated_days=5), Policy(expired_days=500, terminated_days=400)
    for policy in (shorter, longer):
        tale = reserved_by("expired", 10)
        tale.policy = policy
        tale.keeps(("expired", 10), on=30).then_nothing()

        tale = reserved_by("expired", 10).keeps(("expired", 10), ("terminated", 50)).as_given()  # until day 78
        tale.policy = policy
        tale.keeps(("expired", 10), ("terminated", 50), on=60).then_nothing()
        tale.settled(90).keeps(("expired", 10), ("terminated", 50), on=95).then_nothing()


# -- quarantine (N15) -------------------------------------------------------------------------------------------------


def quarantined() -> Tale:
    """Served a stranger, released on day 88, for nobody else until day 178."""
    tale = Tale(QUARANTINE).added(0).holds(1, party=STRANGER, of=OTHER_SUB)
    return tale.keeps(("terminated", 60), party=STRANGER, of=OTHER_SUB).settled(88)


def test_then_nobody_but_the_last_organization_can_have_a_quarantined_number() -> None:
    """N15."""
    assert quarantined().state.life.quarantined_until == day(178)  # type: ignore[union-attr]
    quarantined().reserved(ACME, 100).then_refused(refusals.NumberInQuarantine, until="2026-06-28T00:00:00Z")
    quarantined().holds(100).then_refused(refusals.NumberInQuarantine)
    quarantined().reserved(RESELLER, 100).then_refused(refusals.NumberInQuarantine)
    quarantined().reserved(STRANGER, 100).then(NumberReserved)
    quarantined().holds(100, party=STRANGER, of="a new one").then(NumberAssigned)


def test_then_a_quarantine_ends_on_record_at_its_instant() -> None:
    """N15, S6: so that whoever waits for the number is decided again."""
    tale = quarantined()
    assert due(tale.state) == day(178)
    tale.settled(200).then(QuarantineEnded(at=day(178)))
    assert due(tale.state) is None
    tale.reserved(ACME, 200).then(NumberReserved)


@pytest.mark.parametrize("way", ["lock", "expired lock", "delete"])
def test_then_neither_lock_nor_delete_gets_round_a_quarantine(way: str) -> None:
    """N15: both stay allowed, and change nothing about it."""
    tale = quarantined()
    if way == "delete":
        tale.deleted(90).recovered(91)
    else:
        tale.locked(90)
        tale = tale.unlocked(91) if way == "lock" else tale.settled(118)
    tale.as_given().reserved(ACME, 120).then_refused(refusals.NumberInQuarantine)
    assert due(tale.state) == day(178)


def test_then_a_quarantine_that_ends_under_a_lock_is_over_with_it() -> None:
    """N15."""
    tale = quarantined().locked(170).unlocked(190).as_given()
    assert due(tale.state) is None
    tale.reserved(ACME, 191).then(NumberReserved)


def test_then_a_number_never_assigned_has_no_quarantine() -> None:
    """N15: one that was ever Assigned."""
    tale = Tale(QUARANTINE).added(0).reserved(STRANGER, 1).released(2)
    assert tale.state.life.quarantined_until is None  # type: ignore[union-attr]


def test_then_other_countries_have_no_quarantine() -> None:
    """N15: by country."""
    elsewhere = Listing(country="DE", sku="did", vendor="carrier")
    tale = Tale(QUARANTINE).added(0, listing=elsewhere).holds(1).keeps(("terminated", 10)).settled(40)
    assert tale.state.life.quarantined_until is None  # type: ignore[union-attr]
    assert LISTING.country in QUARANTINE.quarantine_days


# -- any moments ------------------------------------------------------------------------------------------------------


@given(
    state=st.sampled_from(sorted(states())),
    first=st.integers(0, 400),
    then=st.integers(0, 400),
)
def test_then_settling_in_steps_ends_where_settling_at_once_ends(state: str, first: int, then: int) -> None:
    """N10: a timer may come late, early or twice; only a notice may be missing, where its end passed first."""
    steps, once = states()[state], states()[state]
    end = NOW + first + then
    told = [*steps.settled(NOW + first).events, *steps.settled(end).events]
    once.settled(end)
    assert steps.state.life == once.state.life
    ends = (LockEnding, ReservationEnding)
    assert [e for e in told if not isinstance(e, ends)] == [e for e in once.events if not isinstance(e, ends)]
    assert [e.at for e in told] == sorted(e.at for e in told)


def test_then_an_end_that_is_now_has_passed_for_its_notice() -> None:
    """N10: settled to day 22 at the very end."""
    Tale().added(0).reserved(ACME, 0).settled(22, now=28).then_nothing()
    Tale().added(0).locked(0).settled(22, now=28).then_nothing()


def test_then_a_termination_moves_the_free_end_under_a_cover_and_tells_nothing_twice() -> None:
    """N4, §10.5: what is paid for stays; the notice of day 193 has been told."""
    tale = reserved_by("expired", 10).extended(ACME, 200, 20).settled(193).as_given()
    tale.keeps(("expired", 10), ("terminated", 50), on=194)
    life = tale.state.life
    assert (life.free_ends_at, life.ends_at, life.cover_id) == (day(78), day(200), COVER)  # type: ignore[union-attr]
    assert due(tale.state) == day(200)


def test_then_a_cover_that_ends_with_the_free_period_releases_there() -> None:
    """N4: at the very instant."""
    tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).uncovered(28)
    tale.then(NumberReleased(at=day(28), cause="cover_ended", reserver_id=ACME.id))


def test_then_a_cover_cut_back_into_the_past_ends_without_a_notice() -> None:
    """N4, N10: paid until day 58, now only until day 40, heard on day 50."""
    tale = Tale().added(0).reserved(ACME, 0).extended(ACME, 58, 2).extended(ACME, 40, 50)
    assert instants(tale)[1:] == [("ReservationExpired", day(40)), ("NumberReleased", day(40))]
