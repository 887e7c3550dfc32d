"""When the newest state of each number is told on its compacted topic (X1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import psycopg
import pytest

from tests.inventory import ORG, Inventory, number
from trunkline.contracts import numbers as said
from trunkline.contracts.cloudevents.envelope import decode
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.messaging.compacted_topics.feed import CompactedTopicPublisher, begin_anew
from trunkline.messaging.records import OutgoingRecord


class Topic:
    """What a compacted topic would have kept, and everything that was ever sent."""

    def __init__(self) -> None:
        self.sent: list[OutgoingRecord] = []
        self.away = False

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        if self.away:
            raise ConnectionError
        self.sent += page

    @property
    def kept(self) -> dict[str, said.NumberState | None]:
        newest = {o.key.decode(): o for o in self.sent}
        return {
            key: None if o.value is None else msgspec.json.decode(o.value, type=said.NumberState)
            for key, o in newest.items()
        }


@pytest.fixture
def leader_election(inventory: Inventory) -> Iterator[LeaderElection]:
    found = LeaderElection(inventory.url)
    yield found
    found.resign()


@pytest.fixture
def feed(inventory: Inventory, leader_election: LeaderElection) -> CompactedTopicPublisher:
    return CompactedTopicPublisher(inventory.store, inventory.service.states[0], leader_election)


async def drain(inventory: Inventory, feed: CompactedTopicPublisher, topic: Topic) -> int:
    inventory.project()
    total = 0
    while done := await feed.step(topic.send_page):
        total += done
    return total


async def test_each_number_is_told_as_it_is_now(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X1: one document for all that happened since the last look; key and subject are the number."""
    topic = Topic()
    inventory.add(number(1), number(2))
    inventory.reserve(number(1))
    assert await drain(inventory, feed, topic) == 2
    one = topic.kept[number(1)]
    assert one is not None
    assert (one.state, one.reserver_id, one.cause, one.sequence, one.country) == ("reserved", ORG, "manual", 2, "SG")
    assert one.ends_at is not None
    inventory.release(number(1))
    assert await drain(inventory, feed, topic) == 1
    one = topic.kept[number(1)]
    assert one is not None
    assert (one.state, one.reserver_id, one.available_since) == ("available", None, inventory.clock.now())
    assert await drain(inventory, feed, topic) == 0


async def test_it_reads_as_an_event(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X1: CloudEvents in binary mode, the same id for the same version."""
    topic = Topic()
    inventory.add(number(1))
    await drain(inventory, feed, topic)
    (outgoing,) = topic.sent
    message = decode(outgoing.headers, outgoing.value, {said.STATE.name: said.STATE})
    assert (message.type, message.subject, message.sequence) == ("NumberState", number(1), 1)
    assert outgoing.topic == "NumberState"


async def test_a_deleted_number_is_a_tombstone(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X1: and it is a document again once it is recovered."""
    topic = Topic()
    inventory.add(number(1))
    await drain(inventory, feed, topic)
    inventory.delete(number(1))
    await drain(inventory, feed, topic)
    assert topic.kept == {number(1): None}


async def test_while_the_broker_is_away_nothing_is_lost(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X2: the position moves only after the page is safe."""
    topic = Topic()
    topic.away = True
    inventory.add(number(1))
    inventory.project()
    with pytest.raises(ConnectionError):
        await feed.step(topic.send_page)
    topic.away = False
    assert await drain(inventory, feed, topic) == 1


async def test_a_position_that_a_crash_of_the_database_lost_is_told_again(
    inventory: Inventory, feed: CompactedTopicPublisher, leader_election: LeaderElection
) -> None:
    """X2: it is recorded without waiting for the disk; the session of the duty is lost with it, and that is noticed.

    Even if another loop of the process has held its duty again by then.
    """
    topic = Topic()
    inventory.add(number(1))
    await drain(inventory, feed, topic)
    position = inventory.store.positions("states/")
    begin_anew(inventory.store, inventory.service.states[0])  # as if never recorded
    with psycopg.connect(inventory.url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND d.datname = current_database()"
            " AND (classid::bigint << 32) | objid::bigint = hashtextextended('duty/states/NumberState', 0)"
        )
    with pytest.raises(psycopg.OperationalError):
        leader_election.hold("another")
    assert leader_election.hold("another")
    assert await drain(inventory, feed, topic) == 1
    assert inventory.store.positions("states/") == position


async def test_a_rebuilt_view_tells_nothing_anew(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """O3: the rows of the new generation have the positions of the old one's."""
    topic = Topic()
    inventory.add(*(number(i) for i in range(20)))
    await drain(inventory, feed, topic)
    inventory.rebuild.rebuild("number_view")
    assert await drain(inventory, feed, topic) == 0


async def test_pages_miss_nothing(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X1: more rows than a page, some of them changed between two pages."""
    topic = Topic()
    inventory.add(*(number(i) for i in range(1500)))
    inventory.project()
    assert await feed.step(topic.send_page) == 1000
    inventory.reserve(number(3), number(1400))
    await drain(inventory, feed, topic)
    states = {key: kept.state if kept else None for key, kept in topic.kept.items()}
    assert len(states) == 1500
    assert {key for key, state in states.items() if state == "reserved"} == {number(3), number(1400)}
