"""When a record cannot be published: its key waits, in order, and the rest of the outbox goes on (X2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.inventory import Inventory, number
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline.messaging.kafka.producer import TooLargeToSend
from trunkline.messaging.outbox_relay import OutboxRelay
from trunkline.messaging.records import OutgoingRecord
from trunkline.service_definition import Public

PATIENCE = 60.0


class Topics:
    """Takes pages, unless a record of some key is too large."""

    has_topics = True

    def __init__(self) -> None:
        self.arrived: list[OutgoingRecord] = []
        self.too_large: set[bytes] = set()
        self.most = 1_000
        """Records of one page."""

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        if len(page) > self.most or any(record.key in self.too_large for record in page):
            raise TooLargeToSend("too large")
        self.arrived += page

    def positions(self, key: str) -> list[int]:
        found: list[int] = []
        for record in self.arrived:
            if record.key == key.encode() and record.position not in found:
                found.append(record.position)
        return found


class Publishing:
    """A relay over an inventory, run until all is published or set aside."""

    def __init__(self, inventory: Inventory, topics: Topics) -> None:
        self.inventory = inventory
        self.topics = topics
        self.service = inventory.service

    async def until(self, done: Callable[[], object]) -> None:
        leader_election = LeaderElection(self.inventory.url)
        commit_signal = CommitSignal(asyncio.get_running_loop())
        stopping = False
        relay = OutboxRelay(
            self.inventory.store, self.service, self.topics, commit_signal, leader_election, self.inventory.clock
        )
        running = asyncio.create_task(relay.run(lambda: stopping))
        async with asyncio.timeout(PATIENCE):
            while not done():
                assert not running.done(), running.exception()
                await asyncio.sleep(0.01)
                commit_signal.set()
        stopping = True
        commit_signal.set()
        await running
        leader_election.resign()


def aside(inventory: Inventory) -> list[str]:
    return [key for (key,) in inventory.store.fetch("SELECT key FROM failed_items WHERE loop = 'relay'")]


def published(inventory: Inventory) -> int:
    return inventory.store.positions("relay").get("relay", 0)


async def test_a_record_too_large_for_its_topic_holds_up_its_key_alone(inventory: Inventory) -> None:
    """X2, O8: the rest of the outbox is published; the key's records follow in order when they can."""
    topics = Topics()
    topics.too_large.add(number(2).encode())
    inventory.add(*map(number, range(1, 6)))
    inventory.reserve(number(2), number(3))
    one = Publishing(inventory, topics)
    end = inventory.store.end_of_log()
    await one.until(lambda: published(inventory) == end)
    assert aside(inventory) == [f"number/{number(2)}"]
    assert topics.positions(number(2)) == []
    assert topics.positions(number(3)) == [3, 7]
    inventory.release(number(2))
    topics.too_large.clear()
    await one.until(lambda: published(inventory) == end + 1)
    assert topics.positions(number(2)) == [], "its next try is not due"
    inventory.clock.advance(BACK_OFF[0])
    await one.until(lambda: not aside(inventory))
    assert topics.positions(number(2)) == [2, 6, 8]


async def test_an_event_that_cannot_be_published_holds_up_its_stream_alone(inventory: Inventory) -> None:
    """X2, O8: a mistake in what one event publishes is that stream's."""
    broken = {number(1)}

    def fails(event: RecordedEvent) -> Public | None:
        if event.key in broken:
            raise KeyError("mapping")
        return inventory.service.published(event)

    topics = Topics()
    inventory.add(number(1), number(2))
    one = Publishing(inventory, topics)
    one.service = replace(inventory.service, published=fails)
    await one.until(lambda: published(inventory) == 2)
    assert (topics.positions(number(1)), topics.positions(number(2))) == ([], [2])
    broken.clear()
    inventory.clock.advance(BACK_OFF[0])
    await one.until(lambda: not aside(inventory))
    assert topics.positions(number(1)) == [1]


async def test_a_page_too_large_as_a_whole_is_published_in_parts(inventory: Inventory) -> None:
    """X2: no single record is to blame, so none is set aside."""
    topics = Topics()
    topics.most = 2
    inventory.add(*map(number, range(1, 8)))
    await Publishing(inventory, topics).until(lambda: published(inventory) == 7)
    assert sorted({record.position for record in topics.arrived}) == list(range(1, 8))
    assert aside(inventory) == []
