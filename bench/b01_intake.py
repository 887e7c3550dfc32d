"""B1 and B2: 50,000 `SubscriptionExpired` become `NumberReserved`: the full path after the broker.

B1 is one process, as its baseline is. For B2 two copies of the service share the partitions, as two cores want: that is
how it scales; what one process alone reaches is told beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

from bench.baselines.copied import copy_again
from bench.baselines.library import Library
from bench.copies import hear_in_copies
from bench.figures import Figure, at_least, interleaved, median
from bench.run import Run
from bench.world import BATCH, World
from trunkline.eventstore.event_store import Store
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord
from trunkline_numbers.wiring import service as numbers_service

B1 = at_least(ratio=20, text="≥ 20×")
B2 = at_least(ratio=0.15, text="≥ 15 %")
COPIES = 2


def measure(run: Run) -> list[Figure]:
    """Both figures: they are of the same work."""
    n, single = (10_000, 500) if run.quick else (50_000, 1_000)
    world = run.world
    records = world.expired(run.databases, world.subscriptions[:n])
    assert len(records) == n
    library = Library(run.databases, records, kept=single * run.rounds)
    ours, shared, one_by_one = interleaved(
        run.rounds,
        lambda _: hear_all(run, world, records, hear_alone),
        lambda _: hear_all(run, world, records, lambda url, heard: hear_in_copies(url, heard, COPIES)),
        lambda number: library.hear(number * single, single),
    )
    heard = median(n / seconds for seconds, _, _ in ours)
    loop = median(one_by_one)
    rows = ours[0][2]
    written = median(rows / seconds for seconds, _, _ in shared)
    copied = median(rows / seconds for _, seconds, _ in shared)
    alone = median(copying / seconds for seconds, copying, _ in ours)
    return [
        Figure(
            "B1", "`SubscriptionExpired` → `NumberReserved`, after the broker", heard, "events/s", B1, n, run.rounds,
            loop, heard / loop, {"baseline_n": single},
        ),
        Figure(
            "B2", f"the same by {COPIES} copies, as event rows written, against binary COPY of these rows", written,
            "rows/s", B2, rows, run.rounds, copied, written / copied,
            {"one_process": float(f"{alone:.3g}"), "events": written * n / rows},
        ),
    ]  # fmt: skip


def hear_all(
    run: Run, world: World, records: Sequence[IncomingRecord], hear: Callable[[str, Sequence[IncomingRecord]], float]
) -> tuple[float, float, int]:
    """Seconds for all records, seconds to copy the rows they brought about, and how many rows these are."""
    url = run.databases.copy(world.numbers_url)
    with closing(Store(url, numbers_service().codec())) as store:
        before = store.end_of_log()
        seconds = hear(url, records)
        counted = dict(
            store.fetch(
                "SELECT topic, count(*) FROM stored_events WHERE notification_id > %s GROUP BY topic", (before,)
            )
        )
        assert counted["numbers.NumberReserved"] == len(records), counted
        due = store.fetch("SELECT count(*) FROM deadlines")[0][0]
        assert due == len(records), due
    copying = copy_again(url, before)
    run.databases.drop(url)
    return seconds, copying, sum(counted.values())


def hear_alone(url: str, records: Sequence[IncomingRecord]) -> float:
    """Seconds for all records in this process."""
    with closing(Store(url, numbers_service().codec())) as store:
        intake = Inbox(store, numbers_service(), lambda: datetime.now(UTC))
        begun = time.perf_counter()
        for start in range(0, len(records), BATCH):
            intake.accept(records[start : start + BATCH])
        return time.perf_counter() - begun
