"""When a pool is supplied and used: never more in active use than was bought, the newest suspended first (L4, S5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trunkline.testing import Story
from trunkline_licensing.domain.pool.errors import NoAddonLicense, NoBaseLicense, ReferenceUnknown
from trunkline_licensing.domain.pool.events import (
    PoolSupplied,
    Unit,
    UnitsAllocated,
    UnitsFreed,
    UnitsResumed,
    UnitsSuspended,
)
from trunkline_licensing.domain.pool.pool import POOL, Pool, due, pool_key, supply, unsettled
from trunkline_licensing.domain.pool.units import Spare, allocate, free, grant, units_of

ORG = "0a9e0000-0000-4000-8000-000000000001"
OLD, NEW = "5ab5c1b7-0000-4000-8000-000000000001", "5ab5c1b7-0000-4000-8000-000000000002"


def day(n: float) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)


def supplied(subscription: str = OLD, on: float = 0, **own: Any) -> PoolSupplied:
    began = day(0 if subscription == OLD else 1)
    given = {"quantity": 3, "status": "active", "started_at": began, **own}
    return PoolSupplied(at=day(on), subscription_id=subscription, **given)


def units(*extensions: str, of: str = OLD) -> tuple[Unit, ...]:
    return tuple(Unit(extension, of) for extension in extensions)


def used(*extensions: str, of: str = OLD, on: float = 2) -> UnitsAllocated:
    return UnitsAllocated(at=day(on), units=units(*extensions, of=of))


def pool(*events: Any, code: str = "phone_system") -> Story[Pool]:
    return Story(POOL, pool_key(ORG, code)).given(*events)


def counts(p: Pool) -> tuple[int, int, int, int]:
    return p.purchased, p.allocated, p.free, p.suspended


def names(found: tuple[Unit, ...]) -> list[str]:
    return [unit.extension_id for unit in found]


# -- supply -----------------------------------------------------------------------------------------------------------


def test_then_a_subscription_supplies_it_once_for_each_change() -> None:
    """S5: said again, nothing; a lapsed one counts for nothing."""
    active = {"status": "active", "quantity": 3, "started_at": day(0)}
    told = pool().when(lambda p: supply(p, OLD, day(0), **active)).then(supplied())
    told.when(lambda p: supply(p, OLD, day(1), **active)).then_nothing()
    told.when(lambda p: supply(p, OLD, day(2), **active | {"status": "expired"})).then(PoolSupplied)
    told.then_state(lambda p: counts(p) == (0, 0, 0, 0))


def test_then_a_subscription_that_was_never_its_own_cannot_leave() -> None:
    """S5: `moved` concerns the pool that had it."""
    pool().when(lambda p: supply(p, OLD, day(1), status="moved")).then_nothing()
    gone = pool(supplied(), used("a")).when(lambda p: supply(p, OLD, day(3), status="moved")).then(PoolSupplied)
    gone.then_state(lambda p: (step := unsettled(p, 9)) is not None and names(step.withdraw) == ["a"])
    gone.when(lambda p: supply(p, OLD, day(4), status="moved")).then_nothing()


# -- allocation -------------------------------------------------------------------------------------------------------


def test_then_the_oldest_active_subscription_with_spare_units_comes_first() -> None:
    """L4: whatever the order in which they were heard."""
    both = pool(supplied(NEW, quantity=2), supplied(OLD, quantity=1))
    both.when(lambda p: allocate(p, [("a", None), ("b", None)], day(2)))
    both.then(UnitsAllocated(at=day(2), units=(Unit("a", OLD), Unit("b", NEW))))
    both.given(supplied(OLD, 3, quantity=1, status="expired"))
    both.when(lambda p: allocate(p, [("c", None)], day(3))).then(used("c", of=NEW, on=3))
    both.when(lambda p: allocate(p, [("d", None)], day(3))).then_refused(NoBaseLicense)


def test_then_a_reference_chooses_among_the_subscriptions() -> None:
    """L4: of the one referred to or of none."""
    both = pool(supplied(OLD), supplied(NEW, reference="PO7", quantity=1))
    both.when(lambda p: allocate(p, [("a", "PO7")], day(2))).then(used("a", of=NEW))
    both.when(lambda p: allocate(p, [("b", "PO7")], day(2))).then_refused(NoBaseLicense)
    both.when(lambda p: allocate(p, [("b", "PO8")], day(2))).then_refused(ReferenceUnknown, value="PO8")
    both.given(supplied(NEW, 3, reference="PO7", quantity=1, status="expired"))
    both.when(lambda p: allocate(p, [("b", "PO7")], day(3))).then_refused(NoBaseLicense)
    both.given(supplied(NEW, 3, reference="PO7", quantity=1, status="terminated"))
    both.when(lambda p: allocate(p, [("b", "PO7")], day(3))).then_refused(ReferenceUnknown)


def test_then_all_are_served_or_none() -> None:
    """L4: a command is whole; nothing is on record of one that was refused."""
    pool(supplied(quantity=1)).when(lambda p: allocate(p, [("a", None), ("b", None)], day(2))).then_refused(
        NoBaseLicense
    )
    addon = pool(supplied(quantity=1), code="team_chat")
    addon.when(lambda p: allocate(p, [("a", None), ("b", None)], day(2)))
    addon.then_refused(NoAddonLicense, license_code="team_chat")


def test_then_rows_are_served_in_their_order() -> None:
    """L10, §10.3: those that come when nothing is left fail, the ones before do not."""
    p = pool(supplied(quantity=1), supplied(NEW, quantity=1, reference="PO7")).state
    found = grant(p, [("a", "PO7"), ("b", "PO7"), ("c", None), ("d", None)])
    assert [f if isinstance(f, str) else type(f) for f in found] == [NEW, NoBaseLicense, OLD, NoBaseLicense]


def test_then_a_unit_can_be_put_back_before_it_is_on_record() -> None:
    """L12: what one row did not need after all, the next one can have."""
    spare = Spare(pool(supplied(quantity=1)).state)
    spare.take("a")
    assert spare.left() == 0
    spare.put_back("a")
    assert spare.take("b") == OLD
    assert spare.allocated(day(2)) == [used("b")]


def test_then_freed_units_can_be_had_again() -> None:
    """L15: freeing what is not used says nothing."""
    told = pool(supplied(quantity=1), used("a"))
    told.when(lambda p: free(p, ["a", "x"], "by_hand", day(3)))
    told.then(UnitsFreed(at=day(3), units=units("a"), cause="by_hand"))
    told.then_state(lambda p: counts(p) == (1, 0, 1, 0))
    told.when(lambda p: free(p, ["a"], "by_hand", day(4))).then_nothing()


# -- what follows -----------------------------------------------------------------------------------------------------


def test_then_the_newest_beyond_a_lowered_quantity_are_suspended_by_name() -> None:
    """L4: nothing is allocated until there is room; a freed unit covers the oldest suspended one again."""
    told = pool(supplied(quantity=4), used("a", "b"), used("c", "d")).given(supplied(on=3, quantity=2))
    told.then_state(lambda p: counts(p) == (2, 4, 0, 2))
    step = unsettled(told.state, 9)
    assert step is not None
    assert (step.at, names(step.suspend), step.resume, step.withdraw) == (day(3), ["c", "d"], (), ())
    told.given(UnitsSuspended(at=day(3), units=step.suspend)).then_state(lambda p: unsettled(p, 9) is None)
    told.when(lambda p: allocate(p, [("e", None)], day(4))).then_refused(NoBaseLicense)
    told.given(UnitsFreed(at=day(4), units=units("a"), cause="by_hand"))
    step = unsettled(told.state, 9)
    assert step is not None
    assert names(step.resume) == ["c"]
    told.given(UnitsResumed(at=day(4), units=step.resume)).then_state(lambda p: due(p) is None)


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_then_thousands_are_suspended_and_resumed_a_few_at_a_time(limit: int) -> None:
    """S5, L4: at every step those on record are the newest ones; in the end all that are not covered."""
    told = pool(supplied(quantity=5), used("a", "b", "c", "d", "e")).given(supplied(on=3, quantity=1))
    order = ["a", "b", "c", "d", "e"]
    while (step := unsettled(told.state, limit)) is not None:
        assert len(step.suspend) <= limit
        told.given(UnitsSuspended(at=step.at, units=step.suspend))
        marked = [e for e in told.state.supplies[OLD].users if e in told.state.supplies[OLD].marked]
        assert marked == order[len(order) - len(marked) :]
    assert len(told.state.supplies[OLD].marked) == 4
    told.given(supplied(on=4, quantity=5))
    while (step := unsettled(told.state, limit)) is not None:
        told.given(UnitsResumed(at=step.at, units=step.resume))
    assert len(told.state.supplies[OLD].marked) == 0


@pytest.mark.parametrize(("quantity", "suspended"), [(9, []), (3, ["d"]), (2, ["c", "d"]), (0, ["a", "b", "c", "d"])])
def test_then_what_comes_between_two_steps_is_settled_too(quantity: int, suspended: list[str]) -> None:
    """L4: allocated before the older ones are covered again on record; the newest ones are suspended all the same."""
    told = pool(supplied(quantity=3), used("a", "b", "c")).given(supplied(on=3, quantity=1))
    told.given(UnitsSuspended(at=day(3), units=units("b", "c")), supplied(on=4, quantity=4))
    told.given(UnitsResumed(at=day(4), units=units("b")), used("d", on=4), supplied(on=5, quantity=quantity))
    steps = 0
    while (step := unsettled(told.state, 1)) is not None:
        steps += 1
        assert steps < 9, "it goes on for ever"
        kind = UnitsSuspended if step.suspend else UnitsResumed
        told.given(kind(at=step.at, units=step.suspend or step.resume))
    supply_ = told.state.supplies[OLD]
    assert [user for user in supply_.users if user in supply_.marked] == suspended
    assert due(told.state) is None


def test_then_a_lapsed_subscription_suspends_all_and_is_restored_as_before() -> None:
    """S5: expired and reactivated; units of others are not touched."""
    told = pool(supplied(), supplied(NEW), used("a", "b"), used("c", of=NEW)).given(supplied(on=5, status="expired"))
    step = unsettled(told.state, 9)
    assert step is not None
    assert (names(step.suspend), step.status, step.at) == (["a", "b"], "expired", day(5))
    told.then_state(lambda p: counts(p) == (3, 3, 2, 2))
    told.given(UnitsSuspended(at=day(5), units=step.suspend), supplied(on=6))
    step = unsettled(told.state, 9)
    assert step is not None
    assert names(step.resume) == ["a", "b"]


def test_then_what_hangs_on_a_terminated_one_is_withdrawn_a_few_at_a_time() -> None:
    """S5: due since the termination as long as anything hangs on it."""
    told = pool(supplied(), used("a", "b", "c")).given(supplied(on=7, status="terminated"))
    assert due(told.state) == day(7)
    seen = []
    while (step := unsettled(told.state, 2)) is not None:
        seen.append(names(step.withdraw))
        told.given(UnitsFreed(at=step.at, units=step.withdraw, cause="terminated"))
    assert seen == [["a", "b"], ["c"]]
    assert due(told.state) is None
    assert units_of(told.state, ["a", "b", "c"]) == ()
