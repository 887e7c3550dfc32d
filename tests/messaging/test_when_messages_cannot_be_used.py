"""When what arrives over a real Kafka cannot be read, or is put together in unusual ways."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from tests.messaging.conftest import NewTopic
from tests.messaging.ear import PATIENCE, ear, event, id_of, listening, new_name, read_topic
from tests.messaging.raw_batches import raw_batch, send_raw, strange
from trunkline.contracts.cloudevents.message import MAX_VALUE_BYTES
from trunkline.messaging.dead_letters.publisher import DeadLetterPublisher
from trunkline.messaging.dead_letters.store import parked_message, parked_page
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.kafka.topics import create_topics
from trunkline.messaging.records import OutgoingRecord


async def send(settings: KafkaSettings, *records: OutgoingRecord, **options: object) -> None:
    """As a foreign producer would, one by one and in order."""
    more = {"max_request_size": 4 * MAX_VALUE_BYTES} | options
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap, **more) as producer:
        for topic, key, value, headers, _ in records:
            await producer.send_and_wait(topic, value, key=key, headers=list(headers))


async def test_each_is_parked_whole_and_its_siblings_take_effect(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X6: bytes, headers, place and reason are kept, nulls too; the next good record is heard."""
    topic = await new_topic(max_message_bytes=str(2 * MAX_VALUE_BYTES))
    good = [event(topic), event(topic)]
    bad = [
        event(topic)._replace(value=b"not JSON", key=None),
        event(topic)._replace(value=None),
        event(topic)._replace(value=b"\xff" * 10),
        event(topic)._replace(headers=[*good[0].headers, ("ce_sequence", None)]),
        event(topic)._replace(headers=[*event(topic).headers[:-1], ("ce_time", b"\xff\xfe")]),
        event(topic)._replace(value=b" " * MAX_VALUE_BYTES + b" "),
    ]
    await send(settings, good[0], *bad, good[1])
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.heard()) >= 2)
        assert one.heard() == [id_of(record) for record in good]
        parked = parked_page(one.store)
        assert [p.code for p in parked] == [
            "not-json", "value-missing", "not-utf8", "header-invalid", "header-invalid", "too-large",
        ]  # fmt: skip
        assert [(p.topic, p.partition, p.offset) for p in parked] == [(topic, 0, n) for n in range(1, 7)]
        assert [(p.key, p.value, p.headers) for p in parked] == [(b.key, b.value, list(b.headers)) for b in bad]
        assert {p.status for p in parked} == {"waiting"}


async def test_a_header_named_in_any_bytes_does_not_stop_the_partition(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X6: aiokafka cannot decode such a record nor what follows in its batch: both are parked; all others are heard."""
    topic = await new_topic(partitions=2)
    first, last = event(topic), event(topic)
    for partition in (0, 1):
        batch = raw_batch([first, strange(event(topic)), last])
        await send_raw(settings.bootstrap, topic, partition, batch)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.parked()) >= 4)
            after = event(topic)
            await send(settings, after)
            await one.until(lambda: len(one.heard()) >= 3)
        assert sorted(one.heard()) == sorted([id_of(first), id_of(first), id_of(after)])
        parked = parked_page(one.store)
        offsets = [(topic, partition, offset) for partition in (0, 1) for offset in (1, 2)]
        assert sorted((p.topic, p.partition, p.offset) for p in parked) == offsets
        assert {p.code for p in parked} == {"undecodable"}
        assert "UnicodeDecodeError" in parked[0].reason


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_are_read(settings: KafkaSettings, new_topic: NewTopic, url: str, codec: str) -> None:
    """A foreign producer chooses its codec."""
    topic = await new_topic()
    record = event(topic)
    await send(settings, record, compression_type=codec)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(one.heard)
        assert one.heard() == [id_of(record)]


async def test_dead_letters_are_published_at_least_once(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """X6: key, value and headers as they were, behind the place and the reason; without a broker the table suffices."""
    await create_topics(settings, [], partitions=1)
    topic = await new_topic()
    bad = [event(topic)._replace(value=b"{"), event(topic)._replace(value=b"[", key=None, headers=[("h", None)])]
    await send(settings, *bad)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.parked()) >= 2)
        async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
            letters = DeadLetterPublisher(one.store, "licensing", producer)
            assert await letters.publish() == 2
            assert await letters.publish() == 0
            stopping = asyncio.Event()
            running = asyncio.create_task(letters.run(stopping))
            stopping.set()
            await running
        found = [r for r in await read_topic(settings.bootstrap, "DeadLetters") if r.headers[0][1] == topic.encode()]
        assert [(r.key, r.value) for r in found] == [(b.key, b.value) for b in bad]
        assert [list(r.headers[6:]) for r in found] == [list(b.headers) for b in bad]
        assert dict(found[0].headers[:6]) == {
            "dl_topic": topic.encode(), "dl_partition": b"0", "dl_offset": b"0", "dl_code": b"not-json",
            "dl_reason": parked_page(one.store)[0].reason.encode(), "dl_service": b"licensing",
        }  # fmt: skip


async def test_a_dead_letter_that_no_topic_takes_goes_without_its_value(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X6: the table has all of it; the others are not held up."""
    await create_topics(settings, [], partitions=1)
    topic = await new_topic(max_message_bytes=str(8 * MAX_VALUE_BYTES))
    large, small = event(topic)._replace(value=b"x" * 5 * MAX_VALUE_BYTES), event(topic)._replace(value=b"")
    await send(settings, large, small, max_request_size=8 * MAX_VALUE_BYTES)
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.parked()) >= 2)
        async with Producer(settings) as producer, asyncio.timeout(PATIENCE):
            assert await DeadLetterPublisher(one.store, "numbers", producer).publish() == 2
        found = [r for r in await read_topic(settings.bootstrap, "DeadLetters") if r.headers[0][1] == topic.encode()]
        assert {r.value: len(r.headers) for r in found} == {None: 6, b"": 6 + len(small.headers)}
        whole = parked_message(one.store, parked_page(one.store)[0].id)
        assert whole is not None
        assert whole.value == large.value


async def test_without_a_broker_they_stay_in_the_table(settings: KafkaSettings, new_topic: NewTopic, url: str) -> None:
    """X6: pages begin after an id and can be of one status."""
    topic = await new_topic()
    await send(settings, *(event(topic)._replace(value=b"{") for _ in range(5)))
    with ear(url, topic) as one:
        async with listening(settings, one, new_name("group")):
            await one.until(lambda: len(one.parked()) >= 5)
        assert await DeadLetterPublisher(one.store, "licensing", None).publish() == 5
        page = parked_page(one.store, limit=2)
        following = parked_page(one.store, after=page[-1].id, status="waiting")
        assert [p.offset for p in page + following] == [0, 1, 2, 3, 4]
        assert all(p.published for p in following)
        assert parked_page(one.store, status="retried") == []
        assert parked_message(one.store, 10**9) is None
        assert page[0].record.source == one.records[0].source
