"""When one item of a loop fails: it is set aside with its cause, the others go on, and it is done once it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inventory import Inventory, number, prepare
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.event_store import CheckpointConflict, Connection
from trunkline.eventstore.failed_items import BACK_OFF, MOST, FailedItems, TooManyFailedItems, concerns_item
from trunkline.eventstore.log_subscriber import LogSubscriber
from trunkline.eventstore.recorded_event import RecordedEvent, UnknownEvent
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.mail.outbox import Mail, post
from trunkline.projections.rebuild import Rebuild
from trunkline.projections.runner import Projection, ProjectionRunner

NAMES = ("numbers.NumberAdded", "numbers.NumberReserved", "numbers.NumberReleased")
TABLE = "CREATE TABLE {table} (key text PRIMARY KEY, seen text NOT NULL)"


class Fragile:
    """Reactions of every kind, which fail on some numbers."""

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)

    def check(self, keys: Iterable[str]) -> None:
        if found := self.broken.intersection(keys):
            raise ValueError(f"cannot stand {sorted(found)}")

    def write_down(self, uow: UnitOfWork, page: Sequence[RecordedEvent]) -> None:
        """As a mail for each event, whose key tells the order."""
        self.check(event.key for event in page)
        post(uow, [Mail(f"{event.position:05d}/{event.key}", "ann@acme.example", "s", "b") for event in page])

    def apply(self, conn: Connection, table: str, page: Sequence[RecordedEvent]) -> None:
        self.check(event.key for event in page)
        for event in page:
            conn.execute(
                f"INSERT INTO {table} AS t VALUES (%s, %s)"
                " ON CONFLICT (key) DO UPDATE SET seen = t.seen || ',' || EXCLUDED.seen".encode(),
                (event.key, str(event.version)),
            )

    def settle(self, inventory: Inventory) -> Callable[[UnitOfWork, Sequence[str]], None]:
        def settle(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
            self.check(stream_id.removeprefix("number/") for stream_id in stream_ids)
            inventory.service.settle(uow, stream_ids)

        return settle


def items(inventory: Inventory) -> list[tuple[Any, ...]]:
    return inventory.store.fetch("SELECT loop, key, tries, cause FROM failed_items ORDER BY loop, key")


def follower(inventory: Inventory, fragile: Fragile) -> LogSubscriber:
    return LogSubscriber(inventory.store, inventory.clock, "test", NAMES, fragile.write_down)


def written(inventory: Inventory) -> list[str]:
    return [mail.key[6:] for mail in inventory.mails()]


def test_a_follower_goes_on_and_the_stream_waits_in_order(inventory: Inventory) -> None:
    """X3, O8: what follows in the failed stream waits behind it; the others are served once."""
    fragile = Fragile(number(2))
    loop = follower(inventory, fragile)
    with closing_duties(loop):
        inventory.add(*map(number, range(1, 6)))
        inventory.reserve(number(2), number(3))
        while loop.step():
            pass
        assert sorted(written(inventory)) == sorted([number(1), number(3), number(3), number(4), number(5)])
        cause = f"ValueError: cannot stand ['{number(2)}']"
        assert items(inventory) == [("follower/test", f"number/{number(2)}", 1, cause)]
        inventory.clock.advance(BACK_OFF[0])
        assert loop.step() == 0
        assert items(inventory)[0][2] == 2
        fragile.broken.clear()
        inventory.release(number(2))
        inventory.clock.advance(BACK_OFF[1])
        while loop.step():
            pass
        mine = [mail.key for mail in inventory.mails() if mail.key.endswith(number(2))]
        assert len(mine) == 3
        assert items(inventory) == []


def test_another_copy_knows_what_was_set_aside(inventory: Inventory) -> None:
    """X3: the items lie in the store; whoever follows next passes them over, and does them when they are due."""
    fragile = Fragile(number(1))
    inventory.add(number(1), number(2))
    with closing_duties(follower(inventory, fragile)) as first:
        first.step()
    fragile.broken.clear()
    with closing_duties(follower(inventory, fragile)) as second:
        inventory.reserve(number(1))
        second.step()
        assert written(inventory) == [number(2)]
        inventory.clock.advance(BACK_OFF[0])
        second.step()
        assert sorted(written(inventory)) == sorted([number(1), number(1), number(2)])


def test_a_timer_that_cannot_be_settled_holds_up_no_other(inventory: Inventory) -> None:
    """N10: the others end in due order; the one set aside ends at its due instant once it can."""
    fragile = Fragile(number(2))
    deadlines = Deadlines(inventory.store, inventory.clock, fragile.settle(inventory))
    with closing_duties(deadlines):
        inventory.add(*map(number, range(1, 6)))
        inventory.reserve(*map(number, range(1, 6)))
        inventory.wait(30)
        while deadlines.step():
            pass
        assert [key for _, key, _, _ in items(inventory)] == [f"number/{number(2)}"]
        assert {n: inventory.state(number(n)).state for n in (1, 2, 5)} == {
            1: "available",
            2: "reserved",
            5: "available",
        }
        assert deadlines.seconds_to_next() is None, "the loop must not look again at once"
        fragile.broken.clear()
        inventory.clock.advance(BACK_OFF[0])
        while deadlines.step():
            pass
        ended = [at for kind, _, at in inventory.story(number(2)) if kind == "ReservationExpired"]
        other = [at for kind, _, at in inventory.story(number(1)) if kind == "ReservationExpired"]
        assert ended == other
        assert items(inventory) == []


def test_a_timer_that_is_set_anew_is_tried_at_once(inventory: Inventory) -> None:
    """N10: the item concerned the timer as it was; a person has changed the number since."""
    fragile = Fragile(number(1))
    deadlines = Deadlines(inventory.store, inventory.clock, fragile.settle(inventory))
    with closing_duties(deadlines):
        inventory.add(number(1))
        inventory.reserve(number(1))
        inventory.wait(22)
        deadlines.step()
        assert len(items(inventory)) == 1
        inventory.release(number(1))
        inventory.lock(number(1))
        fragile.broken.clear()
        inventory.wait(28)
        while deadlines.step():
            pass
        assert "LockExpired" in [kind for kind, _, _ in inventory.story(number(1))]
        assert items(inventory) == []


def projector(inventory: Inventory, sound: Fragile, fragile: Fragile) -> ProjectionRunner:
    views = [Projection("sound", 1, TABLE, sound.apply), Projection("fragile", 1, TABLE, fragile.apply, NAMES)]
    made = ProjectionRunner(inventory.store, views, clock=inventory.clock)
    made.prepare()
    return made


def rows(inventory: Inventory, view: str) -> dict[str, str]:
    return dict(inventory.store.fetch(f"SELECT key, seen FROM {view}"))


def test_a_view_goes_on_without_the_stream_that_fails(inventory: Inventory) -> None:
    """O3: other views and other streams are applied; the view is not whole until the stream is applied too."""
    fragile = Fragile(number(2))
    made = projector(inventory, Fragile(), fragile)
    with closing_duties(made):
        inventory.add(*map(number, range(1, 5)))
        inventory.reserve(number(2), number(3))
        while made.step():
            pass
        inventory.reserve(number(1))
        while made.step():
            pass
        assert rows(inventory, "sound") == {number(1): "1,2", number(2): "1,2", number(3): "1,2", number(4): "1"}
        assert rows(inventory, "fragile") == {number(1): "1,2", number(3): "1,2", number(4): "1"}
        assert [(g.name, g.whole) for g in made.generations.all() if g.name in made.views] == [
            ("fragile", False),
            ("sound", True),
        ]
        fragile.broken.clear()
        inventory.clock.advance(BACK_OFF[0])
        made.step()
        assert rows(inventory, "fragile") == rows(inventory, "sound")
        assert all(g.whole for g in made.generations.all())
        assert items(inventory) == []


def test_a_view_is_built_anew_without_the_stream_that_fails(inventory: Inventory) -> None:
    """O3: one stream does not keep a view from being built; what is set aside goes with the generation."""
    fragile = Fragile(number(2))
    made = projector(inventory, Fragile(), fragile)
    with closing_duties(made):
        inventory.add(*map(number, range(1, 4)))
        while made.step():
            pass
        Rebuild(made, inventory.clock.now).rebuild("fragile")
        assert rows(inventory, "fragile") == {number(1): "1", number(3): "1"}
        assert [loop for loop, *_ in items(inventory)] == ["projection/fragile_g1", "projection/fragile_g2"]
        fragile.broken.clear()
        inventory.clock.advance(BACK_OFF[0])
        made.step()
        assert rows(inventory, "fragile") == rows(inventory, "sound")
        Rebuild(made, inventory.clock.now).rebuild("fragile")
        assert items(inventory) == []


def test_a_loop_in_which_everything_fails_fails_as_a_whole(inventory: Inventory) -> None:
    """O8: beyond a bound the fault is the loop's, and nothing more is set aside."""
    failed = FailedItems(inventory.store, inventory.clock.now, "test")
    row = ("test", "x", 0, "why", 1, inventory.clock.now(), inventory.clock.now(), inventory.clock.now())
    for place in range(MOST):
        failed.added((row[0], str(place), *row[2:]))
    with pytest.raises(TooManyFailedItems):
        failed.add("one more", ValueError())
    failed.add("7", ValueError())


@pytest.mark.parametrize(
    ("error", "is_its_own"),
    [
        (ValueError("bad"), True),
        (UnknownEvent("newer"), False),
        (CheckpointConflict("rival"), False),
        (ConnectionResetError(), False),
    ],
)
def test_only_its_own_fault_sets_an_item_aside(error: Exception, is_its_own: bool) -> None:
    """O8: a server that is away, a rival, a newer release: the items are not to blame."""
    assert concerns_item(error) is is_its_own


def test_a_value_too_long_for_an_index_is_the_items_own_fault(inventory: Inventory) -> None:
    """O8: psycopg calls it an OperationalError, as it does a server that is away."""
    import psycopg

    with inventory.store.connection() as conn, pytest.raises(psycopg.OperationalError) as refused:
        conn.execute(
            b"INSERT INTO claims (claim, stream_id)"
            b" SELECT string_agg(md5(i::text), ''), 'x' FROM generate_series(1, 9999) i"
        )
    assert concerns_item(refused.value)


class closing_duties:  # noqa: N801 - reads as a statement
    """Lets go of a loop's leadership at the end."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop

    def __enter__(self) -> Any:
        return self.loop

    def __exit__(self, *_: object) -> None:
        self.loop.resign()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    story=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans()), max_size=12),
    page=st.integers(1, 5),
)
def test_whatever_fails_when_each_event_is_done_once_in_its_streams_order(
    databases: Any, story: list[tuple[int, bool, bool]], page: int
) -> None:
    """X3: numbers break and are mended between the steps; in the end all is written, once, each stream in order."""
    url = databases.create(prepare)
    one = Inventory(url)
    try:
        with pytest.MonkeyPatch.context() as patch, closing(one):
            patch.setattr("trunkline.eventstore.log_subscriber.PAGE", page)
            fragile = Fragile()
            seen: list[tuple[str, int]] = []

            def handle(uow: UnitOfWork, events: Sequence[RecordedEvent]) -> None:
                fragile.write_down(uow, events)
                seen.extend((event.key, event.version) for event in events)

            loop = LogSubscriber(one.store, one.clock, "test", NAMES, handle)
            one.add(*map(number, range(1, 5)))
            for place, breaks, passes in story:
                (fragile.broken.add if breaks else fragile.broken.discard)(number(place))
                state = one.state(number(place)).state
                (one.reserve if state == "available" else one.release)(number(place))
                loop.step()
                one.clock.advance(timedelta(hours=2) if passes else timedelta(seconds=1))
            fragile.broken.clear()
            one.clock.advance(timedelta(hours=2))
            while loop.step():
                pass
            loop.resign()
            assert len(seen) == len(one.log()) == len(one.mails())
            for place in range(1, 5):
                versions = [version for key, version in seen if key == number(place)]
                assert versions == sorted(versions)
            assert items(one) == []
    finally:
        databases.drop(url)
