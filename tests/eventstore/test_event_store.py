"""When many write and read one store: nothing lost, nothing skipped, all or nothing (X2, X3, N10, S6, S7, N13)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, ClassVar

import msgspec
import psycopg
import pytest

from trunkline.clock import FixedClock
from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider, Event
from trunkline.eventstore.event_store import CheckpointConflict, CommitBatch, ConcurrencyError, Store
from trunkline.eventstore.history import read_history
from trunkline.eventstore.recorded_event import Causation, Codec, UnknownEvent, recorded
from trunkline.eventstore.schema import Migration, MigrationError, migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork, run

START = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Causation("user:1", "chain-1", "request-1")
MIGRATIONS = read_migrations(files("trunkline.eventstore") / "migrations")


class Counted(Event, frozen=True, kw_only=True):
    """The counter stands at `value`; it must be looked at again at `due`."""

    TYPE: ClassVar[str] = "test.Counted"
    value: int
    due: datetime | None = None


class Noted(Event, frozen=True, kw_only=True):
    """A second kind, so that a log can be read by kind."""

    TYPE: ClassVar[str] = "test.Noted"


class Counter(msgspec.Struct, frozen=True):
    """A counter."""

    key: str
    value: int = 0
    due: datetime | None = None


class NoMore(Refused):
    """{key} is not counted any further."""


def evolve(counter: Counter, event: Event) -> Counter:
    return Counter(counter.key, event.value, event.due) if isinstance(event, Counted) else counter


COUNTER: Decider[Counter] = Decider("counter", Counter, evolve, (Counted, Noted), due=lambda counter: counter.due)


def prepare(url: str) -> None:
    """The store's own tables."""
    migrate(url, MIGRATIONS)


@pytest.fixture
def store(new_database: Callable[..., str]) -> Iterator[Store]:
    found = Store(new_database(prepare), Codec([COUNTER]))
    yield found
    found.close()


def now() -> datetime:
    return START


def count(uow: UnitOfWork, *keys: str, at: datetime = START, due: datetime | None = None) -> None:
    """One more on each of these."""
    uow.load((COUNTER, key) for key in keys)
    for key in keys:
        value = uow.state(COUNTER, key).value + 1
        uow.record(COUNTER, key, [Counted(at=at, value=value, due=due)], CAUSE)


def counting(store: Store, *keys: str, **how: Any) -> int:
    """Do it; the log's position afterwards."""
    return run(store, now, lambda uow: count(uow, *keys, **how))[1]


def log(store: Store, after: int = 0) -> list[tuple[str, int]]:
    """The log as (stream id, version)."""
    return [(stream_id, version) for _, stream_id, version, _, _ in store.read_log(after, 100_000)]


def blocked(store: Store) -> bool:
    """Whether somebody waits for a lock on the store's database."""
    return bool(
        store.fetch(
            "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"
        )
    )


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it is so."""
    while not holds():
        pass


# -- the log ----------------------------------------------------------------------------------------------------------


def test_then_a_commit_is_whole_and_in_order(store: Store) -> None:
    """X2: the log has the order of the decisions, and every stream its own without a gap."""
    position = counting(store, "b", "a")
    counting(store, "a")
    assert log(store) == [("counter/b", 1), ("counter/a", 1), ("counter/a", 2)]
    assert position == 2
    assert store.end_of_log() == 3
    assert log(store, after=position) == [("counter/a", 2)]


def test_then_a_refusal_writes_nothing(store: Store) -> None:
    """§9: nothing half done."""

    def decide(uow: UnitOfWork) -> None:
        count(uow, "a")
        uow.wait("counter/x", "counter/a", START, "why")
        raise NoMore(key="a")

    with pytest.raises(NoMore):
        run(store, now, decide)
    assert log(store) == []
    assert store.fetch("SELECT * FROM awaited") == []


def test_then_an_uncommitted_rival_is_never_skipped(store: Store) -> None:
    """X2: whoever comes later waits for it, so that a reader who has seen the later one has seen both."""
    with ThreadPoolExecutor(1) as later:
        with store.locked() as conn:
            rival = UnitOfWork(store, START, conn)
            count(rival, "rival")
            rival.commit()
            done = later.submit(counting, store, "later")
            until(lambda: blocked(store) or done.done())
            with ThreadPoolExecutor(1) as reader:  # this thread would read through the rival's connection
                assert reader.submit(log, store).result() == []
            assert not done.done()
        done.result()
    assert log(store) == [("counter/rival", 1), ("counter/later", 1)]


def test_then_a_rival_that_gives_up_leaves_nothing_and_holds_up_nobody(store: Store) -> None:
    """X2: the order goes on over the place it would have had."""

    class GaveUp(Exception):
        pass

    def give_up() -> None:
        with store.locked() as conn:
            rival = UnitOfWork(store, START, conn)
            count(rival, "rival")
            rival.commit()
            raise GaveUp

    with pytest.raises(GaveUp):
        give_up()
    counting(store, "later")
    assert log(store) == [("counter/later", 1)]


def test_then_a_follower_sees_every_event_once_and_in_order_while_many_write(store: Store) -> None:
    """X2: it only ever asks for what comes after the last one it saw."""
    writers, each = 8, 15
    seen: list[tuple[int, str, int]] = []

    written = threading.Event()

    def follow() -> None:
        last, done = 0, False
        while not done:
            done = written.is_set()
            while page := store.read_log(last, 7):
                seen.extend((position, stream_id, version) for position, stream_id, version, _, _ in page)
                last = seen[-1][0]

    with ThreadPoolExecutor(writers + 1) as pool:
        following = pool.submit(follow)
        writing = [pool.submit(lambda w=w: [counting(store, f"w{w}") for _ in range(each)]) for w in range(writers)]  # type: ignore[misc]
        for future in writing:
            future.result()
        written.set()
        following.result()
    assert [(s, v) for _, s, v in seen] == log(store)
    assert sorted({s for _, s, _ in seen}) == sorted(f"counter/w{w}" for w in range(writers))
    for writer in range(writers):
        assert [v for _, s, v in seen if s == f"counter/w{writer}"] == list(range(1, each + 1))


def test_then_a_log_can_be_read_by_kind(store: Store) -> None:
    """X2: a follower reads only what it follows."""
    run(store, now, lambda uow: uow.record(COUNTER, "a", [Noted(at=START), Counted(at=START, value=1)], CAUSE))
    assert [row[3] for row in store.read_log(0, 10, ["test.Noted"])] == ["test.Noted"]


# -- rivals -----------------------------------------------------------------------------------------------------------


def test_then_a_version_conflict_is_decided_again_under_the_lock(store: Store) -> None:
    """X3: the second time it reads what the rival wrote, and nobody can come between."""
    tries: list[int] = []

    def decide(uow: UnitOfWork) -> None:
        count(uow, "a")
        tries.append(uow.state(COUNTER, "a").value)
        if len(tries) == 1:
            counting(store, "a")

    run(store, now, decide)
    assert tries == [1, 2]
    assert log(store) == [("counter/a", 1), ("counter/a", 2)]


def test_then_what_was_only_read_must_not_have_changed_either(store: Store) -> None:
    """X3: a decision on b that looked at a."""
    looked: list[int] = []

    def decide(uow: UnitOfWork) -> None:
        looked.append(uow.state(COUNTER, "a").value)
        count(uow, "b")
        if len(looked) == 1:
            counting(store, "a")

    run(store, now, decide)
    assert looked == [0, 1]


def test_then_a_refusal_on_the_second_try_writes_nothing(store: Store) -> None:
    """S6: the rival was first."""

    def decide(uow: UnitOfWork) -> None:
        if uow.state(COUNTER, "a").value:
            raise NoMore(key="a")
        count(uow, "a")
        counting(store, "a")

    with pytest.raises(NoMore):
        run(store, now, decide)
    assert log(store) == [("counter/a", 1)]


@pytest.mark.parametrize("threads", [16, 24])
def test_then_of_many_rivals_on_the_same_streams_none_loses_its_update(store: Store, threads: int) -> None:
    """X3: each step is decided on the one before it."""
    each, keys = 6, ("a", "b", "c")
    ready = threading.Barrier(threads)

    def race(thread: int) -> None:
        ready.wait()
        for step in range(each):
            counting(store, *(keys[(thread + step + place) % 3] for place in range(2)))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(race, range(threads)))
    events = [recorded(store.codec, row) for row in store.read_log(0, 100_000)]
    assert len(events) == threads * each * 2
    for key in keys:
        mine = [event for event in events if event.key == key]
        steps = list(range(1, len(mine) + 1))
        assert [event.version for event in mine] == steps
        assert [event.event.value for event in mine] == steps


def test_then_of_many_rivals_for_one_claim_one_wins(store: Store) -> None:
    """L1: uniqueness across streams; the others are told, and leave nothing behind."""
    threads = 16
    ready = threading.Barrier(threads)

    def take(thread: int) -> bool:
        def decide(uow: UnitOfWork) -> None:
            count(uow, f"t{thread}")
            uow.batch.claims.append(("ext/1001", f"counter/t{thread}"))

        ready.wait()
        try:
            run(store, now, decide)
        except ConcurrencyError:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        won = list(pool.map(take, range(threads)))
    assert won.count(True) == 1
    assert log(store) == [(f"counter/t{won.index(True)}", 1)]
    assert store.fetch("SELECT claim, stream_id FROM claims") == [("ext/1001", f"counter/t{won.index(True)}")]


def test_then_a_claim_given_back_can_be_taken_in_the_same_commit(store: Store) -> None:
    """L15: an extension key moves from one to another."""
    store.append(CommitBatch(claims=[("ext/1001", "a"), ("ext/1002", "b")]))
    store.append(CommitBatch(unclaims=["ext/1001", "ext/1002"], claims=[("ext/1001", "b"), ("ext/1002", "a")]))
    assert sorted(store.fetch("SELECT * FROM claims")) == [("ext/1001", "b"), ("ext/1002", "a")]
    with pytest.raises(ConcurrencyError):
        store.append(CommitBatch(claims=[("ext/1001", "c")]))


# -- deadlines --------------------------------------------------------------------------------------------------------


def deadlines(store: Store) -> list[tuple[str, datetime, int]]:
    return store.fetch("SELECT key, due_at, generation FROM deadlines ORDER BY key")


def test_then_a_deadline_comes_moves_and_goes_with_its_event(store: Store) -> None:
    """N10: written in the same commit, with the stream's version as generation."""
    first, second = START + timedelta(days=1), START + timedelta(days=2)
    counting(store, "a", due=first)
    counting(store, "b")
    assert deadlines(store) == [("counter/a", first, 1)]
    counting(store, "a", due=second)
    assert deadlines(store) == [("counter/a", second, 2)]
    counting(store, "a", due=None)
    assert deadlines(store) == []


def test_then_a_touched_stream_puts_a_stale_deadline_right(store: Store) -> None:
    """N10: the table is a projection; a row that is wrong must not come up for ever."""
    counting(store, "a")
    store.append(CommitBatch(deadlines=[("counter/a", START, 1)]))
    run(store, now, lambda uow: uow.touch(COUNTER, "a"))
    assert deadlines(store) == []


def test_then_deadlines_of_a_commit_that_fails_are_not_there(store: Store) -> None:
    """N10."""
    batch = CommitBatch(deadlines=[("counter/a", START, 1)], depends={"counter/a": 5})
    with pytest.raises(ConcurrencyError):
        store.append(batch)
    assert deadlines(store) == []


# -- waiting ----------------------------------------------------------------------------------------------------------


def waits(uow: UnitOfWork, waiter: str, since: datetime = START) -> None:
    uow.wait("counter/a", f"counter/{waiter}", since, "taken")


def test_then_who_waits_is_found_until_it_stops(store: Store) -> None:
    """S6, S7: also what this very work has changed."""
    run(store, now, lambda uow: waits(uow, "w1"))
    seen: list[Any] = []

    def decide(uow: UnitOfWork) -> None:
        waits(uow, "w2")
        uow.stop_waiting("counter/a", "counter/w1")
        seen.append(uow.waiters(["counter/a", "counter/b"]))

    run(store, now, decide)
    assert seen == [{"counter/a": frozenset({"counter/w2"})}]
    assert store.fetch("SELECT waiter FROM awaited") == [("counter/w2",)]


def test_then_a_wait_said_again_keeps_its_since_and_takes_the_new_reason(store: Store) -> None:
    """S6: who came first stays first."""
    run(store, now, lambda uow: waits(uow, "w"))
    run(store, now, lambda uow: uow.wait("counter/a", "counter/w", START + timedelta(days=3), "locked"))
    assert store.fetch("SELECT since, reason FROM awaited") == [(START, "locked")]


def test_then_a_waiter_that_comes_between_is_a_conflict(store: Store) -> None:
    """S6: nobody who waits is overlooked."""
    found: list[frozenset[str]] = []

    def decide(uow: UnitOfWork) -> None:
        count(uow, "a")
        found.append(uow.waiters(["counter/a"]).get("counter/a", frozenset()))
        if len(found) == 1:
            run(store, now, lambda other: waits(other, "w"))

    run(store, now, decide)
    assert found == [frozenset(), frozenset({"counter/w"})]


def test_then_one_that_begins_to_wait_for_what_has_changed_meanwhile_decides_again(store: Store) -> None:
    """S6: it has read a; a is free again before it begins to wait."""
    read: list[int] = []

    def decide(uow: UnitOfWork) -> None:
        read.append(uow.state(COUNTER, "a").value)
        if read[-1] == 0:
            waits(uow, "w")
        if len(read) == 1:
            counting(store, "a")

    run(store, now, decide)
    assert read == [0, 1]
    assert store.fetch("SELECT * FROM awaited") == []


# -- positions --------------------------------------------------------------------------------------------------------


def test_then_a_position_moves_with_its_effects(store: Store) -> None:
    """X3: one transaction for both."""

    def hear(uow: UnitOfWork) -> None:
        count(uow, "a")
        uow.advance("kafka/c/topic/0", None, 7)

    run(store, now, hear)
    assert store.positions("kafka/") == {"kafka/c/topic/0": 7}
    assert log(store) == [("counter/a", 1)]


@pytest.mark.parametrize("expected", [None, 3, 9])
def test_then_a_late_batch_of_one_that_was_overtaken_fails_whole(store: Store, expected: int | None) -> None:
    """X3: compare and set, so that a zombie repeats nothing."""
    run(store, now, lambda uow: uow.advance("kafka/c/topic/0", None, 7))

    def late(uow: UnitOfWork) -> None:
        count(uow, "a")
        uow.advance("kafka/c/topic/0", expected, 9)

    with pytest.raises(CheckpointConflict):
        run(store, now, late)
    assert log(store) == []
    assert store.positions("kafka/") == {"kafka/c/topic/0": 7}


def test_then_a_follower_that_was_overtaken_is_told(store: Store) -> None:
    """X2: one relay for each store."""
    store.move("relay", None, 3)
    store.move("relay", 3, 5)
    with pytest.raises(CheckpointConflict):
        store.move("relay", 3, 6)
    assert store.positions("relay") == {"relay": 5}


def test_then_rows_of_other_tables_come_with_the_events_or_not_at_all(store: Store) -> None:
    """X3: the inbox, for one."""
    row = ("billing", "1", b"hash", START)
    insert = "INSERT INTO inbox (source, id, payload_hash, received_at) VALUES (%s, %s, %s, %s)"

    def hear(uow: UnitOfWork) -> None:
        count(uow, "a")
        uow.write(insert, [row])

    run(store, now, hear)
    with pytest.raises(ConcurrencyError):
        run(store, now, hear)
    assert log(store) == [("counter/a", 1)]


def test_then_followers_are_woken_after_the_commit_and_not_when_nothing_was_added(store: Store) -> None:
    """X2: never from inside a command."""
    woken: list[tuple[int, int]] = []
    store.on_commit.append(lambda position: woken.append((position, store.end_of_log())))
    counting(store, "a", "b")
    run(store, now, lambda uow: waits(uow, "w"))
    assert woken == [(2, 2)]


# -- reading back -----------------------------------------------------------------------------------------------------


def test_then_time_never_goes_back_within_a_stream(store: Store) -> None:
    """N13: a late fact keeps its own instant as data, and its place in the history."""
    for days in (5, 2, 9):
        counting(store, "a", at=START + timedelta(days=days))
    events = read_history(store, "counter/a")
    assert [event.event.at for event in events] == [START + timedelta(days=d) for d in (5, 2, 9)]
    assert [event.meta.occurred_at for event in events] == [START + timedelta(days=d) for d in (5, 5, 9)]
    assert {event.meta.recorded_at for event in events} == {START}


@pytest.mark.parametrize(("days", "value"), [(0.9, 0), (1, 1), (1.5, 1), (2, 2), (99, 3)])
def test_then_a_stream_can_be_read_as_of_any_instant(store: Store, days: float, value: int) -> None:
    """N13: folded over what occurred at or before it."""
    for day in (1, 2, 3):
        counting(store, "a", at=START + timedelta(days=day))
    events = read_history(store, "counter/a", START + timedelta(days=days))
    assert COUNTER.fold("a", (event.event for event in events)).value == value


def test_then_who_when_and_why_are_kept_with_the_event(store: Store) -> None:
    """N13."""
    counting(store, "a")
    (event,) = read_history(store, "counter/a")
    assert (event.meta.actor, event.meta.correlation_id, event.meta.causation_id) == (
        CAUSE.actor,
        CAUSE.correlation_id,
        CAUSE.causation_id,
    )
    assert (event.key, event.version, event.position) == ("a", 1, 1)


def test_then_an_event_of_a_newer_service_is_named_and_not_skipped(store: Store) -> None:
    """X7: rather than a state without it."""
    store.append(CommitBatch(events=[("counter/a", 1, "test.Counted.v2", b"{}")]))
    with pytest.raises(UnknownEvent, match=r"test\.Counted\.v2"):
        UnitOfWork(store, START).state(COUNTER, "a")


def test_then_the_same_clock_reading_serves_a_whole_piece_of_work(store: Store) -> None:
    """N10: and a second try reads it anew."""
    clock = FixedClock(START)
    seen: list[datetime] = []

    def decide(uow: UnitOfWork) -> None:
        seen.append(uow.now)
        count(uow, "a")
        clock.advance(timedelta(seconds=1))
        if len(seen) == 1:
            counting(store, "a")

    run(store, clock.now, decide)
    assert seen == [START, START + timedelta(seconds=1)]


# -- migrations -------------------------------------------------------------------------------------------------------


def test_then_migrations_are_applied_once_and_a_dry_run_applies_none(database_url: str) -> None:
    """O1: what would change, and then nothing more."""
    names = [migration.name for migration in MIGRATIONS]
    assert migrate(database_url, MIGRATIONS, dry_run=True) == names
    assert migrate(database_url, MIGRATIONS) == names
    assert migrate(database_url, MIGRATIONS) == []


def test_then_many_starting_at_once_migrate_once(database_url: str) -> None:
    """X3: copies of a service start together."""
    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(lambda _: migrate(database_url, MIGRATIONS), range(6)))
    assert max(applied, key=len) == [migration.name for migration in MIGRATIONS]
    assert sum(len(names) for names in applied) == len(MIGRATIONS)


def test_then_a_database_newer_than_the_code_is_refused(database_url: str) -> None:
    """X7: by the name of what the code does not know."""
    migrate(database_url, [*MIGRATIONS, Migration("9999_future", "CREATE TABLE future ()")])
    with pytest.raises(MigrationError, match="9999_future"):
        migrate(database_url, MIGRATIONS)


def test_then_an_applied_file_that_has_changed_is_refused(database_url: str) -> None:
    """X7: by its name."""
    migrate(database_url, MIGRATIONS)
    first, *others = MIGRATIONS
    with pytest.raises(MigrationError, match=first.name):
        migrate(database_url, [Migration(first.name, first.sql + "\n-- changed"), *others])


def test_then_a_migration_that_fails_leaves_nothing_of_itself(database_url: str) -> None:
    """O1: each file is a transaction of its own."""
    broken = Migration("9000_broken", "CREATE TABLE half (); SELECT 1/0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database_url, [*MIGRATIONS, broken])
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT to_regclass('half')").fetchall() == [(None,)]
    assert migrate(database_url, MIGRATIONS) == []
