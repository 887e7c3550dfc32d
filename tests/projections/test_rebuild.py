"""When a view is rebuilt, verified or rolled back (O3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import psycopg
import pytest

from tests.inventory import Inventory, number
from trunkline.projections.rebuild import NothingToRollBackTo, ProjectionUnknown, Rebuild, RebuildUnderWay
from trunkline.projections.runner import Projection, ProjectionRunner, views_at
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.projections.number import VIEW

NAME = VIEW.name


def rows(inventory: Inventory) -> dict[str, tuple[object, ...]]:
    """What readers see: key -> version, position, state, reserver, the state's fold."""
    found = inventory.store.fetch(f"SELECT key, version, position, state, reserver_id, folded FROM {NAME}")
    return {key: (*rest, msgspec.msgpack.decode(folded, type=Number)) for key, *rest, folded in found}


def folded(inventory: Inventory) -> dict[str, tuple[object, ...]]:
    """The same by folding each stream from zero, without any view."""
    streams: dict[str, list[object]] = {}
    last = {}
    for event in inventory.log():
        if event.stream_id.startswith("number/"):
            streams.setdefault(event.key, []).append(event.event)
            last[event.key] = event
    found = {}
    for key, events in streams.items():
        n = NUMBER.fold(key, events)  # type: ignore[arg-type]
        found[key] = (last[key].version, last[key].position, n.state, getattr(n.life, "reserver_id", None), n)
    return found


def lived(inventory: Inventory, count: int = 40) -> None:
    """Numbers in every state."""
    numbers = [number(i) for i in range(count)]
    inventory.add(*numbers)
    inventory.reserve(*numbers[: count // 2])
    inventory.lock(*numbers[count // 2 : count // 2 + count // 4])
    inventory.release(*numbers[: count // 4])
    inventory.delete(*numbers[: count // 8])


def generations(inventory: Inventory) -> dict[int, str]:
    return {g.generation: g.status for g in inventory.projector.generations.all(NAME)}


def test_the_view_equals_a_fold_of_the_streams_from_zero(inventory: Inventory) -> None:
    """O3: built page by page, then built from whole streams, it is the same as the fold."""
    lived(inventory)
    inventory.project()
    assert rows(inventory) == folded(inventory)
    comparison = inventory.rebuild.rebuild(NAME)
    assert (comparison.differences, comparison.rows) == (0, 40)
    assert rows(inventory) == folded(inventory)
    assert generations(inventory) == {1: "retired", 2: "active"}


def indexes(inventory: Inventory, generation: int) -> list[str]:
    """What is indexed of a generation's table."""
    table = f"{NAME}_g{generation}"
    found = inventory.store.fetch("SELECT indexdef FROM pg_indexes WHERE tablename = %s", (table,))
    return sorted(definition.partition(" ON ")[2].replace(table, NAME) for (definition,) in found)


def test_a_rebuilt_view_has_the_indexes_of_the_first(inventory: Inventory) -> None:
    """O3: they are made when its rows are there, and before anybody reads it."""
    lived(inventory)
    inventory.project()
    inventory.rebuild.rebuild(NAME)
    assert len(indexes(inventory, 1)) == 1 + len(VIEW.indexes) > 1
    assert indexes(inventory, 2) == indexes(inventory, 1)


def test_pages_cut_anywhere_give_the_same_rows(inventory: Inventory) -> None:
    """O3: a page may begin and end within a stream."""
    lived(inventory, 12)
    small = ProjectionRunner(inventory.store, inventory.service.views, page_size=1)
    while small.step():
        pass
    small.resign()
    assert rows(inventory) == folded(inventory)


def test_events_that_arrive_meanwhile_are_in_it(inventory: Inventory) -> None:
    """O3: numbers are added and reserved, and the views projected, while the rebuild goes on."""
    lived(inventory)
    inventory.project()
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        place = 1000
        while not stop.is_set():
            inventory.add(number(place), number(place + 1))
            inventory.reserve(number(place))
            inventory.projector.step()
            place += 2
            written.append(place)

    rival = threading.Thread(target=write)
    rival.start()
    try:
        phases = []
        comparison = inventory.rebuild.rebuild(NAME, lambda told: phases.append(told.phase))
        before = len(written)
        while len(written) < before + 3:
            assert rival.is_alive()
    finally:
        stop.set()
        rival.join()
    inventory.project()
    assert comparison.differences == 0
    assert phases[0] == "folding"
    assert phases[-1] == "swapping"
    assert rows(inventory) == folded(inventory)


def test_readers_see_the_old_one_until_the_new_one_is_whole(inventory: Inventory) -> None:
    """O3: at no moment of a rebuild is a row missing."""
    lived(inventory)
    inventory.project()
    seen: set[int] = set()

    def look(_: object) -> None:
        seen.add(inventory.store.fetch(f"SELECT count(*) FROM {NAME}")[0][0])

    inventory.rebuild.rebuild(NAME, look)
    look(None)
    assert seen == {40}


def test_it_brings_about_nothing_else(inventory: Inventory) -> None:
    """O3: no event, no mail, no deadline, no position of any follower."""
    inventory.introduce()
    lived(inventory)
    inventory.wait(21)
    inventory.settle()
    inventory.tell()
    inventory.project()

    def all_else() -> list[list[object]]:
        tables = ("stored_events", "mail", "deadlines", "notification_tracking", "inbox", "awaited", "claims")
        return [inventory.store.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    before = all_else()
    assert inventory.mails()
    inventory.rebuild.rebuild(NAME)
    inventory.project()
    inventory.tell()
    assert all_else() == before


def test_a_tampered_row_is_found_and_mended(inventory: Inventory) -> None:
    """O3: verify lists what is not as the streams say; a rebuild puts it right and says what it was."""
    lived(inventory)
    inventory.project()
    with inventory.store.connection() as conn:
        conn.execute(b"UPDATE number_view_g1 SET state = 'assigned' WHERE key = %s", (number(30),))
        conn.execute(b"DELETE FROM number_view_g1 WHERE key = %s", (number(31),))
    found = inventory.rebuild.verify(NAME)
    assert found.differences == 2
    changed, missing = found.shown
    assert (changed.key, missing.key, missing.found) == (number(30), number(31), None)
    assert changed.found is not None
    assert changed.expected is not None
    assert (changed.found["state"], changed.expected["state"]) == ("assigned", "available")
    assert generations(inventory) == {1: "active"}
    assert inventory.rebuild.rebuild(NAME).differences == 2
    assert rows(inventory) == folded(inventory)
    assert inventory.rebuild.verify(NAME).differences == 0


def test_the_one_before_can_be_had_back(inventory: Inventory) -> None:
    """O3: rolled back, it is brought up to the present first."""
    lived(inventory)
    inventory.project()
    with pytest.raises(NothingToRollBackTo):
        inventory.rebuild.rollback(NAME)
    inventory.rebuild.rebuild(NAME)
    inventory.add(number(900))
    inventory.project()
    assert inventory.rebuild.rollback(NAME).generation == 1
    assert generations(inventory) == {1: "active", 2: "retired"}
    assert rows(inventory) == folded(inventory)
    inventory.add(number(901))
    inventory.project()
    assert rows(inventory) == folded(inventory)


def test_whoever_comes_next_need_not_wait_until_a_session_has_ended(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O3: a server sees late that a session was closed; the lock is given back before."""
    held = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory'"
    held += " AND d.datname = current_database()"
    close, found = psycopg.Connection.close, []

    def watched(session: psycopg.Connection) -> None:
        found.append(inventory.store.fetch(held))
        close(session)

    inventory.projector.resign()
    monkeypatch.setattr(psycopg.Connection, "close", watched)
    with pytest.raises(NothingToRollBackTo):
        inventory.rebuild.rollback(NAME)
    inventory.rebuild.verify(NAME)
    assert found == [[(0,)], [(0,)]]


def test_only_one_generation_is_kept_beside_the_active_one(inventory: Inventory) -> None:
    """O3: older ones go, with their tables."""
    lived(inventory, 4)
    for _ in range(3):
        inventory.rebuild.rebuild(NAME)
    assert generations(inventory) == {3: "retired", 4: "active"}
    tables = inventory.store.fetch("SELECT relname FROM pg_class WHERE relname ~ '^number_view_g[0-9]+$' ORDER BY 1")
    assert tables == [("number_view_g3",), ("number_view_g4",)]


def test_what_an_interrupted_build_left_is_cleared_away(inventory: Inventory) -> None:
    """O3: a build that was killed never shows, and the next one begins from zero."""
    lived(inventory, 4)
    inventory.project()
    inventory.projector.generations.create_beside(VIEW.name, VIEW.version, VIEW.ddl)
    inventory.project()
    assert inventory.rebuild.rebuild(NAME).differences == 0
    assert generations(inventory) == {1: "retired", 3: "active"}


def test_two_at_once_are_refused(inventory: Inventory) -> None:
    """O3: the second is told so, and nothing of the first is disturbed."""
    lived(inventory, 4)
    inventory.project()
    refused: list[str] = []

    def at_the_same_time(_: object) -> None:
        try:
            inventory.rebuild.verify(NAME)
        except RebuildUnderWay as busy:
            refused.append(busy.sentence)

    inventory.rebuild.rebuild(NAME, at_the_same_time)
    assert refused
    assert "being built" in refused[0]


def test_an_unknown_name_is_told_the_known_ones(inventory: Inventory) -> None:
    """§9: what, where and why in one sentence."""
    with pytest.raises(ProjectionUnknown, match=r"number_view, .*subscription_view"):
        inventory.rebuild.rebuild("nubmer_view")


class Newer:
    """The same service with newer code: its view has one more column."""

    def __init__(self, inventory: Inventory) -> None:
        ddl = VIEW.ddl.replace("version bigint", "added int NOT NULL DEFAULT 7, version bigint")
        self.view = Projection(VIEW.name, VIEW.version + 1, ddl, VIEW.apply, VIEW.names)
        self.projector = ProjectionRunner(inventory.store, [self.view])


@pytest.fixture
def newer(inventory: Inventory) -> Iterator[Newer]:
    made = Newer(inventory)
    yield made
    made.projector.resign()


def test_a_newer_view_is_built_beside_the_old_one(inventory: Inventory, newer: Newer) -> None:
    """O3: until it is there the old one serves; then its columns are new, and step has nothing more to do."""
    lived(inventory, 6)
    inventory.project()
    inventory.projector.resign()
    assert newer.projector.prepare() == [newer.view]
    inventory.add(number(700))
    newer.projector.step()
    assert len(rows(inventory)) == 6
    rebuild = Rebuild(newer.projector, inventory.clock.now)
    assert rebuild.step() == 1
    assert rebuild.step() == 0
    assert rows(inventory) == folded(inventory)
    assert inventory.store.fetch(f"SELECT DISTINCT added FROM {NAME}") == [(7,)]


def test_the_old_code_does_not_touch_the_newer_generation(inventory: Inventory, newer: Newer) -> None:
    """O3: a copy of the service that is still the old one leaves the view to the new ones, until it is rolled back."""
    lived(inventory, 6)
    Rebuild(newer.projector, inventory.clock.now).rebuild(NAME)
    inventory.add(number(700))
    inventory.project()
    assert number(700) not in rows(inventory)
    assert inventory.projector.prepare() == []
    assert inventory.rebuild.rollback(NAME).generation == 1
    assert rows(inventory) == folded(inventory)


def test_a_view_and_its_position_are_one_transaction(inventory: Inventory) -> None:
    """X3: what fails in the middle of a page leaves neither rows nor position."""
    lived(inventory, 4)

    def fails(conn: object, table: str, page: object) -> None:
        VIEW.apply(conn, table, page)  # type: ignore[arg-type]
        raise psycopg.errors.QueryCanceled

    broken = ProjectionRunner(inventory.store, [Projection(VIEW.name, VIEW.version, VIEW.ddl, fails, VIEW.names)])
    with pytest.raises(psycopg.errors.QueryCanceled):
        broken.advance(broken.views[NAME])
    assert rows(inventory) == {}
    inventory.project()
    assert rows(inventory) == folded(inventory)


def test_a_reader_can_wait_for_what_was_just_written(inventory: Inventory) -> None:
    """The lowest active position, also where the last events concern no view."""
    lived(inventory, 4)
    inventory.introduce()
    assert views_at(inventory.store) == 0
    inventory.project()
    assert views_at(inventory.store) == inventory.store.end_of_log()
