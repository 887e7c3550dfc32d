"""When a state topic cannot take one document: the others are published, and it follows later (X1, O8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.inventory import Inventory, number
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.messaging.compacted_topics.feed import CompactedTopicPublisher
from trunkline.messaging.kafka.producer import TooLargeToSend
from trunkline.messaging.records import OutgoingRecord


class Topic:
    """Takes no page with the record of some key."""

    def __init__(self, *too_large: str) -> None:
        self.too_large = set(too_large)
        self.kept: dict[str, bytes | None] = {}

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        keys = [(record.key or b"").decode() for record in page]
        if self.too_large.intersection(keys):
            raise TooLargeToSend("too large")
        self.kept |= {key: record.value for key, record in zip(keys, page, strict=True)}


@pytest.fixture
def feed(inventory: Inventory) -> Iterator[CompactedTopicPublisher]:
    leader_election = LeaderElection(inventory.url)
    yield CompactedTopicPublisher(inventory.store, inventory.service.states[0], leader_election, inventory.clock)
    leader_election.resign()


def aside(inventory: Inventory) -> list[str]:
    return [key for (key,) in inventory.store.fetch("SELECT key FROM failed_items")]


async def drain(inventory: Inventory, feed: CompactedTopicPublisher, topic: Topic) -> None:
    inventory.project()
    while await feed.step(topic.send_page):
        pass


async def test_the_others_are_published_and_it_follows_when_it_can(
    inventory: Inventory, feed: CompactedTopicPublisher
) -> None:
    """X1, O8: after a pause, though nothing has changed meanwhile."""
    topic = Topic(number(2))
    inventory.add(*map(number, range(1, 5)))
    await drain(inventory, feed, topic)
    assert sorted(topic.kept) == [number(1), number(3), number(4)]
    assert aside(inventory) == [number(2)]
    inventory.clock.advance(BACK_OFF[0])
    await drain(inventory, feed, topic)
    assert inventory.store.fetch("SELECT tries FROM failed_items") == [(2,)]
    topic.too_large.clear()
    inventory.clock.advance(BACK_OFF[1])
    await drain(inventory, feed, topic)
    assert sorted(topic.kept) == [number(1), number(2), number(3), number(4)]
    assert aside(inventory) == []


async def test_a_newer_document_is_tried_at_once(inventory: Inventory, feed: CompactedTopicPublisher) -> None:
    """X1, O8: only the newest counts, so there is nothing to wait for."""
    topic = Topic(number(1))
    inventory.add(number(1))
    await drain(inventory, feed, topic)
    topic.too_large.clear()
    inventory.reserve(number(1))
    await drain(inventory, feed, topic)
    assert b"reserved" in (topic.kept[number(1)] or b"")
    assert aside(inventory) == []
