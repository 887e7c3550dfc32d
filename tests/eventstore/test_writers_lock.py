"""When a thread holds the writers' lock: it never waits for another connection (X2, O6)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

import pytest
from eventsourcing.persistence import Recorder, StoredEvent
from psycopg_pool import PoolTimeout

from tests.inventory import ACME, BY_HAND, Inventory, number
from trunkline.eventsourcing_log.recorder import LogRecorder
from trunkline.eventstore.append import AT_ONCE, WRITERS
from trunkline.eventstore.event_store import CommitBatch, ConnectionWhileLocked, Store
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.operations.sandbox_clock import SandboxClock
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.policy import DEFAULT

THREADS = 64
LISTING = Listing(country="SG", sku="did", vendor="acme")


@pytest.fixture
def store(inventory: Inventory) -> Iterator[Store]:
    """A store whose pool has two connections."""
    made = Store(inventory.url, inventory.service.codec(), pool_size=2)
    made.pool.timeout = 300.0
    yield made
    made.close()


def test_it_cannot_ask_the_pool_for_a_second_connection(store: Store) -> None:
    """X2: a mistake of ours that a pool with room would hide; other threads are not concerned."""
    with store.locked() as conn:
        assert store.locked_here is conn
        with pytest.raises(ConnectionWhileLocked), store.connection():
            pass
        with pytest.raises(ConnectionWhileLocked), store.locked():
            pass
        with ThreadPoolExecutor(1) as other:
            assert other.submit(store.fetch, "SELECT 1").result() == [(1,)]
    assert store.locked_here is None
    with store.connection():
        pass


def test_it_reads_through_the_connection_it_has(store: Store) -> None:
    """X2: and sees what it has written and not yet committed."""
    with store.locked() as conn:
        conn.execute(b"INSERT INTO claims (claim, stream_id) VALUES ('mine', 'x')")
        assert store.fetch("SELECT claim FROM claims") == [("mine",)]
        assert store.end_of_log() == 0
        assert store.positions("") == {}


def test_the_lock_is_let_go_where_the_work_fails(store: Store) -> None:
    """X2: whoever fails under the lock asks the pool again."""
    with pytest.raises(KeyError), store.locked():
        raise KeyError
    with store.connection():
        pass


BATCHES = {
    "small": CommitBatch(events=[("test/1", 1, "topic", b"{}")]),
    "large": CommitBatch(events=[("test/1", version, "topic", b"{}") for version in range(1, AT_ONCE + 2)]),
}
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.mark.parametrize("kind", [*BATCHES, "through the library"])
def test_every_append_waits_for_it(inventory: Inventory, store: Store, kind: str) -> None:
    """X2: nothing of a store, nor of the library's recorder over it, writes an event beside the lock."""
    other = Store(inventory.url, inventory.service.codec(), pool_size=1)
    recorder = LogRecorder(other, names=["topic"])

    def append() -> None:
        if kind in BATCHES:
            other.append(BATCHES[kind])
        else:
            recorder.insert_events([StoredEvent("test/1", 1, "topic", b"{}")])

    with closing(other), ThreadPoolExecutor(1) as thread:
        with store.locked():
            appending = thread.submit(append)
            while store.fetch(WAITING, (WRITERS,)) == [(0,)]:
                assert not appending.done(), "it was written beside the lock"
            assert store.end_of_log() == 0
        appending.result()
    assert store.end_of_log() == len(BATCHES.get(kind, BATCHES["small"]).events)


def test_a_store_is_no_recorder_of_the_library(store: Store) -> None:
    """X2: whose inherited appends would take another lock."""
    assert not isinstance(store, Recorder)
    assert not {name for name in dir(store) if name.startswith("insert_")}


def test_a_sandbox_asks_for_its_time_through_it(store: Store) -> None:
    """O6: while every other connection waits for the lock."""
    clock = SandboxClock(store)
    clock.advance(timedelta(days=3))
    with ThreadPoolExecutor(1) as other, store.locked():
        with store.pool.connection():  # the last one is taken
            assert SandboxClock(store).ahead() == timedelta(days=3)
        assert other.submit(lambda: store.locked_here).result() is None


def test_a_sandbox_never_takes_an_older_time(inventory: Inventory, store: Store) -> None:
    """O6, X4: a clock that another process moves is read anew, or not at all, while no connection is to be had."""
    clock = SandboxClock(store)
    clock.advance(timedelta(days=3))
    SandboxClock(inventory.store).advance(timedelta(days=4))
    store.pool.timeout = 0.5
    with store.pool.connection(), store.pool.connection(), pytest.raises(PoolTimeout):
        clock.ahead()
    assert clock.ahead() == timedelta(days=7)


def test_all_of_many_threads_that_want_the_same_in_a_sandbox_get_through(inventory: Inventory, store: Store) -> None:
    """O6: each loses its first try, and has its second under the lock, though two connections serve them all."""
    clock = SandboxClock(store)
    clock.advance(timedelta(days=1))
    together = Barrier(THREADS)

    def one(index: int) -> bool:
        together.wait()

        def decide(uow: UnitOfWork) -> bool:
            mine = number(index)
            uow.load([(NUMBER, number(0)), (NUMBER, mine)])
            events = by_hand.add(uow.state(NUMBER, mine), LISTING, None, None, DEFAULT, uow.now)
            uow.record(NUMBER, mine, events, BY_HAND)
            shared = uow.state(NUMBER, number(0))
            if shared.state == "available":
                events = by_hand.reserve(shared, ACME, "why", DEFAULT, uow.now)
            else:
                events = by_hand.release(shared, "why", DEFAULT, uow.now)
            uow.record(NUMBER, number(0), events, BY_HAND)
            return store.locked_here is not None

        return run(store, clock.now, decide)[0]

    inventory.add(number(0))
    with ThreadPoolExecutor(THREADS) as threads:
        under_the_lock = list(threads.map(one, range(1, THREADS + 1)))
    assert any(under_the_lock), "nothing was contended"
    assert {e.key for e in inventory.log()} == {number(n) for n in range(THREADS + 1)}
