"""When copies of a service join and leave their group while records come in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import pytest

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, ear, event, id_of, listening, new_name
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer
from trunkline.messaging.kafka.producer import Producer

SUBJECTS = [f"00000000-0000-4000-8000-{number:012}" for number in range(30)]


class Load:
    """Sends events of thirty subjects until told to stop."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self.producer = Producer(settings)
        self._topic = topic
        self._stop = asyncio.Event()
        self.ended = False
        self.sent: dict[str, list[str]] = {subject: [] for subject in SUBJECTS}

    @property
    def count(self) -> int:
        return sum(map(len, self.sent.values()))

    async def run(self) -> None:
        async with self.producer as producer, asyncio.timeout(2 * PATIENCE):
            while not self._stop.is_set():
                page = [event(self._topic, subject) for subject in SUBJECTS]
                await producer.send_page(page)
                for subject, record in zip(SUBJECTS, page, strict=True):
                    self.sent[subject].append(id_of(record))
                await asyncio.sleep(0.005)  # leaves the machine to those who listen
        self.ended = True

    def stop(self) -> None:
        self._stop.set()


@asynccontextmanager
async def load(settings: KafkaSettings, topic: str) -> AsyncIterator[Load]:
    """Load for the time of the block."""
    one = Load(settings, topic)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.stop()
        await running


async def test_nothing_is_lost_or_doubled_and_order_holds(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3, X4: one, two, four copies under load: each subject's events arrive in order, each once; each copy works."""
    topic = await new_topic(partitions=6)
    group = new_name("group")
    with ExitStack() as ears:
        all_ears = [ears.enter_context(ear(url, topic)) for _ in range(4)]
        async with load(settings, topic) as sending, AsyncExitStack() as leaving:
            copies: list[AsyncExitStack] = []
            for count in (1, 2, 4, 2, 4, 1, 2):
                while len(copies) < count:
                    copies.append(await leaving.enter_async_context(AsyncExitStack()))
                    await copies[-1].enter_async_context(
                        listening(settings, all_ears[len(copies) - 1], group, batch=50)
                    )
                while len(copies) > count:
                    await copies.pop().aclose()
                for one in all_ears[:count]:
                    before = len(one.records)
                    await one.until(lambda one=one, before=before: len(one.records) > before)
        first = all_ears[0]
        async with listening(settings, first, group):
            await first.until(lambda: len(first.heard()) >= sending.count)
        assert first.heard_of() == sending.sent
        assert sending.count > 0


async def test_a_copy_that_was_given_up_cannot_write_any_more(
    settings: KafkaSettings, new_topic: NewTopic, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X3: a batch that is still in hand after its partitions went to another copy changes nothing."""
    monkeypatch.setattr("trunkline.messaging.kafka.group_session.DRAIN_SECONDS", 0.1)
    topic = await new_topic()
    group = new_name("group")
    with ear(url, topic) as zombie, ear(url, topic) as heir:
        page = [event(topic) for _ in range(5)]
        async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
            await producer.send_page(page)
        zombie.open.clear()
        consumer = Consumer(settings, [topic], group, zombie)
        running = asyncio.create_task(consumer.run())
        await zombie.until(lambda: zombie.busy)
        consumer.stop()
        await running  # its thread is still in the intake
        async with listening(settings, heir, group):
            await heir.until(lambda: len(heir.heard()) >= 5)
        zombie.open.set()
        await zombie.until(lambda: zombie.refused)
        assert heir.heard() == [id_of(record) for record in page]
        assert zombie.records == []
