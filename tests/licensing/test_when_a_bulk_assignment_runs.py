"""When a bulk assignment runs while numbers is slow, silent or refusing, and its runner dies (L10, L13, X5)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.licensing.desk import CAUSE, Desk
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline_licensing.application.bulk_assignment.run import run_chunk
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.bulk_assignment.events import BulkChunkDone
from trunkline_licensing.domain.extension.events import ExtensionProvisioned
from trunkline_licensing.domain.extension.extension import EXTENSION, give_up_number
from trunkline_licensing.domain.pool.events import UnitsAllocated

PEOPLE = [f"Person {n}" for n in range(1, 13)]


def number(n: int) -> str:
    return f"+6531580{n:03}"


@pytest.fixture
def desk(licensing: Any, say: Callable[..., Message], registered: Message) -> Iterator[Desk]:
    found = Desk(licensing, say, registered)
    found.hire(*PEOPLE)
    yield found
    found.close()


def rows(count: int, *, numbers: bool = True, start: int = 101) -> list[tuple[str, str, str]]:
    return [(str(start + n), PEOPLE[n], number(n) if numbers else "") for n in range(count)]


def test_then_a_row_without_an_answer_times_out_and_is_compensated(desk: Desk) -> None:
    """L10, L11, L12, X5: after the stated time, whatever comes of it later."""
    desk.buy(10)
    key = desk.assign(rows(3))
    desk.run()
    asked = desk.asked()
    desk.answer(asked[:1])
    desk.run()
    assert desk.state(key).waiting == 2
    desk.pass_time(timedelta(seconds=61))
    desk.run()
    assert desk.codes(key) == [None, "BINDING_TIMEOUT", "BINDING_TIMEOUT"]
    assert (desk.state(key).status, desk.free()) == ("completed", 9)
    desk.answer(asked)  # late, and the first one twice: each has its outcome already
    desk.run()
    assert desk.codes(key) == [None, "BINDING_TIMEOUT", "BINDING_TIMEOUT"]
    assert desk.free() == 9


def test_then_rows_that_wait_hold_up_nobody(desk: Desk) -> None:
    """L10, X5: the next chunks, and other templates, go on."""
    desk.buy(10)
    waiting = desk.assign(rows(2))
    other = desk.assign(rows(6, numbers=False, start=301)[2:])
    desk.run()
    assert desk.state(waiting).waiting == 2
    assert desk.state(other).status == "completed"
    desk.answer(desk.asked())
    desk.run()
    assert desk.codes(waiting) == [None, None]


def test_then_units_go_to_rows_in_file_order_whatever_comes_first(desk: Desk) -> None:
    """L10, L12, §10.3: rows that are short wait for those before them, and are tried before those after them."""
    desk.buy(2)
    key = desk.assign([*rows(2), ("103", PEOPLE[2], ""), ("104", PEOPLE[3], "")])
    desk.run()
    b = desk.state(key)
    assert (b.waiting, b.short, b.failed) == (2, 2, 0)
    asked = desk.asked()
    desk.answer(asked, refuse=[number(0)])
    desk.run()
    assert desk.codes(key) == ["NUMBER_UNAVAILABLE", None, None, "NO_BASE_LICENSE"]
    assert desk.free() == 0


def test_then_one_allocation_event_stands_for_a_chunk(desk: Desk) -> None:
    """L13: the streams of pools and templates stay small."""
    desk.buy(12)
    key = desk.assign(rows(12, numbers=False))
    desk.run()
    kinds = [type(row.event) for row in desk.licensing.log()]
    assert kinds.count(UnitsAllocated) == kinds.count(BulkChunkDone) == 1
    assert desk.state(key).succeeded == 12


def test_then_what_people_do_to_its_extensions_meanwhile_counts(desk: Desk) -> None:
    """L10, L15: deleted by hand, the row has failed; its number taken off by hand, it is done."""
    desk.buy(10)
    key = desk.assign(rows(2))
    desk.run()
    (first, _), (second, _) = desk.asked()

    def by_hand(work: Any) -> None:
        withdraw(work, [first], "by_hand", CAUSE)
        work.record(EXTENSION, second, give_up_number(work.state(EXTENSION, second), work.now, "by_hand"), CAUSE)

    desk.licensing.do(by_hand)
    desk.run()
    assert desk.codes(key) == ["NUMBER_UNAVAILABLE", None]
    assert desk.free() == 9


def test_then_all_or_nothing_is_undone_when_numbers_refuses_one(desk: Desk) -> None:
    """L10, L12: also rows that have their number already, and those that still wait."""
    desk.buy(10)
    key = desk.assign([*rows(3), ("109", PEOPLE[8], "")], all_or_nothing=True)
    desk.run()
    b = desk.state(key)
    assert (b.waiting, b.held, b.succeeded) == (3, 1, 0)
    asked = desk.asked()
    desk.answer(asked[:1])
    desk.answer(asked[1:2], refuse=[number(1)])
    desk.run()
    codes = desk.codes(key)
    assert codes == ["ALL_OR_NOTHING", "NUMBER_UNAVAILABLE", "ALL_OR_NOTHING", "ALL_OR_NOTHING"]
    assert (desk.state(key).status, desk.state(key).failed, desk.free()) == ("completed", 4, 10)
    desk.answer(asked[2:])
    desk.run()
    assert desk.codes(key) == codes
    assert desk.free() == 10


def test_then_another_copy_takes_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """L13: one copy of the service runs it at a time; the next one goes on behind the last row that was done."""
    monkeypatch.setattr("trunkline_licensing.application.bulk_assignment.run.CHUNK", 3)
    desk.buy(12)
    key = desk.assign(rows(12, numbers=False))
    other = desk.new_runner()
    assert desk.runner.step() == 3
    assert other.step() == 0
    desk.runner.resign()
    while other.step():
        pass
    other.resign()
    assert (desk.state(key).status, desk.state(key).succeeded, desk.free()) == ("completed", 12, 0)
    chunks = [row.event.upto for row in desk.licensing.log() if isinstance(row.event, BulkChunkDone)]
    assert chunks == [3, 6, 9, 12]


class Dead(BaseException):
    """The runner has died."""


@pytest.mark.parametrize("seed", range(8))
def test_then_it_goes_on_where_it_died(desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """L13: before or after any commit of the run; no row twice, none lost, counts as if it had lived."""
    monkeypatch.setattr("trunkline_licensing.application.bulk_assignment.run.CHUNK", 3)
    desk.buy(8)
    key = desk.assign([(k, who, no if n % 2 else "") for n, (k, who, no) in enumerate(rows(12))])
    chance = random.Random(seed)
    append = Store.append

    def dying(self: Store, *args: Any, **kwargs: Any) -> int:
        when = chance.random()
        if when < 0.2:
            raise Dead
        position = append(self, *args, **kwargs)
        if when > 0.8:
            raise Dead
        return position

    refuse = [number(n) for n in range(12) if n % 4 == 1]
    requests: list[Any] = []
    deaths = 0
    for _ in range(200):
        try:
            with monkeypatch.context() as patch:
                patch.setattr(Store, "append", dying)
                desk.run()
        except Dead:
            deaths += 1
            desk.runner.resign()
            desk.runner = desk.new_runner()
        requests += desk.asked()
        desk.answer(requests, refuse=refuse)  # all of them again: that they come twice changes nothing
        if desk.state(key).status == "completed":
            break
    assert deaths
    codes = desk.codes(key)
    expected, left = [], 8
    for n in range(12):
        refused = n % 4 == 1
        expected.append("NO_BASE_LICENSE" if not left else "NUMBER_UNAVAILABLE" if refused else None)
        left -= 1 if left and not refused else 0
    assert codes == expected
    b = desk.state(key)
    assert (b.status, b.succeeded, b.failed) == ("completed", codes.count(None), 12 - codes.count(None))
    assert desk.free() == 0
    born = [row.key for row in desk.licensing.log() if isinstance(row.event, ExtensionProvisioned)]
    assert len(born) == len(set(born))


def test_then_one_that_fails_is_set_aside_and_the_others_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """O8, L13: whatever is wrong with it; it goes on from what is stored, once it can."""
    desk.buy(10)
    failing = desk.assign(rows(2, numbers=False))
    other = desk.assign(rows(6, numbers=False, start=301)[2:])
    broken = {failing}

    def fragile(work: Any, bulk_id: str, *more: Any) -> int:
        done = run_chunk(work, bulk_id, *more)
        if bulk_id in broken:
            raise ValueError("cannot stand it")
        return done

    monkeypatch.setattr("trunkline_licensing.application.bulk_assignment.runner.run_chunk", fragile)
    desk.run()
    assert (desk.state(other).status, desk.state(failing).succeeded) == ("completed", 0)
    aside = desk.licensing.store.fetch("SELECT loop, key, cause FROM failed_items")
    assert aside == [("bulk", failing, "ValueError: cannot stand it")]
    broken.clear()
    desk.run()
    assert desk.state(failing).succeeded == 0
    desk.pass_time(BACK_OFF[0])
    desk.run()
    assert desk.codes(failing) == [None, None]
    assert desk.free() == 4
    assert desk.licensing.store.fetch("SELECT key FROM failed_items") == []
