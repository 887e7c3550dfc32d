"""When a topic that is read from its beginning, or at its end, has transactions in it (X1, §10.16)."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import new_name
from trunkline.installation.topic import read_records
from trunkline.messaging.compacted_topics.fill import read_contents
from trunkline.messaging.kafka.client import KafkaSettings


async def send(producer: AIOKafkaProducer, topic: str, key: str, sequence: int, partition: int = 0) -> None:
    headers = [("ce_sequence", b"%d" % sequence)]
    await producer.send_and_wait(topic, b"{}", key=key.encode(), headers=headers, partition=partition)


async def test_then_a_state_topic_holds_what_is_committed(settings: KafkaSettings, new_topic: NewTopic) -> None:
    """X1: an aborted document is none, and an open one is none yet: consumers have neither."""
    topic = await new_topic(partitions=2)
    async with (
        AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as plain,
        AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=new_name("foreign")) as foreign,
    ):
        await send(plain, topic, "first", 1)
        await foreign.begin_transaction()
        await send(foreign, topic, "committed", 2)
        await foreign.commit_transaction()
        await foreign.begin_transaction()
        await send(foreign, topic, "first", 9)
        await foreign.abort_transaction()
        await foreign.begin_transaction()
        await send(foreign, topic, "open", 3)
        await send(plain, topic, "behind", 4)
        await send(plain, topic, "aside", 5, partition=1)
        found, ends = await read_contents(settings, topic)
        assert found == {"first": (1, True), "committed": (2, True), "aside": (5, True)}
        assert ends == [5, 1], "offsets 0 to 4: two documents, an aborted one, and the ends of two transactions"
        await foreign.commit_transaction()
    found, ends = await read_contents(settings, topic)
    assert found == {name: (n, True) for n, name in enumerate(("first", "committed", "open", "behind", "aside"), 1)}
    assert ends == [8, 1]


async def test_then_the_newest_record_is_found_before_the_ends_of_transactions(
    settings: KafkaSettings, new_topic: NewTopic
) -> None:
    """§10.16: a service learns from it whether its log is older than its topics."""
    topic = await new_topic(partitions=4)
    async with (
        AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as plain,
        AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=new_name("foreign")) as foreign,
    ):
        for number in range(3):
            await send(plain, topic, "plain", number, partition=0)
            await foreign.begin_transaction()
            await send(foreign, topic, "committed", number, partition=1)
            await foreign.commit_transaction()
            await foreign.begin_transaction()
            await send(foreign, topic, "aborted", number, partition=1)
            await send(foreign, topic, "aborted", number, partition=2)
            await foreign.abort_transaction()
    newest = await read_records(settings, [topic], newest=True)
    assert sorted((r.partition, r.offset, r.key, dict(r.headers)["ce_sequence"]) for r in newest) == [
        (0, 2, b"plain", b"2"),
        (1, 8, b"committed", b"2"),
    ]
