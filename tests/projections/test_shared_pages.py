"""When all views of a service stand at one place of the log, they move together; if not, each by itself (O3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.inventory import Inventory, number
from trunkline.eventstore.event_store import Connection
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline.projections.runner import Projection, ProjectionRunner

KEY = "CREATE TABLE {table} (key text PRIMARY KEY)"


def positions(inventory: Inventory) -> set[int | None]:
    return {g.position for g in inventory.projector.generations.all()}


def seen(inventory: Inventory) -> tuple[list[str], list[str]]:
    """Keys that the two views of `two` have."""
    return tuple(
        [key for (key,) in inventory.store.fetch(f"SELECT key FROM {v} ORDER BY key")] for v in ("odd", "all_of")
    )  # type: ignore[return-value]


@pytest.fixture
def two(inventory: Inventory) -> Iterator[ProjectionRunner]:
    """One view of additions only, and one of everything; both note each event they are given."""

    def note(conn: Connection, table: str, page: Sequence[RecordedEvent]) -> None:
        for event in page:
            conn.execute(f"INSERT INTO {table} VALUES (%s)".encode(), (f"{event.key}/{event.version}",))

    views = [Projection("odd", 1, KEY, note, ("numbers.NumberAdded",)), Projection("all_of", 1, KEY, note)]
    projector = ProjectionRunner(inventory.store, views)
    inventory.projector.resign()
    projector.prepare()
    yield projector
    projector.resign()


def test_then_each_gets_its_own_events_and_all_come_to_one_place(inventory: Inventory) -> None:
    """O3: numbers are added and reserved; those of subscriptions and parties have read as far."""
    inventory.add(number(1), number(2))
    inventory.reserve(number(1))
    while inventory.projector.step():
        pass
    assert positions(inventory) == {inventory.store.end_of_log()}


def test_then_a_page_is_given_to_whoever_reads_its_events(inventory: Inventory, two: ProjectionRunner) -> None:
    """O3: a view that names its events is given no others."""
    inventory.add(number(1), number(2))
    inventory.reserve(number(1))
    assert two.step() == 3
    assert two.step() == 0
    added = [f"{number(1)}/1", f"{number(2)}/1"]
    assert seen(inventory) == (added, sorted([*added, f"{number(1)}/2"]))


def test_then_one_that_is_behind_catches_up_by_itself(inventory: Inventory, two: ProjectionRunner) -> None:
    """O3: whoever has had an event is not given it again."""
    inventory.add(number(1))
    two.advance(two.views["all_of"])
    inventory.add(number(2))
    while two.step():
        pass
    both = [f"{number(1)}/1", f"{number(2)}/1"]
    assert seen(inventory) == (both, both)
    inventory.add(number(3))
    assert two.step() == 1
    assert seen(inventory)[0] == seen(inventory)[1] == [*both, f"{number(3)}/1"]


def test_then_a_rival_that_has_moved_one_of_them_keeps_all_from_moving(
    inventory: Inventory, two: ProjectionRunner
) -> None:
    """O3: rows and positions of all of them are one transaction."""
    inventory.add(number(1))
    live = [g for g in two.generations.all() if g.name in two.views]
    two.advance(two.views["odd"])
    assert two._advance(live) == 0
    assert seen(inventory) == ([f"{number(1)}/1"], [])
