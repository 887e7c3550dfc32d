"""B4: how long one event takes from billing to `NumberReserved`, at 200 a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.b03_end_to_end import warm_up
from bench.baselines import plain_hops
from bench.baselines.bare_hops import TOPICS, bare_hops
from bench.figures import NO_BAR, Figure, at_most, interleaved, median, quantile
from bench.run import Run
from bench.topics import listening
from bench.world import Subscription
from trunkline.messaging.records import OutgoingRecord

P50 = at_most(ratio=2.5, text="p50 ≤ 2.5×")
P99 = at_most(ratio=3, text="p99 ≤ 3×")
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

    def through(first: str, last: str, number: int) -> list[float]:
        records = [record._replace(topic=first) for record in world.expiries(chosen[number])]
        return asyncio.run(_latencies(pair.bootstrap, records, last, [r.key or b"" for r in records]))

    with bare_hops(run.databases, pair.bootstrap), plain_hops.plain_hops(run.databases, pair.bootstrap):
        taken, taken_plain, taken_bare = interleaved(
            run.rounds,
            ours,
            partial(through, plain_hops.FIRST, plain_hops.LAST),
            partial(through, TOPICS[0], TOPICS[-1]),
        )
    pair.check()
    what = f"one event end to end at {RATE}/s, against three hops through FastStream and two commits"
    bare = "three bare hops of aiokafka and two commits, in the same run"
    figures = []
    for name, share, bar in (("p50", 0.5, P50), ("p99", 0.99, P99)):
        value, plain, least = (median(quantile(t, share) for t in each) for each in (taken, taken_plain, taken_bare))
        n = RATE * seconds
        figures += [
            Figure(f"B4 {name}", what, value, "ms", bar, n, run.rounds, plain, value / plain),
            Figure(f"B4 {name} bare", bare, least, "ms", NO_BAR, n, run.rounds),
        ]
    return figures


def _ours(bootstrap: str, chosen: Sequence[Subscription], records: Sequence[OutgoingRecord]) -> list[float]:
    return asyncio.run(_latencies(bootstrap, records, "NumberReserved", [s.number.encode() for s in chosen]))


async def _latencies(
    bootstrap: str, records: Sequence[OutgoingRecord], last: str, keys: Sequence[bytes]
) -> list[float]:
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
