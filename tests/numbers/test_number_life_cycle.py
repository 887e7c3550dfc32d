"""When a number lives through each row of the table of DOMAIN §3, in order and in time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.numbers.facts import ACME, COVER, LISTING, PARTNER, RESELLER, SISTER, SUB, Tale, day
from trunkline_numbers.domain.number import errors as refusals
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import (
    LockExpired,
    NumberAdded,
    NumberAssigned,
    NumberDeleted,
    NumberLocked,
    NumberRecovered,
    NumberReleased,
    NumberReserved,
    NumberUnbound,
    NumberUnlocked,
    ReservationExpired,
    ReservationExtended,
)
from trunkline_numbers.domain.number.state import Party
from trunkline_numbers.domain.number.subscription_sync import Keep
from trunkline_numbers.domain.policy import DEFAULT


def kept(cause: str, at: float, end: float, **own: object) -> NumberReserved:
    """A reservation for the organization of the subscription; told seven days before, if it is that long."""
    notice = day(end - 7) if end - at >= 7 else None
    fields = {
        "reserver_id": ACME.id,
        "reserver_kind": "organization",
        "subscription_id": SUB,
        "notice_at": notice,
        "free_ends_at": day(end),
        **own,
    }
    return NumberReserved(at=day(at), cause=cause, ends_at=day(end), **fields)  # type: ignore[arg-type]


def assigned(at: float, *, restored: bool = False) -> NumberAssigned:
    return NumberAssigned(at=day(at), subscription_id=SUB, organization_id=ACME.id, restored=restored)


def test_then_it_is_added_available() -> None:
    """N12: the policy's voice carrier where none was chosen (R2)."""
    tale = Tale().added(0)
    (event,) = tale.events
    assert isinstance(event, NumberAdded)
    assert event.listing.voice_carrier == "default"
    assert event.listing.sms_carrier is None
    assert tale.state.state == "available"


def test_then_it_is_added_locked_without_end_where_it_was_locked_before() -> None:
    """N7."""
    tale = Tale().added(0, legacy_lock=True)
    assert tale.state.state == "locked"
    tale.settled(10_000).then_nothing()


@pytest.mark.parametrize("party", [ACME, RESELLER])
def test_then_reserve_keeps_it_28_days_for_free(party: object) -> None:
    """N2: for an organization, or a partner."""
    tale = Tale().added(0).reserved(party, 1)  # type: ignore[arg-type]
    (event,) = tale.events
    assert isinstance(event, NumberReserved)
    assert (event.cause, event.at, event.ends_at, event.notice_at) == ("manual", day(1), day(29), day(22))
    assert event.free_ends_at == event.ends_at
    assert event.cover_id is None
    assert event.remark == "asked for it"


def test_then_an_available_number_is_assigned() -> None:
    """§3."""
    Tale().added(0).assigned(ACME, SUB, 1).then(assigned(1))


def test_then_lock_holds_it_28_days() -> None:
    """N6, §10.2."""
    locked = NumberLocked(at=day(1), ends_at=day(29), notice_at=day(22), remark="to be checked")
    Tale().added(0).locked(1).then(locked)


@pytest.mark.parametrize("state", ["available", "locked", "legacy"])
def test_then_it_is_deleted_with_a_reason_and_a_remark(state: str) -> None:
    """N8, R7."""
    tale = Tale().added(0, legacy_lock=state == "legacy")
    if state == "locked":
        tale.locked(1)
    tale.deleted(2).then(NumberDeleted(at=day(2), reason="faulty", remark="crackles"))


def test_then_the_reservers_own_subscription_gets_a_reserved_number() -> None:
    """§10.8."""
    Tale().added(0).reserved(ACME, 1).assigned(ACME, SUB, 2).then(assigned(2))


def test_then_a_subscription_in_the_reserving_partners_branch_gets_it() -> None:
    """§3."""
    Tale().added(0).reserved(RESELLER, 1).assigned(ACME, SUB, 2).then(assigned(2))


def test_then_extend_charges_what_follows_the_free_period() -> None:
    """N4, §10.6: 30 days more after the current end, and a new notice."""
    extended = ReservationExtended(
        at=day(2),
        reserver_id=ACME.id,
        reserver_kind="organization",
        cover_id=COVER,
        free_ends_at=day(29),
        ends_at=day(59),
        notice_at=day(52),
    )
    Tale().added(0).reserved(ACME, 1).extended(ACME, 59, 2).then(extended)


def test_then_a_partners_reservation_is_extended_by_an_organization_of_its_branch() -> None:
    """N4."""
    tale = Tale().added(0).reserved(RESELLER, 1).extended(ACME, 59, 2).then(ReservationExtended)
    assert tale.events[0].reserver_id == PARTNER  # type: ignore[attr-defined]


def test_then_release_by_hand_makes_it_available() -> None:
    """§3."""
    released = NumberReleased(at=day(2), cause="by_hand", reserver_id=ACME.id, remark="not needed")
    Tale().added(0).reserved(ACME, 1).released(2).then(released)


def test_then_expiry_reserves_56_days_from_its_instant() -> None:
    """N3."""
    Tale().added(0).holds(1).keeps(("expired", 10)).then(kept("expired", 10, 66))


def test_then_termination_reserves_28_days_from_its_instant() -> None:
    """N3."""
    Tale().added(0).holds(1).keeps(("terminated", 10)).then(kept("terminated", 10, 38))


def test_then_a_swap_reserves_one_day_without_notice() -> None:
    """N3, N5."""
    Tale().added(0).holds(1).keeps(("swapped", 10)).then(kept("swapped", 10, 11))


def test_then_termination_never_shortens_an_expiry() -> None:
    """§10.5: 10 + 56 is later than 20 + 28."""
    expired = Tale().added(0).holds(1).keeps(("expired", 10))
    expired.keeps(("expired", 10), ("terminated", 20)).then_nothing()


def test_then_termination_moves_the_end_where_its_own_is_later() -> None:
    """§10.5: 50 + 28 is later than 10 + 56."""
    expired = Tale().added(0).holds(1).keeps(("expired", 10))
    expired.keeps(("expired", 10), ("terminated", 50)).then_state(lambda n: n.life.ends_at == day(78))  # type: ignore[union-attr]
    assert expired.events[-1] == kept("terminated", 50, 78)


def test_then_a_swap_before_the_expiry_leaves_one_day_from_the_swap() -> None:
    """§10.12: heard afterwards, still within the day."""
    expired = Tale().added(0).holds(1).keeps(("expired", 10))
    expired.keeps(("swapped", 9.5), on=10.2).then(kept("swapped", 9.5, 10.5))


def test_then_a_reservation_ends_at_its_instant_and_the_number_is_released() -> None:
    """N10: however late the timer."""
    tale = Tale().added(0).reserved(ACME, 1).settled(100)
    tale.then(
        ReservationExpired(at=day(29), reserver_id=ACME.id, reserver_kind="organization"),
        NumberReleased(at=day(29), cause="ended", reserver_id=ACME.id),
    )


def test_then_reactivation_restores_what_the_expiry_reserved() -> None:
    """§3."""
    Tale().added(0).holds(1).keeps(("expired", 10)).holds(20).then(assigned(20, restored=True))


def test_then_reactivation_restores_what_has_run_out_meanwhile() -> None:
    """§10.10: available since day 66, nobody having acted on it."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).settled(70)
    tale.holds(71).then(assigned(71, restored=True))


def test_then_termination_reserves_again_what_has_run_out_while_its_end_is_ahead() -> None:
    """§10.10: expired on day 10, over on day 66; terminated on day 60 gives day 88."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).settled(70)
    tale.keeps(("expired", 10), ("terminated", 60), on=71).then(kept("terminated", 60, 88))


def test_then_termination_says_nothing_where_its_end_is_over_too() -> None:
    """§10.10."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).settled(70)
    tale.keeps(("expired", 10), ("terminated", 20), on=71).then_nothing()


@pytest.mark.parametrize("act", ["locked and unlocked", "deleted and recovered", "bound", "reserved and released"])
def test_then_a_late_fact_takes_nothing_back_once_somebody_has_acted(act: str) -> None:
    """§10.10: the number is treated as anybody's."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).settled(70).as_given()
    match act:
        case "locked and unlocked":
            tale.locked(71).unlocked(71)
        case "deleted and recovered":
            tale.deleted(71).recovered(71)
        case "bound":
            tale.bound(71)
        case _:
            tale.reserved(ACME, 71).released(71)
    tale.as_given().keeps(("expired", 10), ("terminated", 60), on=72).then_nothing()
    tale.holds(73).then(assigned(73, restored=False))


def test_then_unlock_makes_it_available() -> None:
    """§3; N7: a legacy lock too."""
    Tale().added(0).locked(1).unlocked(2).then(NumberUnlocked(at=day(2), remark="checked"))
    legacy = Tale().added(0, legacy_lock=True).unlocked(2).then(NumberUnlocked)
    assert legacy.state.state == "available"


def test_then_a_lock_ends_at_its_instant() -> None:
    """N6, N10."""
    Tale().added(0).locked(1).settled(100).then(LockExpired(at=day(29)))


def test_then_recover_leads_to_available() -> None:
    """§10.7."""
    tale = Tale().added(0).deleted(1).recovered(2).then(NumberRecovered(at=day(2), remark="repaired"))
    assert tale.state.state == "available"
    assert tale.state.listing.sku == LISTING.sku


def test_then_a_late_expiry_is_reserved_and_released_both_on_record() -> None:
    """§10.10: heard on day 70, over since day 66."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10), on=70)
    tale.then(
        kept("expired", 10, 66),
        ReservationExpired(at=day(66), reserver_id=ACME.id, reserver_kind="organization", subscription_id=SUB),
        NumberReleased(at=day(66), cause="ended", reserver_id=ACME.id, subscription_id=SUB),
    )


def test_then_what_fell_due_before_a_late_fact_is_recorded_before_it() -> None:
    """N10: the reservation ended on day 66, the reactivation of day 70 is heard on day 80, no timer ran."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).holds(70, 80)
    tale.then(
        ReservationExpired(at=day(66), reserver_id=ACME.id, reserver_kind="organization", subscription_id=SUB),
        NumberReleased(at=day(66), cause="ended", reserver_id=ACME.id, subscription_id=SUB),
        assigned(70, restored=True),
    )


def test_then_a_subscription_never_served_before_its_end_takes_the_number_first() -> None:
    """X4: its expiry is heard before its start."""
    Tale().added(0).follows(Keep((("expired", day(10)),), held_from=day(5)), 10, 11).then(
        assigned(5), kept("expired", 10, 66)
    )


# -- who may delete, remarks, bindings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uploader", "by", "allowed"),
    [
        (None, None, True),
        (None, RESELLER, False),
        (None, ACME, False),
        (RESELLER, None, False),
        (RESELLER, RESELLER, True),
        (RESELLER, ACME, False),
        (ACME, None, True),
        (ACME, RESELLER, True),
        (ACME, ACME, True),
        (ACME, SISTER, False),
    ],
)
def test_then_who_brought_it_in_decides_who_may_delete_it(
    uploader: Party | None, by: Party | None, allowed: bool
) -> None:
    """R7, P3: the platform not what a partner uploaded, nor a partner what the platform uploaded."""
    own = {"uploader_id": uploader.id, "uploader_kind": uploader.kind} if uploader else {}
    tale = Tale().added(0, **own).deleted(1, by)
    if allowed:
        tale.then(NumberDeleted)
    else:
        tale.then_refused(refusals.NumberNotYoursToDelete)


def test_then_a_bound_number_is_not_reserved_for_another() -> None:
    """§3: nor locked, deleted; its own organization may reserve it."""
    held = Tale().added(0, holder=RESELLER).bound(1)
    held.reserved(SISTER, 2).then_refused(refusals.NumberHasBinding, kinds="pbx")
    held.reserved(ACME, 2).then(NumberReserved)


@pytest.mark.parametrize("cause", ["terminated", "swapped"])
def test_then_a_binding_ends_with_what_takes_the_number_away(cause: str) -> None:
    """X5: with the cause on record; an expiry only suspends it."""
    tale = Tale().added(0).holds(1).bound(2).keeps(("expired", 10))
    assert tale.state.bindings
    tale.keeps(("expired", 10), (cause, 11))
    assert [e.cause for e in tale.events if isinstance(e, NumberUnbound)] == [cause]
    assert not tale.state.bindings
    tale.keeps(("expired", 10), (cause, 11)).then_nothing()


def test_then_a_binding_comes_back_with_a_restored_number() -> None:
    """X5."""
    tale = Tale().added(0).holds(1).bound(2).keeps(("expired", 10)).holds(20)
    assert tale.state.bindings


def test_then_a_release_ends_a_binding() -> None:
    """X5: by hand or by time."""
    for end in (lambda t: t.released(20), lambda t: t.settled(66)):
        tale = end(Tale().added(0).holds(1).bound(2).keeps(("expired", 10)))
        assert [e.cause for e in tale.events if isinstance(e, NumberUnbound)] == ["released"]


def test_then_remarks_are_kept_as_they_are_meant() -> None:
    """§1, §9: in the one form of texts (`trunkline.text`), in any script, over several lines."""
    n, said = Tale().added(0).state, "  zwei\r\nZeilen\u3000\u00a0\N{GRINNING FACE} "
    (reserved,) = by_hand.reserve(n, ACME, said, DEFAULT, day(1))
    assert reserved.remark == "zwei\nZeilen \N{GRINNING FACE}"  # type: ignore[attr-defined]
    (given,) = by_hand.assign(n, ACME, SUB, "active", "  ", DEFAULT, day(1))
    assert given.remark is None  # type: ignore[attr-defined]


def test_then_a_subscription_that_is_not_active_gets_nothing() -> None:
    """§3: and an active one that has it already gets nothing more."""
    Tale().added(0).assigned(ACME, SUB, 1, status="expired").then_refused(refusals.SubscriptionNotActive)
    Tale().added(0).assigned(ACME, SUB, 1).assigned(ACME, SUB, 2).then_nothing()


def test_then_what_a_person_released_is_not_claimed_back() -> None:
    """§10.10: somebody has acted."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).released(20)
    tale.keeps(("expired", 10), ("terminated", 15), on=21).then_nothing()
    tale.holds(22).then(assigned(22, restored=False))


@pytest.mark.parametrize("heard", [88, 100])
def test_then_a_later_end_that_is_over_as_well_is_on_record_and_counts(heard: float) -> None:
    """§10.10, N1: as heard in order, reserved until day 88 and Available since then, not since day 66; once."""
    tale = Tale().added(0).holds(1).keeps(("expired", 10)).settled(70)
    facts = ("expired", 10), ("terminated", 60)
    tale.keeps(*facts, on=heard).then(NumberReserved, ReservationExpired, NumberReleased)
    assert (tale.state.state, tale.state.life.since) == ("available", day(88))  # type: ignore[union-attr]
    tale.keeps(*facts, on=heard).then_nothing()


def test_then_a_fact_of_the_future_ends_nothing_before_its_time() -> None:
    """N10: another's reservation stands until day 29."""
    Tale().added(0).reserved(SISTER, 1).holds(40, 20).then_refused(refusals.NumberHeldForAnother)


def test_then_texts_have_a_default_carrier_only_where_there_are_texts() -> None:
    """R2."""
    texts = Tale().added(0, listing=replace(LISTING, sms=True, voice=False)).state.listing
    assert (texts.voice_carrier, texts.sms_carrier) == (None, "default")
    chosen = Tale().added(0, listing=replace(LISTING, sms=True, sms_carrier="mine", voice_carrier="own")).state.listing
    assert (chosen.voice_carrier, chosen.sms_carrier) == ("own", "mine")


def test_then_a_remark_of_a_thousand_characters_is_taken() -> None:
    """§9: to the character."""
    n = Tale().added(0).state
    assert by_hand.lock(n, "x" * 1000, DEFAULT, day(1))
