"""When subscriptions, parties and people meet over numbers, on a real database (S4, S6, S7, N9, §10.10)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.numbers.facts import ACME, KEY, OTHER_PARTNER, OTHER_SUB, PARTNER, SISTER, STRANGER, SUB, THIRD_SUB, day
from tests.numbers.world import Database, Licensing, World
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.state import Assigned
from trunkline_numbers.domain.party_replica import PLATFORM
from trunkline_numbers.domain.policy import DEFAULT, Policy
from trunkline_numbers.domain.subscription.events import NumberAssignmentRefused

B, C = "+6522222222", "+6533333333"


def told(world: World, *keys: str) -> list[tuple[str, Any]]:
    """(event, instant) of some streams, in the order of the log."""
    place = world.place
    assert isinstance(place, Database)
    return [(type(row.event).__name__, row.event.at) for row in place.log() if row.key in keys]


def awaited(world: World) -> set[tuple[str, str]]:
    assert isinstance(world.place, Database)
    return world.place.awaited()


# -- S6: who cannot have its number waits for it ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["number-unknown", "number-is-locked", "number-is-deleted", "number-taken"])
def test_then_a_number_that_cannot_be_had_is_refused_on_record_and_waited_for(world: World, how: str) -> None:
    """S6: also for a number that has no stream."""
    if how != "number-unknown":
        world.adds(KEY)
    if how == "number-is-locked":
        world.locks(KEY)
    elif how == "number-is-deleted":
        world.by_hand(lambda n, now: by_hand.delete(n, "faulty", "crackles", DEFAULT, now), KEY)
    elif how == "number-taken":
        world.hears(Licensing(OTHER_SUB).started(0))
    world.moves_to(1).hears(Licensing().started(1))
    assert world.waits_for() == how
    assert awaited(world) == {(f"number/{KEY}", f"subscription/{SUB}")}
    assert "NumberAssignmentRefused" in [name for name, _ in told(world, SUB)]


def test_then_whoever_waits_is_served_when_the_number_is_added(world: World) -> None:
    """S6: from then on, not from its start."""
    world.hears(Licensing().started(0)).moves_to(3).adds(KEY)
    assert world.picture(KEY) == ("assigned", SUB)
    assert world.number(KEY).life.since == day(3)  # type: ignore[union-attr]
    assert world.waits_for() is None
    assert awaited(world) == set()


def test_then_the_oldest_start_comes_first_and_the_others_go_on_waiting(world: World) -> None:
    """S6: in whatever order their starts were heard."""
    world.moves_to(10)
    for key, start in [(THIRD_SUB, 5), (SUB, 3), (OTHER_SUB, 4)]:
        world.hears(Licensing(key).started(start))
    world.adds(KEY)
    assert world.picture(KEY) == ("assigned", SUB)
    assert (world.waits_for(OTHER_SUB), world.waits_for(THIRD_SUB)) == ("number-taken", "number-taken")


def test_then_a_change_that_does_not_help_leaves_it_waiting_for_another_reason(world: World) -> None:
    """S6: the reason on record is the present one."""
    world.adds(KEY).locks(KEY).hears(Licensing().started(0))
    world.by_hand(lambda n, now: by_hand.delete(n, "faulty", "crackles", DEFAULT, now), KEY)
    assert world.waits_for() == "number-is-deleted"
    world.by_hand(lambda n, now: by_hand.recover(n, "repaired", now), KEY)
    assert world.picture(KEY) == ("assigned", SUB)


def test_then_it_is_served_in_the_work_of_the_timer_that_frees_the_number(world: World) -> None:
    """S6, N10: another organization's reservation ends on day 66; the timer runs on day 70."""
    first = Licensing(OTHER_SUB, STRANGER.id)
    world.knows(OTHER_PARTNER).hears_of(STRANGER.id, partner_id=OTHER_PARTNER)
    world.adds(KEY).hears(first.started(0)).moves_to(10).hears(first.expired(10))
    world.moves_to(12).hears(Licensing().started(11))
    assert world.waits_for() == "number-held-for-another"
    world.passes_to(70)
    assert world.picture(KEY) == ("assigned", SUB)
    assert world.number(KEY).life.since == day(66)  # type: ignore[union-attr]


def test_then_it_is_served_when_a_quarantine_is_over(strange_world: World) -> None:
    """S6, N15: nothing else happens to the number then."""
    strange_world.applies(Policy(quarantine_days={"SG": 10}))
    world = strange_world.knows(PARTNER, OTHER_PARTNER, ACME.id)
    world.hears_of(STRANGER.id, partner_id=OTHER_PARTNER)
    first = Licensing(OTHER_SUB, STRANGER.id)
    world.adds(KEY).hears(first.started(0), first.terminated(10)).passes_to(38).hears(Licensing().started(38))
    assert world.waits_for() == "number-in-quarantine"
    world.passes_to(47.9)
    assert world.picture(KEY) == ("available",)
    world.passes_to(48)
    assert world.picture(KEY) == ("assigned", SUB)


@pytest.mark.parametrize("end", ["expired", "terminated"])
def test_then_it_waits_only_as_long_as_it_is_active(world: World, end: str) -> None:
    """S6: the number is free again afterwards, and nobody takes it; nor does a later word of the same one."""
    licensing = Licensing()
    world.adds(KEY).locks(KEY).hears(licensing.started(0)).moves_to(2).hears(getattr(licensing, end)(2))
    assert world.waits_for() is None
    world.unlocks(KEY)
    assert world.picture(KEY) == ("available",)
    assert awaited(world) == set()
    if end == "expired":
        world.moves_to(5).hears(licensing.terminated(5))
        assert world.picture(KEY) == ("available",)


def test_then_one_that_is_reactivated_waits_again_and_is_served(world: World) -> None:
    """S6."""
    licensing = Licensing()
    world.adds(KEY).locks(KEY).moves_to(4)
    world.hears(licensing.started(0), licensing.expired(2), licensing.reactivated(3))
    assert world.waits_for() == "number-is-locked"
    assert world.unlocks(KEY).picture(KEY) == ("assigned", SUB)


@pytest.mark.parametrize("first_heard", ["the end", "the start"])
@pytest.mark.parametrize("same_organization", [True, False])
def test_then_the_second_subscriptions_start_and_the_firsts_end_may_be_heard_in_either_order(
    world: World, first_heard: str, same_organization: bool
) -> None:
    """S6, §10.8: the number is reserved for the organization of the first, which may be that of the second."""
    organization = ACME if same_organization else SISTER
    first, second = Licensing(OTHER_SUB), Licensing(SUB, organization.id)
    world.knows(SISTER.id).adds(KEY).hears(first.started(0)).moves_to(12)
    heard = [first.terminated(9), second.started(10)]
    for fact in heard if first_heard == "the end" else reversed(heard):
        world.hears(fact)
    if same_organization:
        assert world.number(KEY).life == Assigned(day(10), SUB, ACME.id)
        assert world.waits_for() is None
    else:
        assert world.picture(KEY)[:4] == ("reserved", OTHER_SUB, "terminated", day(37))
        assert world.waits_for() == "number-held-for-another"
        assert world.passes_to(40).picture(KEY) == ("assigned", SUB)
        assert world.number(KEY).life.since == day(37)  # type: ignore[union-attr]


# -- N9: swaps --------------------------------------------------------------------------------------------------------


def test_then_a_swap_moves_both_numbers_in_one_commit(world: World) -> None:
    """N9: both or neither."""
    licensing = Licensing()
    world.adds(KEY, B).hears(licensing.started(0)).moves_to(5).hears(licensing.swapped(5, B))
    assert world.picture(KEY) == ("reserved", SUB, "swapped", day(6), None)
    assert world.picture(B) == ("assigned", SUB)
    assert world.passes_to(6).picture(KEY) == ("available",)


def test_then_a_refused_swap_keeps_the_old_number_and_waits(world: World) -> None:
    """N9, S6: the refusal is on the subscription's record; when the new number is free, both change at that instant."""
    licensing = Licensing()
    world.adds(KEY, B).locks(B).hears(licensing.started(0)).moves_to(5).hears(licensing.swapped(5, B))
    assert world.picture(KEY) == ("assigned", SUB)
    assert world.picture(B) == ("locked",)
    assert world.waits_for() == "number-is-locked"
    refused = world.subscription().refused
    assert isinstance(refused, NumberAssignmentRefused)
    assert refused.number == B
    world.moves_to(20).unlocks(B)
    assert world.picture(B) == ("assigned", SUB)
    assert world.picture(KEY) == ("reserved", SUB, "swapped", day(21), None)
    assert world.waits_for() is None


def test_then_what_befalls_a_subscription_with_a_refused_swap_befalls_the_old_number(world: World) -> None:
    """N9, §3: expired, run out, and reactivated after it had run out."""
    licensing = Licensing()
    world.adds(KEY, B).by_hand(lambda n, now: by_hand.lock(n, "x", Policy(lock_days=900), now), B)
    world.hears(licensing.started(0)).moves_to(5).hears(licensing.swapped(5, B))
    world.moves_to(10).hears(licensing.expired(10))
    assert world.picture(KEY)[:4] == ("reserved", SUB, "expired", day(66))
    assert world.waits_for() is None
    assert world.passes_to(70).picture(KEY) == ("available",)
    world.hears(licensing.reactivated(70))
    assert world.picture(KEY) == ("assigned", SUB)
    assert world.waits_for() == "number-is-locked"


def test_then_a_second_swap_ends_the_wait_for_the_first(world: World) -> None:
    """N9, S6: superseded."""
    licensing = Licensing()
    world.adds(KEY, B, C).locks(B).hears(licensing.started(0)).moves_to(5).hears(licensing.swapped(5, B))
    world.moves_to(7).hears(licensing.swapped(7, C))
    assert world.waits_for() is None
    assert world.picture(C) == ("assigned", SUB)
    assert world.picture(KEY) == ("reserved", SUB, "swapped", day(8), None)
    assert world.unlocks(B).picture(B) == ("available",)


def test_then_a_subscription_that_does_not_hold_its_old_number_gets_the_new_one_alone(world: World) -> None:
    """N9."""
    licensing = Licensing()
    world.adds(KEY, B).locks(KEY).hears(licensing.started(0)).moves_to(5).hears(licensing.swapped(5, B))
    assert world.picture(B) == ("assigned", SUB)
    assert world.picture(KEY) == ("locked",)
    assert world.waits_for() is None
    world.unlocks(KEY).hears(licensing.renewed(5))
    assert world.picture(KEY) == ("available",)


# -- S7: who is not known yet -----------------------------------------------------------------------------------------


def test_then_facts_of_an_unknown_organization_wait_for_it(strange_world: World) -> None:
    """S7: neither refused nor parked, visible; then they count from their own instants (§10.10)."""
    world, licensing = strange_world.knows(PARTNER), Licensing()
    world.adds(KEY).hears(licensing.started(1)).moves_to(5).hears(licensing.renewed(5))
    assert world.picture(KEY) == ("available",)
    assert world.waits_for() is None
    assert awaited(world) == {(f"party/{ACME.id}", f"subscription/{SUB}")}
    world.moves_to(8).knows(ACME.id)
    assert world.number(KEY).life == Assigned(day(1), SUB, ACME.id)
    assert awaited(world) == set()


def test_then_they_wait_for_an_unknown_partner_likewise(strange_world: World) -> None:
    """S7: first for the organization, then for its partner."""
    world = strange_world.adds(KEY).hears(Licensing().started(0)).knows(ACME.id)
    assert world.picture(KEY) == ("available",)
    assert awaited(world) == {(f"party/{PARTNER}", f"subscription/{SUB}")}
    assert world.knows(PARTNER).picture(KEY) == ("assigned", SUB)
    assert awaited(world) == set()


def test_then_the_platforms_own_organizations_wait_for_no_partner(strange_world: World) -> None:
    """S7, N1: they are shown what the platform's own portals show."""
    world = strange_world
    world.hears_of(PLATFORM, domains=("top.example",))
    world.hears_of(ACME.id, partner_id=None)
    listing = by_hand.Listing(country="SG", sku="did", vendor="carrier", domains=("top.example",))
    world.by_hand(lambda n, now: by_hand.add(n, listing, None, None, DEFAULT, now), KEY)
    assert world.hears(Licensing().started(0)).picture(KEY) == ("assigned", SUB)


def test_then_a_number_shown_to_other_portals_is_refused(world: World) -> None:
    """S6, N1: not visible."""
    listing = by_hand.Listing(country="SG", sku="did", vendor="carrier", domains=("other.example",))
    world.by_hand(lambda n, now: by_hand.add(n, listing, None, None, DEFAULT, now), KEY)
    assert world.hears(Licensing().started(0)).waits_for() == "number-not-visible"


# -- late facts -------------------------------------------------------------------------------------------------------


def test_then_an_expiry_heard_60_days_late_is_reserved_and_released_both_on_record(world: World) -> None:
    """§10.10, N10."""
    licensing = Licensing()
    world.adds(KEY).hears(licensing.started(0)).moves_to(70).hears(licensing.expired(10))
    assert told(world, KEY)[2:] == [
        ("NumberReserved", day(10)),
        ("ReservationExpired", day(66)),
        ("NumberReleased", day(66)),
    ]
    assert world.place.due() == []


def test_then_a_termination_later_than_the_expiry_never_shortens(world: World) -> None:
    """§10.5: in either order."""
    licensing = Licensing()
    facts = [licensing.started(0), licensing.expired(10), licensing.terminated(20)]
    world.adds(KEY).moves_to(21).hears(facts[0], facts[2])
    assert world.picture(KEY)[:4] == ("reserved", SUB, "expired", day(66))
    before = told(world, KEY)
    world.hears(facts[1], facts[2], facts[0])
    assert told(world, KEY) == before


def test_then_reactivation_after_the_reservation_ran_out_assigns_again(world: World) -> None:
    """§10.10: unless somebody has acted; then it waits (S6)."""
    licensing = Licensing()
    world.adds(KEY).hears(licensing.started(0), licensing.expired(1)).passes_to(60)
    assert world.picture(KEY) == ("available",)
    world.hears(licensing.reactivated(50))
    assert world.number(KEY).life == Assigned(day(50), SUB, ACME.id)
    licensing = Licensing(OTHER_SUB)
    world.adds(B).hears(licensing.started(1, B), licensing.expired(2)).locks(B).moves_to(61)
    world.hears(licensing.reactivated(55))
    assert world.picture(B) == ("locked",)
    assert world.waits_for(OTHER_SUB) == "number-is-locked"


def test_then_what_happens_to_its_cause_goes_into_every_envelope(world: World) -> None:
    """N13: who, when and why."""
    licensing = Licensing()
    message = licensing.started(0)
    world.adds(KEY).hears(message)
    assert isinstance(world.place, Database)
    (assigned,) = (row for row in world.place.log() if type(row.event).__name__ == "NumberAssigned")
    assert assigned.meta.causation_id == message.id
    assert assigned.meta.correlation_id == message.correlation_id
    assert assigned.meta.actor == message.source


def test_then_the_same_batch_again_writes_nothing(world: World) -> None:
    """X3: redelivery."""
    licensing = Licensing()
    facts = [licensing.started(0), licensing.swapped(5, B), licensing.expired(6)]
    world.adds(KEY, B).moves_to(7).hears(*facts)
    assert isinstance(world.place, Database)
    before = len(world.place.log())
    world.hears(*facts).hears(*reversed(facts))
    assert len(world.place.log()) == before
