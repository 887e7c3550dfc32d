"""B4: how long one event takes from billing to `NumberReserved`, at 200 a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.b03_end_to_end import warm_up
from bench.baselines.bare_hops import TOPICS, bare_hops
from bench.figures import Figure, at_most, interleaved, median, quantile
from bench.run import Run
from bench.topics import listening
from bench.world import Subscription
from trunkline.messaging.record import Outgoing

P50 = at_most(ratio=3, text="p50 ≤ 3×")
P99 = at_most(value=100, text="p99 ≤ 100 ms")
RATE = 200
WARM_UP_SECONDS = 2
LAST_SECONDS = 30


def measure(run: Run) -> list[Figure]:
    """Median and 99th percentile of each round; over the rounds, the medians of these."""
    seconds = 3 if run.quick else 8
    count = RATE * (WARM_UP_SECONDS + seconds)
    pair, world = run.pair, run.world
    warm_up(run)
    chosen = [pair.take(count) for _ in range(run.rounds)]

    def ours(number: int) -> list[float]:
        return _ours(pair.bootstrap, chosen[number], world.expiries(chosen[number]))

    def bare(number: int) -> list[float]:
        records = [record._replace(topic=TOPICS[0]) for record in world.expiries(chosen[number])]
        return asyncio.run(_latencies(pair.bootstrap, records, TOPICS[-1], [r.key for r in records]))

    with bare_hops(run.databases, pair.bootstrap):
        taken, taken_bare = interleaved(run.rounds, ours, bare)
    pair.check()
    p50, p99 = (median(quantile(t, share) for t in taken) for share in (0.5, 0.99))
    bare50, bare99 = (median(quantile(t, share) for t in taken_bare) for share in (0.5, 0.99))
    what = f"one event end to end at {RATE}/s, against three bare hops and two commits"
    return [
        Figure("B4 p50", what, p50, "ms", P50, RATE * seconds, run.rounds, bare50, p50 / bare50),
        Figure("B4 p99", what, p99, "ms", P99, RATE * seconds, run.rounds, bare99, p99 / bare99),
    ]


def _ours(bootstrap: str, chosen: Sequence[Subscription], records: Sequence[Outgoing]) -> list[float]:
    return asyncio.run(_latencies(bootstrap, records, "NumberReserved", [s.number.encode() for s in chosen]))


async def _latencies(bootstrap: str, records: Sequence[Outgoing], last: str, keys: Sequence[bytes]) -> list[float]:
    """Milliseconds from sending each record to hearing the event with its key, without those of the warm-up."""
    sent: dict[bytes, float] = {}
    heard: dict[bytes, float] = {}
    async with (
        listening(bootstrap, last) as consumer,
        AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0) as producer,
    ):
        hearing = asyncio.create_task(_hear(consumer, heard, len(records)))
        begun = time.perf_counter()
        for place, (record, key) in enumerate(zip(records, keys, strict=True)):
            await asyncio.sleep(max(0.0, begun + place / RATE - time.perf_counter()))
            sent[key] = time.perf_counter()
            await producer.send(record.topic, key=record.key, value=record.value, headers=record.headers)
        async with asyncio.timeout(LAST_SECONDS):
            await hearing
    return [(heard[key] - sent[key]) * 1_000 for key in keys[RATE * WARM_UP_SECONDS :]]


async def _hear(consumer: AIOKafkaConsumer, heard: dict[bytes, float], count: int) -> None:
    while len(heard) < count:
        fetched = await consumer.getmany(timeout_ms=500)
        now = time.perf_counter()
        heard.update((record.key, now) for records in fetched.values() for record in records)
