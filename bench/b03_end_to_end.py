"""B3 and B13: billing says that subscriptions expired; how fast `NumberReserved` comes out; memory and idle time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from bench.baselines.one_by_one import single_file
from bench.figures import Figure, at_least, at_most, interleaved, median
from bench.run import Run
from bench.topics import keys_heard, listening, say_all, saying
from trunkline.messaging.records import OutgoingRecord

B3 = at_least(ratio=20, text="≥ 20×")
REST = at_most(value=150, text="≤ 150 MiB")
IDLE = at_most(value=3, text="≤ 3 % of a core")
BUSY = at_most(value=400, text="≤ 400 MiB")
WARM_UP = 500


def measure(run: Run) -> list[Figure]:
    """All of them."""
    n, single = (5_000, 200) if run.quick else (12_000, 600)
    pair, world = run.pair, run.world
    with single_file(run.databases, pair.bootstrap, world) as alone:
        said = [world.expiries(pair.take(n)) for _ in range(run.rounds)]
        said_alone = [alone.renamed(world.expiries(alone.take(single))) for _ in range(run.rounds)]
        warm_up(run)
        _through(pair.bootstrap, alone.renamed(world.expiries(alone.take(50))), alone.last_topic, alone.check)
        ours, theirs = interleaved(
            run.rounds,
            lambda number: _through(pair.bootstrap, said[number], "NumberReserved", pair.check),
            lambda number: _through(pair.bootstrap, said_alone[number], alone.last_topic, alone.check),
        )
    rate, loop = median(n / seconds for seconds in ours), median(single / seconds for seconds in theirs)
    memory = "of the larger service"
    return [
        Figure(
            "B3", "billing event → two hops through Kafka → `NumberReserved`", rate, "events/s", B3, n, run.rounds,
            loop, rate / loop, {"baseline_n": single},
        ),
        Figure("B13 rest", f"memory {memory}, at rest", pair.rest, "MiB", REST, 1, 1),
        Figure("B13 idle", "processor time of the larger service with nothing to do", pair.idle, "%", IDLE, 1, 1),
        Figure("B13 busy", f"memory {memory}, most of it under B3", pair.memory("VmHWM"), "MiB", BUSY, 1, 1),
    ]  # fmt: skip


def warm_up(run: Run) -> None:
    """Let some events through, so that everybody is connected and every path has been gone once."""
    _through(run.pair.bootstrap, run.world.expiries(run.pair.take(WARM_UP)), "NumberReserved", run.pair.check)


def _through(bootstrap: str, records: Sequence[OutgoingRecord], last_topic: str, check: Callable[[], None]) -> float:
    """Seconds from the first record sent to the last event heard, each exactly once."""

    async def run() -> float:
        async with listening(bootstrap, last_topic) as consumer, saying(bootstrap) as producer:
            begun = time.perf_counter()
            _, keys = await asyncio.gather(say_all(producer, records), keys_heard(consumer, len(records), check))
            seconds = time.perf_counter() - begun
            assert len(keys) == len(records)
            return seconds

    return asyncio.run(run())
