"""When a stretch of history is read to be published again, and sent no faster than is asked for (O4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inventory import START, Inventory, number
from trunkline.eventstore.history import read_page
from trunkline.messaging import outbox_relay
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.republish import LogRange, Page, RepublishResult, pages, position_before, republish

HOUR = timedelta(hours=1)
NAMES = ("NumberAdded", "NumberReserved", "NumberReleased", "NumberLocked", "ReservationEnding")
SAME = [HealthCheck.function_scoped_fixture]


def told(inventory: Inventory) -> None:
    """Four numbers with a life of some days."""
    inventory.introduce()
    numbers = [number(n) for n in range(4)]
    inventory.add(*numbers)
    inventory.wait(1)
    inventory.reserve(*numbers[:2])
    inventory.wait(1)
    inventory.release(numbers[0])
    inventory.lock(numbers[2])
    inventory.wait(28)
    while inventory.deadlines.step():
        pass


def all_that_was_said(inventory: Inventory) -> list[OutgoingRecord]:
    page = outbox_relay.read_page(inventory.store, inventory.service, 0, 10_000)
    assert page is not None
    return page.outgoing


def read(inventory: Inventory, stretch: LogRange, most: int = 1_000) -> list[OutgoingRecord]:
    return [one for page in pages(inventory.store, inventory.service, stretch, most) for one in page.outgoing]


def test_then_it_is_what_the_relay_has_said_to_the_letter(inventory: Inventory) -> None:
    """O4, X2: the same ids, keys, headers and bytes, in the same order."""
    told(inventory)
    said = all_that_was_said(inventory)
    assert {one.topic for one in said} >= {"NumberAdded", "NumberReserved", "ReservationExpired", "NumberReleased"}
    assert read(inventory, LogRange(last=inventory.store.end_of_log())) == said


@pytest.fixture
def lived(inventory: Inventory) -> Inventory:
    told(inventory)
    return inventory


instants = st.none() | st.integers(-50, 800).map(lambda hours: START + hours * HOUR)


@settings(max_examples=200, deadline=None, suppress_health_check=SAME)
@given(
    first=st.integers(1, 40),
    last=st.integers(0, 40),
    since=instants,
    until=instants,
    topics=st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1),
    stream=st.none() | st.integers(0, 3).map(lambda n: f"number/{number(n)}"),
    most=st.integers(1, 7),
)
def test_then_all_conditions_hold_of_what_is_read_and_nothing_is_left_out(
    lived: Inventory,
    first: int,
    last: int,
    since: datetime | None,
    until: datetime | None,
    topics: frozenset[str] | None,
    stream: str | None,
    most: int,
) -> None:
    """O4: as a filter over the whole log would have it, whatever the pages."""
    stretch = LogRange(first=first, last=last, since=since, until=until, stream=stream, topics=topics)
    recorded_at = {event.position: event.meta.recorded_at for event in read_page(lived.store, 0, 10_000)}
    wanted = [
        one
        for one in all_that_was_said(lived)
        if first <= one.position <= last
        and (since is None or recorded_at[one.position] >= since)
        and (until is None or recorded_at[one.position] <= until)
        and (topics is None or one.topic in topics)
        and (stream is None or stream == f"number/{(one.key or b'').decode()}")
    ]
    assert read(lived, stretch, most) == wanted


def test_then_an_instant_is_found_without_reading_the_log(lived: Inventory) -> None:
    """O4: before the first event, between any two, after the last; events recorded at one instant stay together."""
    events = read_page(lived.store, 0, 10_000)
    end = events[-1].position
    assert position_before(lived.store, START - HOUR) == 0
    assert position_before(lived.store, lived.clock.now()) == end
    for event in events:
        at = event.meta.recorded_at
        assert position_before(lived.store, at) == max(e.position for e in events if e.meta.recorded_at <= at)


class Road:
    """Takes pages, each for some seconds, and notes when each record went."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, int]] = []
        self._seconds = seconds

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        self.sent += [(self.now, one.position) for one in page]
        self.now += self._seconds


def page_of(first: int, count: int) -> Page:
    return Page(first + count, [OutgoingRecord("T", b"k", b"v", [], first + n + 1) for n in range(count)])


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(0, 400), min_size=1, max_size=6),
    rate=st.sampled_from([1, 3, 10, 100, 1_000, 25_000]),
    seconds=st.sampled_from([0.0, 0.01, 0.5, 20.0]),
)
async def test_then_it_goes_no_faster_than_it_may(counts: list[int], rate: int, seconds: float) -> None:
    """O4: by any moment no more than the rate allows since the first, and a tenth of a second's share."""
    road = Road(seconds)
    found, first = [], 0
    for count in counts:
        found.append(page_of(first, count))
        first += count
    steps = [step async for step in republish(iter(found), road.send_page, rate, road.clock, road.sleep)]
    assert [position for _, position in road.sent] == list(range(1, first + 1))
    share = max(1, rate // 10)
    for count, (at, _) in enumerate(road.sent, start=1):
        assert count <= at * rate + share + 1e-6
    assert steps[-1] == RepublishResult(first, first, {"T": first} if first else {})
    assert [step.position for step in steps] == sorted(step.position for step in steps)


async def test_then_what_is_told_is_safe(lived: Inventory) -> None:
    """O4: when sending fails, the position last told is that of the last record that arrived."""
    road: Any = Road(0.0)
    whole = road.send_page

    async def breaks(page: Sequence[OutgoingRecord]) -> None:
        if len(road.sent) >= 3:
            raise OSError("gone")
        await whole(page)

    found = pages(lived.store, lived.service, LogRange(last=100))
    steps: list[RepublishResult] = []

    async def follow() -> None:
        async for step in republish(found, breaks, 10, road.clock, road.sleep):
            assert not steps or step.position > steps[-1].position
            steps.append(step)

    with pytest.raises(OSError, match="gone"):
        await follow()
    assert (steps[-1].position, steps[-1].events) == (road.sent[-1][1], 3)
