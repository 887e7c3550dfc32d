"""When pages are sent to a real Kafka."""

import asyncio
from collections import defaultdict

import pytest
from aiokafka.partitioner import murmur2 as reference

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, create_topic, event, eventually, new_name, read_topic
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.partitioner import murmur2, partition_of
from trunkline.messaging.kafka.producer import Producer, ProducerStopped, TooLargeToSend
from trunkline.messaging.records import OutgoingRecord

# Out of the tests of Kafka's own Java client; signed there.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


async def test_they_arrive_as_they_were_in_order_for_each_key(settings: KafkaSettings, new_topic: NewTopic) -> None:
    """X1, X2: key, value and headers; the order of one subject holds over pages that are on their way together."""
    topic = await new_topic(partitions=3)
    sent = [event(topic, f"subject-{number % 40}") for number in range(4_000)]
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        pages = [producer.enqueue(sent[begin : begin + 250]) for begin in range(0, len(sent), 250)]
        await asyncio.gather(*pages)
    arrived = await read_topic(settings.bootstrap, topic)
    wanted, found = defaultdict(list), defaultdict(list)
    for outgoing in sent:
        wanted[outgoing.key].append((outgoing.value, [*outgoing.headers]))
    for record in arrived:
        found[record.key].append((record.value, [*record.headers]))
        assert record.partition == partition_of(record.key, 3)
    assert found == wanted


async def test_a_null_key_and_a_tombstone_are_sent_as_such(settings: KafkaSettings, new_topic: NewTopic) -> None:
    """X1: a state topic says that a key is gone by a null value."""
    topic = await new_topic()
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        page = [
            OutgoingRecord(topic, b"gone", None, [], 0),
            OutgoingRecord(topic, None, b"keyless", [("null", None)], 0),
        ]
        await producer.send_page(page)
        await producer.send_page([])
    arrived = await read_topic(settings.bootstrap, topic)
    assert [(r.key, r.value, r.headers) for r in arrived] == [
        (b"gone", None, ()),
        (None, b"keyless", (("null", None),)),
    ]


async def test_a_topic_that_is_missing_is_waited_for(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """X2: nothing is left out; order is kept, so what follows waits too."""
    monkeypatch.setattr("trunkline.messaging.kafka.producer._METADATA_SECONDS", 0.5)
    topic = new_name("late")
    first, second = event(topic), event(topic)
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        sending = [producer.enqueue([first]), producer.enqueue([second])]
        await eventually(lambda: not producer.is_available)
        await create_topic(settings.bootstrap, topic)
        await asyncio.gather(*sending)
        assert producer.is_available
    assert [r.value for r in await read_topic(settings.bootstrap, topic)] == [first.value, second.value]


async def test_a_record_that_is_too_large_fails_its_page_alone(settings: KafkaSettings, new_topic: NewTopic) -> None:
    """Whoever sent it is told; the pages after it arrive."""
    topic = await new_topic(max_message_bytes="2000")
    first, large, last = event(topic), event(topic)._replace(value=b"x" * 3_000), event(topic)
    async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
        before, refused, after = (producer.enqueue([e]) for e in (first, large, last))
        await before
        with pytest.raises(TooLargeToSend):
            await refused
        await after
    assert [r.value for r in await read_topic(settings.bootstrap, topic)] == [first.value, last.value]


async def test_whoever_waits_when_it_is_stopped_is_told() -> None:
    """No page is taken for sent that was not."""
    producer = Producer(KafkaSettings("127.0.0.1:1"))  # nobody listens there
    producer.start()
    page = producer.enqueue([event("Nowhere")])
    await eventually(lambda: not producer.is_available)
    await producer.stop()
    with pytest.raises(ProducerStopped):
        await page
    with pytest.raises(ProducerStopped):
        producer.enqueue([event("Nowhere")])


def test_a_key_lies_where_java_clients_look_for_it() -> None:
    """X1: others join on our topics."""
    for key, signed in JAVA.items():
        assert murmur2(key) == signed % 2**32
    for length in range(300):
        key = bytes(number * 7 % 256 for number in range(length))
        assert murmur2(key) == reference(key)
