"""B5: from the log to the topics, against a bare producer that is given the same records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from bench.figures import Figure, at_least, interleaved, median
from bench.run import Run
from bench.servers import kafka
from bench.world import hear, outbox
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer
from trunkline.messaging.outbox_relay import FOLLOWER, OutboxRelay
from trunkline.messaging.records import OutgoingRecord
from trunkline_numbers.wiring import service as numbers_service

B5 = at_least(ratio=0.5, text="≥ 50 %")


def measure(run: Run) -> list[Figure]:
    """One figure, on a broker of its own: what is sent here is nobody's to hear."""
    n = 10_000 if run.quick else 50_000
    records = run.world.expired(run.databases, run.world.subscriptions[:n])
    url = run.databases.copy(run.world.numbers_url)
    store = Store(url, numbers_service().codec())
    begin = store.positions(FOLLOWER)[FOLLOWER]
    hear(
        store,
        numbers_service(),
        [OutgoingRecord(r.topic, r.key or b"", r.value, list(r.headers), 0) for r in records],
        "b5",
    )
    run.databases.settle(url)
    said = list(outbox(store, numbers_service(), begin))
    with kafka() as broker:
        bootstrap = broker.bootstrap
        asyncio.run(_bare(bootstrap, said[:1_000]))
        ours, bare = interleaved(
            run.rounds,
            lambda _: asyncio.run(_relayed(bootstrap, store, begin)),
            lambda _: asyncio.run(_bare(bootstrap, said)),
        )
    store.close()
    run.databases.drop(url)
    rate, barely = median(len(said) / s for s in ours), median(len(said) / s for s in bare)
    what = "relay: log → Kafka, against a bare producer of the same records"
    return [Figure("B5", what, rate, "records/s", B5, len(said), run.rounds, barely, rate / barely)]


async def _relayed(bootstrap: str, store: Store, begin: int) -> float:
    """Seconds until everything after `begin` is acknowledged and the position recorded."""
    position = store.positions(FOLLOWER)[FOLLOWER]
    if position != begin:
        store.move(FOLLOWER, position, begin)
    end = store.end_of_log()
    leader_election = LeaderElection(store.url)
    async with Producer(KafkaSettings(bootstrap)) as producer:
        await producer.send_page([])
        commit_signal = CommitSignal(asyncio.get_running_loop())
        relay = OutboxRelay(store, numbers_service(), producer, commit_signal, leader_election)
        begun = time.perf_counter()
        running = asyncio.create_task(relay.run(lambda: relay.position >= end))
        while relay.position < end:  # noqa: ASYNC110 - the relay has nobody to tell
            await asyncio.sleep(0.001)
        commit_signal.set()  # as a service that stops does
        await running
        seconds = time.perf_counter() - begun
    leader_election.resign()
    assert store.positions(FOLLOWER)[FOLLOWER] == end
    return seconds


async def _bare(bootstrap: str, records: Sequence[OutgoingRecord]) -> float:
    """Seconds until the same records are acknowledged."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0
    ) as producer:
        begun = time.perf_counter()
        sent = [await producer.send(r.topic, key=r.key, value=r.value, headers=r.headers) for r in records]
        await asyncio.gather(*sent)
        return time.perf_counter() - begun
