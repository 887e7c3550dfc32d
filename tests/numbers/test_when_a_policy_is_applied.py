"""When another policy comes into force: what is written from then on obeys it, and the past stays (N15, R10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.numbers.facts import ACME, KEY, LISTING, PARTNER, SUB, day
from tests.numbers.world import BY_HAND, Database, Licensing, World, prepare
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import Listing, NumberReserved
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Available, Locked, Reserved
from trunkline_numbers.domain.policy import (
    CURRENT,
    DEFAULT,
    POLICY,
    Policy,
    PolicyApplied,
    PolicyInForce,
    PolicyOutdated,
    SpecialPeriod,
    apply_policy,
)
from trunkline_numbers.wiring import service

LONG = Policy(expired_days=100, terminated_days=80, manual_days=60, lock_days=50, notice_days=3)


def test_then_the_newest_document_counts_and_the_same_one_says_nothing() -> None:
    """N15: the built-in policy is version 0."""
    state = PolicyInForce()
    assert state.policy is DEFAULT
    assert apply_policy(state, Policy(), None, day(0)) == []
    state = POLICY.fold(CURRENT, apply_policy(state, LONG, "agreed", day(1)))
    assert (state.policy, state.version, state.since) == (LONG, 1, day(1))
    assert apply_policy(state, LONG, "again", day(2)) == []
    assert apply_policy(state, DEFAULT, None, day(2), based_on=1) == [PolicyApplied(at=day(2), policy=DEFAULT)]
    with pytest.raises(PolicyOutdated, match=r"version 0 .* version 1 is in force"):
        apply_policy(state, DEFAULT, None, day(2), based_on=0)


def test_then_what_was_given_before_stays_and_what_comes_after_obeys(world: World) -> None:
    """N15: events hold instants, so a later policy never rewrites the past."""
    b, c = "+6512345679", "+6512345680"
    licensing = Licensing()
    world.adds(KEY, b, c).locks(c).hears(licensing.started(0)).moves_to(10).hears(licensing.expired(10))
    world.by_hand(lambda n, now: by_hand.reserve(n, ACME, "kept", world.policy, now), b)
    before = {number: world.number(number).life for number in (KEY, b, c)}
    world.applies(LONG).moves_to(20)
    assert {number: world.number(number).life for number in (KEY, b, c)} == before
    world.passes_to(65)
    assert world.picture(KEY) == ("reserved", SUB, "expired", day(66), None)
    world.passes_to(66)
    assert [world.picture(number) for number in (KEY, b, c)] == [("available",)] * 3
    world.by_hand(lambda n, now: by_hand.reserve(n, ACME, "kept", world.policy, now), b).locks(c)
    reserved, locked = world.number(b).life, world.number(c).life
    assert isinstance(reserved, Reserved)
    assert isinstance(locked, Locked)
    assert (reserved.ends_at, reserved.notice_at) == (day(126), day(123))
    assert (locked.ends_at, locked.notice_at) == (day(116), day(113))


def test_then_golden_and_ported_in_numbers_get_periods_of_their_own(world: World) -> None:
    """N15, R10: a late expiry is given the period in force when it is heard."""
    special = SpecialPeriod(property="ported_in", cause="expired", days=90)
    world.applies(Policy(special_periods=(special,), golden_only_from_reserved=True))
    ported = Listing(country="SG", sku="did", vendor="carrier", ported_in=True)
    world.by_hand(lambda n, now: by_hand.add(n, ported, None, None, world.policy, now), KEY)
    licensing = Licensing()
    world.hears(licensing.started(0)).moves_to(10).hears(licensing.expired(5))
    assert world.picture(KEY) == ("reserved", SUB, "expired", day(95), day(88))


def test_then_a_golden_number_is_assigned_only_to_whom_it_was_reserved_for(world: World) -> None:
    """N15, S6: the start is refused and waits; it is served when the number is reserved for its organization."""
    world.applies(Policy(golden_only_from_reserved=True))
    golden = Listing(country="SG", sku="did", vendor="carrier", golden=True)
    world.by_hand(lambda n, now: by_hand.add(n, golden, None, None, world.policy, now), KEY)
    world.hears(Licensing().started(0))
    assert world.waits_for() == "golden-needs-reservation"
    world.by_hand(lambda n, now: by_hand.reserve(n, ACME, "theirs", world.policy, now), KEY)
    assert world.picture(KEY) == ("assigned", SUB)


def test_then_default_carriers_are_those_in_force(world: World) -> None:
    """N15, R2."""
    world.adds(KEY).applies(Policy(voice_carrier="Carrier Two"))
    other = "+6512345679"
    world.adds(other)
    assert world.number(KEY).listing.voice_carrier == "default"
    assert world.number(other).listing.voice_carrier == "Carrier Two"


def test_then_a_quarantine_is_given_to_what_is_released_from_then_on(world: World) -> None:
    """N15: also by a timer that is late; lock and delete stay allowed."""
    other = "+6512345679"
    licensing = Licensing()
    world.adds(KEY, other).hears(licensing.started(0)).moves_to(10).hears(licensing.terminated(10))
    world.moves_to(40).applies(Policy(quarantine_days={LISTING.country: 30})).passes_to(41)
    free = world.number(KEY).life
    assert isinstance(free, Available)
    assert (free.since, free.quarantined_until) == (day(38), day(68))
    world.locks(KEY).unlocks(KEY)
    world.by_hand(lambda n, now: by_hand.delete(n, "faulty", "crackles", world.policy, now), KEY)
    assert world.picture(KEY) == ("deleted",)


# -- two copies of the service ----------------------------------------------------------------------------------------


@pytest.fixture
def copies(new_database: Callable[..., str]) -> Iterator[tuple[World, Store]]:
    """A world, and a second copy of the service on the same database."""
    url = new_database(prepare)
    place, other = Database(url), Store(url, service().codec())
    yield World(place).knows(PARTNER, ACME.id), other
    place.store.close()
    other.close()


def applied_by(store: Store, policy: Policy) -> None:
    """Put a policy in force in one copy."""

    def act(uow: UnitOfWork) -> None:
        uow.record(POLICY, CURRENT, apply_policy(uow.state(POLICY, CURRENT), policy, None, uow.now), BY_HAND)

    run(store, lambda: day(1), act)


def test_then_what_another_copy_is_about_to_write_is_decided_again(copies: tuple[World, Store]) -> None:
    """N15: no event is written by a policy that is in force no more, whichever copy applied the new one."""
    world, other = copies
    world.adds(KEY)
    place, seen = world.place, []
    assert isinstance(place, Database)

    def decide(uow: UnitOfWork) -> None:
        uow.load([THE_POLICY, (NUMBER, KEY)])
        seen.append(in_force(uow))
        if len(seen) == 1:
            applied_by(other, LONG)  # after this copy has read the policy, before it commits
        uow.record(NUMBER, KEY, by_hand.reserve(uow.state(NUMBER, KEY), ACME, "kept", in_force(uow), uow.now), BY_HAND)

    place.run(decide)
    assert seen == [DEFAULT, LONG]
    (reserved,) = [e.event for e in place.log() if isinstance(e.event, NumberReserved)]
    assert reserved.ends_at == day(60)


def test_then_the_other_copy_obeys_with_its_next_batch(copies: tuple[World, Store]) -> None:
    """N15: nothing is kept in a process beyond one piece of work."""
    (world, other), licensing = copies, Licensing()
    world.adds(KEY).hears(licensing.started(0))
    applied_by(other, LONG)
    world.moves_to(10).hears(licensing.expired(10))
    assert world.picture(KEY) == ("reserved", SUB, "expired", day(110), day(107))


def test_then_the_policy_costs_no_query_of_its_own(
    copies: tuple[World, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N15: it is read in one query with the batch's subscriptions, and with the numbers that are due."""
    (world, _), licensing = copies, Licensing()
    world.adds(KEY).applies(LONG)
    asked: list[Sequence[str]] = []
    read = Store.read

    def watched(store: Store, stream_ids: Sequence[str], *more: Any, **beside: Any) -> Any:
        asked.append(list(stream_ids))
        return read(store, stream_ids, *more, **beside)

    monkeypatch.setattr(Store, "read", watched)
    world.hears(licensing.started(0))
    assert {"policy/current", f"subscription/{SUB}", f"number/{KEY}"} <= set(asked[0])
    assert sum("policy/current" in query for query in asked) == 1
    world.moves_to(10).hears(licensing.expired(10))
    asked.clear()
    world.passes_to(107)
    assert asked == [["policy/current", f"number/{KEY}"]]
