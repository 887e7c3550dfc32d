"""When a view is rebuilt over an event that nobody can decode: only its stream is missing from it (O3, O8)."""

from __future__ import annotations

from tests.inventory import Inventory, number
from tests.projections.test_rebuild import NAME, rows
from trunkline.deadlines.deadlines import rebuild_deadlines


def spoil(inventory: Inventory, key: str) -> None:
    """Damage what is stored of a number's first event, as a mistake of an older release could have."""
    with inventory.store.connection() as conn:
        conn.execute(
            b"UPDATE stored_events SET state = '{\"meta\": 1}' WHERE originator_id = %s AND originator_version = 1",
            (f"number/{key}",),
        )


def aside(inventory: Inventory) -> list[str]:
    return [key for (key,) in inventory.store.fetch("SELECT DISTINCT key FROM failed_items")]


def test_then_a_rebuild_folds_all_other_streams(inventory: Inventory) -> None:
    """O3, O8: the stream is set aside with its cause, and is said to be missing from the view."""
    inventory.add(*map(number, range(1, 6)))
    inventory.project()
    before = rows(inventory)
    spoil(inventory, number(3))
    inventory.rebuild.rebuild(NAME)
    after = rows(inventory)
    assert aside(inventory) == [f"number/{number(3)}"]
    assert {key: row for key, row in after.items() if key != number(3)} == {
        key: row for key, row in before.items() if key != number(3)
    }


def test_then_the_timers_of_all_other_streams_are_rebuilt(inventory: Inventory) -> None:
    """N10, O8: the stream keeps the timer that it has, and is set aside when that is due."""
    numbers = [number(i) for i in range(1, 6)]
    inventory.add(*numbers)
    inventory.reserve(*numbers)
    before = inventory.due()
    spoil(inventory, number(3))
    with inventory.store.connection() as conn:
        conn.execute(b"DELETE FROM deadlines WHERE key <> %s", (f"number/{number(3)}",))
    assert rebuild_deadlines(inventory.store, inventory.service.deciders) == 5
    assert inventory.due() == before
    inventory.wait(60)
    while inventory.deadlines.step():
        pass
    assert aside(inventory) == [f"number/{number(3)}"]
