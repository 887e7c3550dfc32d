"""When something falls due: by the service's clock, once, in due order, stamped with its due instant (N10)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.inventory import START, Inventory, number
from trunkline.clock import DAY
from trunkline.deadlines.deadlines import Deadlines, rebuild_deadlines
from trunkline.eventstore.unit_of_work import UnitOfWork


@contextmanager
def poller(inventory: Inventory) -> Iterator[Deadlines]:
    """One more copy of the service."""
    made = inventory.poller()
    try:
        yield made
    finally:
        made.resign()


def ends(inventory: Inventory) -> list[tuple[str, str, float]]:
    """(event, number, days after the start) of what time did."""
    told = {"ReservationEnding", "ReservationExpired", "NumberReleased", "LockEnding", "LockExpired"}
    return [(name, key, (at - START) / DAY) for name, key, at in inventory.story() if name in told]


def test_nothing_happens_before_its_instant(inventory: Inventory) -> None:
    """N10: a microsecond before it is due, it is not; then it is, and the instant of the end is the due one."""
    inventory.add(number(1))
    inventory.reserve(number(1))
    inventory.clock.advance(21 * DAY - timedelta(microseconds=1))
    assert inventory.deadlines.step() == 0
    inventory.clock.advance(timedelta(microseconds=1))
    assert inventory.deadlines.step() == 1
    inventory.wait(7.5)
    inventory.settle()
    assert ends(inventory) == [
        ("ReservationEnding", number(1), 21),
        ("ReservationExpired", number(1), 28),
        ("NumberReleased", number(1), 28),
    ]
    assert inventory.due() == {}


def test_an_outage_is_caught_up_in_due_order(inventory: Inventory) -> None:
    """N10: whatever the size of a batch, the log has it as it fell due, notices before ends, each stamped exactly.

    One number is reserved and one is locked on each of the days 0 to 19, and the service is away until day 40: what
    ended by then (days 28 to 40) is not announced any more and takes its turn at its end, the rest is announced.
    """
    for day in range(20):
        inventory.add(number(2 * day), number(2 * day + 1))
        inventory.reserve(number(2 * day))
        inventory.lock(number(2 * day + 1))
        inventory.wait(1)
    inventory.clock.advance(START + 40 * DAY - inventory.clock.now())
    for limit in (1, 3, 7):
        inventory.deadlines.step(limit)
    inventory.settle(limit=5)
    happened = ends(inventory)
    assert [at for _, _, at in happened] == sorted(at for _, _, at in happened)
    assert len([h for h in happened if h[0] == "NumberReleased"]) == 13
    assert len([h for h in happened if h[0] == "LockExpired"]) == 13
    told = {key for name, key, _ in happened if name in ("ReservationEnding", "LockEnding")}
    ended = {key for name, key, _ in happened if name in ("ReservationExpired", "LockExpired")}
    assert told.isdisjoint(ended)
    assert {at for name, _, at in happened if name == "ReservationEnding"} == set(range(34, 41))


def test_two_copies_do_it_once(inventory: Inventory) -> None:
    """N10: one copy polls, the other stands by and takes over when it goes."""
    numbers = [number(i) for i in range(50)]
    inventory.add(*numbers)
    inventory.reserve(*numbers)
    inventory.wait(30)
    with poller(inventory) as second:
        assert inventory.deadlines.step(10) == 10
        assert second.step(10) == 0
        inventory.deadlines.resign()
        while second.step(10):
            pass
        assert inventory.deadlines.step() == 0
    assert sorted(ends(inventory)) == sorted(
        [("ReservationExpired", n, 28) for n in numbers] + [("NumberReleased", n, 28) for n in numbers]
    )


def test_two_that_both_believe_to_be_the_only_one_do_it_once(inventory: Inventory) -> None:
    """N10, X3: even without the duty, the transaction lets nothing happen twice."""

    class Everybody:
        def hold(self, duty: str) -> bool:
            return True

    numbers = [number(i) for i in range(200)]
    inventory.add(*numbers)
    inventory.lock(*numbers)
    inventory.wait(22)
    pollers = [
        Deadlines(inventory.store, inventory.clock, inventory.service.settle, Everybody())  # type: ignore[arg-type]
        for _ in range(4)
    ]

    def settle(one: Deadlines) -> None:
        while one.step(7):
            pass

    threads = [threading.Thread(target=settle, args=(one,)) for one in pollers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends(inventory)) == [("LockEnding", n, 21) for n in numbers]


def test_a_copy_whose_session_was_ended_stops_by_itself(inventory: Inventory) -> None:
    """N10: a copy that lost the database does not go on as if it still had the duty."""
    inventory.add(number(1))
    inventory.reserve(number(1))
    inventory.wait(30)
    with poller(inventory) as second:
        assert inventory.deadlines.step(0) == 0
        inventory.store.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND pid <> pg_backend_pid()"
        )
        assert second.step() == 1


def test_the_table_can_be_dropped_and_rebuilt(inventory: Inventory) -> None:
    """N10: it is a projection of the streams; what is due afterwards is the same."""
    numbers = [number(i) for i in range(30)]
    inventory.add(*numbers)
    inventory.reserve(*numbers[:10])
    inventory.wait(1)
    inventory.lock(*numbers[10:20])
    inventory.release(*numbers[:3])
    before = inventory.due()
    assert len(before) == 17
    with inventory.store.connection() as conn:
        conn.execute(b"DELETE FROM deadlines")
        conn.execute(b"INSERT INTO deadlines VALUES ('number/+999', now(), 1)")
    assert rebuild_deadlines(inventory.store, inventory.service.deciders) == 17
    assert inventory.due() == before


def test_what_is_written_while_it_is_rebuilt_is_in_it(inventory: Inventory) -> None:
    """N10: the fold goes on beside the writers, and nothing falls between."""
    inventory.add(*(number(i) for i in range(400)))
    stop = threading.Event()

    def write() -> None:
        for place in range(400):
            inventory.reserve(number(place))
            if place % 3 == 0:
                inventory.release(number(place))
            if stop.is_set():
                break

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        rebuild_deadlines(inventory.store, inventory.service.deciders)
    stop.set()
    writer.join()
    known = inventory.due()
    rebuild_deadlines(inventory.store, inventory.service.deciders)
    assert known == inventory.due()


def test_a_row_for_nothing_goes_away(inventory: Inventory) -> None:
    """N10: a stale row is no wrong answer, and does not come up for ever."""
    inventory.add(number(1))
    with inventory.store.connection() as conn:
        conn.execute(
            b"INSERT INTO deadlines VALUES ('number/' || %s, %s, 1), ('number/+999999', %s, 1)",
            (number(1), START, START),
        )
    assert inventory.deadlines.step() == 2
    assert inventory.due() == {}
    assert inventory.deadlines.step() == 0
    assert ends(inventory) == []


def test_a_stale_row_never_wipes_out_a_rivals_deadline(inventory: Inventory) -> None:
    """N10: the number is reserved while its stale row is being settled; the reservation's deadline stays."""
    inventory.add(number(1))
    with inventory.store.connection() as conn:
        conn.execute(b"INSERT INTO deadlines VALUES ('number/' || %s, %s, 1)", (number(1), START))
    calls: list[str] = []

    def settle(uow: UnitOfWork, stream_ids: list[str]) -> None:
        inventory.service.settle(uow, stream_ids)
        if not calls:
            calls.append("reserved meanwhile")
            inventory.reserve(number(1))

    rival = Deadlines(inventory.store, inventory.clock, settle)  # type: ignore[arg-type]
    try:
        rival.step()
    finally:
        rival.resign()
    assert inventory.due() == {f"number/{number(1)}": START + 21 * DAY}


def test_the_next_instant_is_known(inventory: Inventory) -> None:
    """N10: a sleeping poller knows how long; a release takes the instant away again."""
    assert inventory.deadlines.next_due() is None
    assert inventory.deadlines.seconds_to_next() is None
    inventory.add(number(1))
    inventory.reserve(number(1))
    assert inventory.deadlines.next_due() == START + 21 * DAY
    inventory.wait(20)
    assert inventory.deadlines.seconds_to_next() == DAY.total_seconds()
    inventory.release(number(1))
    assert inventory.deadlines.next_due() is None
