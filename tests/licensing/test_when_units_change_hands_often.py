"""When units change hands often: who uses them is kept in order, and a change costs what it changes (L4)."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from trunkline_licensing.domain.pool import users as license_users
from trunkline_licensing.domain.pool.events import PoolSupplied, Unit, UnitsAllocated, UnitsFreed
from trunkline_licensing.domain.pool.pool import POOL
from trunkline_licensing.domain.pool.users import Users

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_then_they_are_as_a_list_would_have_them() -> None:
    """L4: the order of allocation, each once; whoever has an older value still has that one."""
    chance = Random(5)
    users, expected = Users(), list[str]()
    earlier: list[tuple[Users, list[str]]] = []
    for _ in range(1_200):
        names = [str(chance.randrange(900)) for _ in range(chance.choice((1, 1, 1, 3, 300)))]
        if chance.random() < 0.5:
            users, expected = (
                users.and_also(names),
                [*expected, *(n for n in dict.fromkeys(names) if n not in expected)],
            )
        else:
            users, expected = users.without(names), [name for name in expected if name not in names]
        if chance.random() < 0.04:
            earlier.append((users, expected))
        assert len(users) == len(expected)
        assert all((name in users) == (name in expected) for name in names)
    for value, names in [*earlier, (users, expected)]:
        assert list(value) == names
    assert len(earlier) > 20


def test_then_what_is_copied_for_each_change_does_not_grow_with_the_pool() -> None:
    """L4: thousands of single changes beside 15,000 units in use."""
    many = tuple(Unit(f"e{n}", "s") for n in range(15_000))
    events = [
        PoolSupplied(at=AT, subscription_id="s", quantity=15_000, status="active", started_at=AT),
        UnitsAllocated(at=AT, units=many),
    ]
    pool = POOL.fold("o:phone_system", events)
    made: list[Users] = []
    for unit in many[:600]:
        pool = POOL.evolve(pool, UnitsFreed(at=AT, units=(unit,), cause="by_hand"))
        pool = POOL.evolve(pool, UnitsAllocated(at=AT, units=(unit,)))
        made.append(pool.supplies["s"].users)
    assert pool.allocated == 15_000
    assert list(made[-1]) == [unit.extension_id for unit in (*many[600:], *many[:600])]
    assert all(len(users.gone) + len(users.new) < license_users.ENOUGH for users in made)
    copies = len({id(users.known) for users in made})
    assert copies <= 2 * len(made) * 2 // license_users.ENOUGH + 1
