"""When a service hears records over a real Kafka."""

import asyncio

import psycopg
import pytest

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, ear, event, eventually, id_of, listening, new_name
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.records import OutgoingRecord


async def send(settings: KafkaSettings, *records: OutgoingRecord) -> list[str]:
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        await producer.send_page(records)
    return [id_of(record) for record in records]


async def test_a_new_service_begins_at_the_beginning(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """X3: never at the end: what was said before anybody listened is heard."""
    topic = await new_topic(partitions=3)
    sent = await send(settings, *(event(topic, f"00000000-0000-4000-8000-{n:012}") for n in range(2_500)))
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group"), batch=100) as consumer:
            await one.until(lambda: len(one.heard()) >= len(sent))
            assert consumer.settled
            assert consumer.is_available
        assert sorted(one.heard()) == sorted(sent)


async def test_the_next_run_goes_on_where_the_database_says(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: the positions lie beside the effects; a group that the broker has never seen changes nothing."""
    topic = await new_topic()
    first = await send(settings, event(topic), event(topic))
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) >= 2)
    second = await send(settings, event(topic))
    with ear(url, topic) as other:
        async with listening(settings, other, new_name("group")):
            await other.until(lambda: other.records)
            assert other.heard() == first + second
        assert [record.offset for record in other.records] == [2]


async def test_a_database_that_is_away_gets_the_same_records_again(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: nothing is lost, nothing is out of order."""
    topic = await new_topic()
    with ear(url, topic) as one:
        one.troubles += [psycopg.OperationalError("gone"), psycopg.InterfaceError("gone"), psycopg.OperationalError()]
        async with listening(settings, one, new_name("group"), batch=10):
            sent = await send(settings, *(event(topic) for _ in range(50)))
            await one.until(lambda: len(one.heard()) >= 50)
        assert one.heard() == sent
        assert one.troubles == []


async def test_a_reader_that_was_overtaken_goes_on_behind_the_other(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: two groups on one database: a position moves once, whoever is late drops its batch."""
    topic = await new_topic()
    with ear(url, topic) as one, ear(url, topic) as other:
        async with listening(settings, one, new_name("group")), listening(settings, other, new_name("group")):
            sent: list[str] = []
            for _ in range(20):
                sent += await send(settings, *(event(topic) for _ in range(20)))
            await eventually(lambda: len(one.heard()) >= len(sent))  # whoever was the last to hear
        assert one.heard() == sent


async def test_what_comes_while_few_are_worked_on_comes_in_one_batch(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: under load records come together by themselves, and each costs less; at most one fetch was on its way."""
    topic = await new_topic()
    with ear(url, topic) as one:
        one.open.clear()
        async with listening(settings, one, new_name("group")):
            sent = await send(settings, event(topic))
            await one.until(lambda: one.busy)
            for _ in range(20):
                sent += await send(settings, event(topic))
            one.open.set()
            await one.until(lambda: len(one.heard()) >= len(sent))
        assert one.heard() == sent
        assert one.busy <= 3


async def test_stopping_finishes_the_batch_in_hand(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """SIGTERM drains: what was begun is committed, what was only fetched is left for the next."""
    topic = await new_topic()
    with ear(url, topic) as one:
        one.open.clear()
        consumer = Consumer(settings, [topic], new_name("group"), one, batch=1)
        running = asyncio.create_task(consumer.run())
        sent = await send(settings, event(topic), event(topic))
        await one.until(lambda: one.busy)
        consumer.stop()
        asyncio.get_running_loop().call_later(0.2, one.open.set)
        async with asyncio.timeout(PATIENCE):
            await running
        assert one.heard() == sent[:1]
        assert not consumer.settled


async def test_an_error_of_our_own_ends_the_run(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """A mistake is not repeated for ever in silence."""
    topic = await new_topic()
    with ear(url, topic) as one:
        one.troubles.append(ZeroDivisionError("a mistake"))
        await send(settings, event(topic))
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(PATIENCE):
                await Consumer(settings, [topic], new_name("group"), one).run()


async def test_topics_that_are_missing_are_waited_for(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """Services may be started before the topics are created; stopping does not wait for them."""
    with ear(url, new_name("missing")) as one:
        async with listening(settings, one, new_name("group")) as consumer:
            await eventually(lambda: not consumer.is_available)
            assert not consumer.settled
