"""When an extension is to have a number: licensing asks, numbers answers, both say the same (X5, L12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.pair import Billing, prepare_licensing, prepare_numbers
from tests.end_to_end.saga import BulkRow, NewExtension, Saga, world_of
from trunkline_licensing.domain.pool.pool import POOL, pool_key

START = datetime(2026, 1, 1, tzinfo=UTC)
fresh = count(61_000_000)
keys = count(100)


class Here(Saga):
    """The pair, and an organization of this test's own."""

    organization_id = ""

    def customer(self) -> None:
        """A new one, with licenses."""
        self.organization_id = str(uuid4())
        self.register(*world_of(self.organization_id, str(uuid4())))
        self.sell(self.organization_id, "phone_system", 2000)
        self.sell(self.organization_id, "device_ip_phone", 2000)
        self.talk()


@pytest.fixture(scope="module")
def pair(databases: Any) -> Iterator[Here]:
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    found = Here(*urls, START)
    yield found
    found.close()
    for url in urls:
        databases.drop(url)


@pytest.fixture
def saga(pair: Here) -> Here:
    pair.customer()
    return pair


def bought(saga: Here) -> tuple[str, Billing]:
    """A number that the organization has, and the subscription it serves."""
    number = f"+65{next(fresh)}"
    subscription = Billing(saga.organization_id)
    saga.add(number)
    saga.bill(subscription.started(saga.now, number))
    saga.talk()
    return number, subscription


def row(number: str | None = None, bulk: BulkRow | None = None) -> NewExtension:
    return NewExtension(
        extension_id=str(uuid4()), ext_key=str(next(keys)), number=number, bulk=bulk, addons=("device_ip_phone",)
    )


def made(saga: Here, number: str | None = None, bulk: BulkRow | None = None) -> str:
    new = row(number, bulk)
    assert saga.provision(saga.organization_id, [new]) == [None]
    return new.extension_id


def in_use(saga: Here) -> tuple[int, int]:
    """Units in use: Phone System, IP Phone."""
    states = (
        saga.licensing.state(POOL, pool_key(saga.organization_id, code)) for code in ("phone_system", "device_ip_phone")
    )
    base, addon = (state.allocated for state in states)
    return base, addon


def test_then_it_rings_there(saga: Here) -> None:
    """X5: asked, bound, heard; and the copy of the number says so."""
    number, _ = bought(saga)
    key = made(saga, number)
    assert saga.on(key) == (number, "requested")
    saga.talk()
    assert saga.on(key) == (number, "bound")
    assert saga.rings_at(number) == key
    copy = saga.copy(number)
    assert copy is not None
    assert (copy.state, copy.organization_id, copy.bound, copy.extension_id) == (
        "assigned",
        saga.organization_id,
        True,
        key,
    )


def test_then_a_refused_row_leaves_nothing(saga: Here) -> None:
    """L12: no extension, no units; its key can be had again, and the row beside it goes through."""
    number, _ = bought(saga)
    bulk_id = str(uuid4())
    good, bad = row(number, BulkRow(bulk_id, 1)), row("+6568888888", BulkRow(bulk_id, 2))
    saga.provision(saga.organization_id, [good, bad])
    assert in_use(saga) == (2, 2)
    saga.talk()
    assert in_use(saga) == (1, 1)
    assert saga.on(good.extension_id) == (number, "bound")
    assert not saga.extension(bad.extension_id).alive
    assert saga.provision(saga.organization_id, [NewExtension(extension_id=str(uuid4()), ext_key=bad.ext_key)]) == [
        None
    ]
    causes = saga.licensing.store.fetch(
        "SELECT state FROM stored_events WHERE originator_id = %s AND topic LIKE '%%Deleted'",
        (f"extension/{bad.extension_id}",),
    )
    assert len(causes) == 1
    assert b"number_refused" in causes[0][0]


def test_then_what_was_asked_by_hand_and_refused_stays_with_its_reason(saga: Here) -> None:
    """X5: the extension is not taken away for it."""
    key = made(saga, "+6568888888")
    saga.talk()
    assert saga.on(key) == ("+6568888888", "refused")
    facts = saga.extension(key).facts
    assert facts is not None
    assert facts.number is not None
    assert (facts.number.code, facts.number.reason) == (
        "number-unavailable",
        "+6568888888 is not available to this organization.",
    )


def test_then_while_numbers_is_down_silence_is_a_refusal(saga: Here) -> None:
    """X5, L10, L12: and when it is back it binds nothing that nobody waits for, in whatever order it hears."""
    number, another = bought(saga)[0], bought(saga)[0]
    by_row, by_hand = made(saga, number, BulkRow(str(uuid4()), 1)), made(saga, another)
    saga.time_out()
    assert not saga.extension(by_row).alive
    assert in_use(saga) == (1, 1)
    status = saga.on(by_hand)
    assert status is not None
    assert status[1] == "refused"
    saga.talk()
    assert saga.rings_at(number) is None
    saga.check_agreement([by_row, by_hand], [number, another])


def test_then_an_answer_after_compensation_is_undone(saga: Here) -> None:
    """X5: bound too late, and unbound again; the next one can have the number."""
    number, _ = bought(saga)
    key = made(saga, number, BulkRow(str(uuid4()), 1))
    saga.collect()
    saga.numbers.receive(saga.to_numbers)
    saga.to_numbers.clear()
    assert saga.rings_at(number) == key
    saga.time_out()
    saga.talk()
    assert saga.rings_at(number) is None
    other = made(saga, number)
    saga.talk()
    assert saga.on(other) == (number, "bound")


def test_then_an_answer_in_time_is_no_silence(saga: Here) -> None:
    """X5: the timer finds nothing to do."""
    number, _ = bought(saga)
    key = made(saga, number)
    saga.talk()
    saga.time_out()
    assert saga.on(key) == (number, "bound")


def test_then_answering_twice_is_harmless(saga: Here) -> None:
    """X3, X5: nothing is written for a second answer."""
    number, _ = bought(saga)
    keys = [made(saga, number), made(saga, "+6568888888")]
    saga.collect()
    saga.numbers.receive(saga.to_numbers * 2)
    saga.to_numbers.clear()
    saga.collect()
    saga.licensing.receive(saga.to_licensing)
    end = saga.licensing.store.end_of_log()
    saga.licensing.receive(saga.to_licensing * 2)
    assert saga.licensing.store.end_of_log() == end
    assert [saga.on(key) for key in keys] == [(number, "bound"), ("+6568888888", "refused")]


def test_then_expiry_suspends_it_and_restoring_brings_it_back(saga: Here) -> None:
    """X5: the binding stays on the number; only what licensing shows of it changes."""
    number, subscription = bought(saga)
    key = made(saga, number)
    saga.talk()
    saga.bill(subscription.expired(saga.now))
    saga.talk()
    assert (saga.on(key), saga.rings_at(number)) == ((number, "suspended"), key)
    saga.bill(subscription.reactivated(saga.now))
    saga.talk()
    assert (saga.on(key), saga.rings_at(number)) == ((number, "bound"), key)


@pytest.mark.parametrize("how", ["terminated", "swapped", "released"])
def test_then_what_takes_the_number_away_unbinds_the_extension_and_says_why(saga: Here, how: str) -> None:
    """X5: the cause is on the extension's record."""
    number, subscription = bought(saga)
    other = f"+65{next(fresh)}"
    saga.add(other)
    key = made(saga, number)
    saga.talk()
    facts = {
        "terminated": lambda: subscription.terminated(saga.now),
        "swapped": lambda: subscription.swapped(saga.now, number, other),
        "released": lambda: subscription.expired(saga.now),
    }
    saga.bill(facts[how]())
    saga.talk()
    if how == "released":
        saga.now += timedelta(days=57)
        saga.time_out()
        saga.talk()
    assert (saga.on(key), saga.rings_at(number)) == ((number, "lost"), None)
    found = saga.extension(key).facts
    assert found is not None
    assert found.number is not None
    assert found.number.code == how


def test_then_another_number_takes_its_place_and_the_first_stays_assigned(saga: Here) -> None:
    """L16: this is no swap."""
    one, two = bought(saga)[0], bought(saga)[0]
    key = made(saga, one)
    saga.talk()
    saga.request(key, two)
    saga.talk()
    assert (saga.on(key), saga.rings_at(one), saga.rings_at(two)) == ((two, "bound"), None, key)
    assert saga.number(one).state == "assigned"
    saga.remove(key)
    saga.talk()
    assert (saga.on(key), saga.rings_at(two)) == (None, None)
    assert saga.number(two).state == "assigned"
    saga.delete(key)
    saga.talk()
    saga.check_agreement([key], [one, two])


def test_then_a_document_heard_before_the_answer_still_suspends(saga: Here) -> None:
    """X5: the two topics overtake each other."""
    number, subscription = bought(saga)
    key = made(saga, number)
    saga.collect()
    saga.numbers.receive(saga.to_numbers)
    saga.to_numbers.clear()
    saga.bill(subscription.expired(saga.now))
    saga.collect(states=False)
    saga.numbers.receive(saga.to_numbers)
    saga.to_numbers.clear()
    saga.collect()
    saga.licensing.receive([r for r in saga.to_licensing if r.topic == "NumberState"])
    assert saga.on(key) == (number, "requested")
    saga.licensing.receive([r for r in saga.to_licensing if r.topic != "NumberState"])
    assert saga.on(key) == (number, "suspended")


def test_then_an_older_document_changes_nothing(saga: Here) -> None:
    """X1, X3: the newest of each number counts, whenever it comes; a tombstone is a document too."""
    number, subscription = bought(saga)
    key = made(saga, number)
    documents = []
    for what in ("", "expired", "reactivated", "terminated", "released", "deleted"):
        if what == "released":
            saga.now += timedelta(days=29)
            saga.time_out()
        elif what == "deleted":
            saga.delete_number(number)
        elif what:
            saga.bill(getattr(subscription, what)(saga.now))
        saga.talk()
        documents.append(saga.document(number))
    assert documents[-1].value is None
    copy = saga.copy(number)
    assert copy is not None
    assert copy.state is None
    for document in reversed(documents):
        saga.licensing.receive([document, document], batch=1)
    assert saga.copy(number) == copy
    assert saga.on(key) == (number, "lost")


def test_then_a_thousand_go_in_a_few_queries(saga: Here) -> None:
    """X5: both sides read a part of a batch at once, whatever its size."""
    rows = [row(f"+65{next(fresh)}") for _ in range(1000)]
    numbers = [new.number for new in rows if new.number]
    saga.add(*numbers)
    saga.bill(*(Billing(saga.organization_id).started(saga.now, number) for number in numbers))
    saga.talk()
    saga.provision(saga.organization_id, rows)
    asked: dict[str, list[int]] = {"licensing": [], "numbers": []}
    for name, side in (("licensing", saga.licensing), ("numbers", saga.numbers)):
        counted(side.store, asked[name])
    saga.talk()
    assert all(saga.on(new.extension_id) == (new.number, "bound") for new in rows[::100])
    assert sum(asked["numbers"]) >= 2000
    assert sum(asked["licensing"]) >= 1000
    assert len(asked["numbers"]) <= 12
    assert len(asked["licensing"]) <= 12


def counted(store: object, into: list[int]) -> None:
    """Note how many streams each query reads."""
    read = store.read  # type: ignore[attr-defined]

    def counting(ids: list[str], conn: object = None, **more: object) -> object:
        into.append(len(ids))
        return read(ids, conn, **more)

    store.read = counting  # type: ignore[attr-defined]
