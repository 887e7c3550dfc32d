"""When a real Kafka runs on the JDK of this machine."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local_servers.broker import LocalBroker

TOPIC = "Kept"


async def produce(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(TOPIC, value, key=b"key")


async def consume(bootstrap: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        record = await consumer.getone()
    value: bytes | None = record.value
    return value


async def create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def test_a_record_is_still_there_after_the_broker_was_killed(local_broker: LocalBroker) -> None:
    address = local_broker.bootstrap
    await create_topic(address)
    await produce(address, b"said before")
    assert await consume(address) == b"said before"

    local_broker.kill()
    assert local_broker.pid is None
    local_broker.restart()

    assert local_broker.bootstrap == address
    assert await consume(address) == b"said before"


def test_another_process_finds_the_broker_by_its_folder(local_broker: LocalBroker) -> None:
    other = LocalBroker(local_broker.folder, local_broker.folder / "no-libs-needed")
    assert other.start().pid == local_broker.pid
    other.stop()
    assert local_broker.pid is None
