"""B12 for B1: what an event costs in an inventory of 10⁴, 10⁵ and 10⁶ numbers.

The growth of B10 is taken with it (`b10_deadlines.py`).
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
from trunkline.messaging.intake import Intake
from trunkline.messaging.record import Record
from trunkline.store import Store
from trunkline_numbers.wiring import service as numbers_service


def measure(run: Run) -> list[Figure]:
    """One figure: the largest inventory against the smallest; the same number of events in each, spread over it."""
    sizes = run.sizes
    n = sizes[0] // run.rounds
    with ExitStack() as open_ones:
        hearings = [open_ones.enter_context(_hearing(run, size, n)) for size in sizes]
        costs = interleaved(run.rounds, *(hearing.stretch for hearing in hearings))
    first, *_, last = medians = [median(cost) for cost in costs]
    what = f"cost of B1's event among {sizes[-1]:,} numbers, against {sizes[0]:,}"
    rates = {f"at_{size}": 1 / cost for size, cost in zip(sizes, medians, strict=True)}
    return [
        Figure("B12 B1", what, last * 1e6, "µs", B12, n, run.rounds, first * 1e6, last / first, {"rates": rates}),
    ]


class Hearing:
    """An inventory of active subscriptions, and what is heard of some of them."""

    def __init__(self, url: str, records: list[Record], rounds: int) -> None:
        self._store = Store(url, numbers_service().codec())
        self._intake = Intake(self._store, numbers_service(), lambda: datetime.now(UTC))
        share = len(records) // rounds
        self._rounds = [_renumbered(records[place::rounds][:share], place) for place in range(rounds)]

    def stretch(self, number: int) -> float:
        """Seconds for each event of a round."""
        records = self._rounds[number]
        begun = time.perf_counter()
        for start in range(0, len(records), BATCH):
            self._intake.accept(records[start : start + BATCH])
        seconds = time.perf_counter() - begun
        assert self._store.fetch("SELECT count(*) FROM deadlines") == [((number + 1) * len(records),)]
        return seconds / len(records)

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()


def _renumbered(records: list[Record], place: int) -> list[Record]:
    """Offsets ascend within a source: each round is a source of its own."""
    return [Record(f"{r.source}/{place}", r.topic, r.partition, r.offset, r.key, r.headers, r.value) for r in records]


@contextmanager
def _hearing(run: Run, size: int, n: int) -> Iterator[Hearing]:
    loaded = load(run.databases, size, reserved=False)
    hearing = Hearing(loaded.url, loaded.expired(n * run.rounds), run.rounds)
    try:
        yield hearing
    finally:
        hearing.close()
        run.databases.drop(loaded.url)
