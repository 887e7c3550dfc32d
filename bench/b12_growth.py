"""B12 for B1: what an event costs in an inventory of 10⁴, 10⁵ and 10⁶ numbers.

The growth of B10 is taken with it (`b10_deadlines.py`).

What is measured is the day, not the seconds after a checkpoint: PostgreSQL writes a page whole when it is first changed
after one, which a run this short would pay for at nearly each event in a large inventory and at hardly any in a small
one. So a twentieth of the numbers is heard of beforehand, spread over all pages.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from bench.b10_deadlines import B12
from bench.figures import Figure, interleaved, median
from bench.loaded import load
from bench.run import Run
from bench.world import BATCH
from trunkline.eventstore.event_store import Store
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord
from trunkline_numbers.wiring import service as numbers_service


def measure(run: Run) -> list[Figure]:
    """One figure: the largest inventory against the smallest; the same number of events in each, spread over it."""
    sizes = run.sizes
    n = sizes[0] // (run.rounds + 1)
    with ExitStack() as open_ones:
        hearings = [open_ones.enter_context(_hearing(run, size, n)) for size in sizes]
        costs = interleaved(run.rounds, *(hearing.stretch for hearing in hearings))
    first, *_, last = medians = [median(cost) for cost in costs]
    what = f"cost of B1's event among {sizes[-1]:,} numbers, against {sizes[0]:,}"
    rates = {f"at_{size}": 1 / cost for size, cost in zip(sizes, medians, strict=True)}
    return [
        Figure("B12 B1", what, last * 1e6, "µs", B12, n, run.rounds, first * 1e6, last / first, {"rates": rates}),
    ]


class MessageHandler:
    """An inventory of active subscriptions, and what is heard of some of them."""

    def __init__(self, url: str, records: list[IncomingRecord], n: int, rounds: int) -> None:
        self._store = Store(url, numbers_service().codec())
        self._intake = Inbox(self._store, numbers_service(), lambda: datetime.now(UTC))
        every = len(records) // (n * rounds)
        measured = records[::every][: n * rounds]
        self._rounds = [_renumbered(measured[place::rounds], place) for place in range(rounds)]
        taken = {(r.source, r.offset) for r in measured}
        self._before = [r for r in records if (r.source, r.offset) not in taken]
        self._hear(_renumbered(self._before, rounds))

    def stretch(self, number: int) -> float:
        """Seconds for each event of a round."""
        records = self._rounds[number]
        begun = time.perf_counter()
        self._hear(records)
        seconds = time.perf_counter() - begun
        heard_of = len(self._before) + (number + 1) * len(records)
        assert self._store.fetch("SELECT count(*) FROM deadlines") == [(heard_of,)]
        return seconds / len(records)

    def _hear(self, records: list[IncomingRecord]) -> None:
        for start in range(0, len(records), BATCH):
            self._intake.accept(records[start : start + BATCH])

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()


def _renumbered(records: list[IncomingRecord], index: int) -> list[IncomingRecord]:
    """Offsets ascend within a source: each round is a source of its own."""
    return [
        IncomingRecord(f"{r.source}/{index}", r.topic, r.partition, r.offset, r.key, r.headers, r.value)
        for r in records
    ]


@contextmanager
def _hearing(run: Run, size: int, n: int) -> Iterator[MessageHandler]:
    loaded = load(run.databases, size, reserved=False)
    hearing = MessageHandler(loaded.url, loaded.expired(size // 20 + n * run.rounds), n, run.rounds)
    try:
        yield hearing
    finally:
        hearing.close()
        run.databases.drop(loaded.url)
