"""B10 and the growth of it in B12: a million deadlines that are due at one instant, each settled exactly once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import b01_intake
from bench.figures import Figure, at_least, at_most, interleaved, median
from bench.loaded import Loaded, load
from bench.run import Run
from trunkline.clock import DAY, FixedClock
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.event_store import Store
from trunkline_numbers.wiring import service as numbers_service

B10 = at_least(ratio=0.5, text="≥ 50 % of B1, each exactly once")
B12 = at_most(ratio=1.3, text="≤ 1.3×")


def measure(run: Run) -> list[Figure]:
    """The largest inventory is B10's; held against the smallest, its cost for each deadline is B12's."""
    sizes = run.sizes
    n = 5_000 if run.quick else 10_000
    records = run.world.expired(run.databases, run.world.subscriptions[:n])
    with _draining(run, sizes[0]) as small, _draining(run, sizes[1]) as middle, _draining(run, sizes[2]) as large:
        costs = interleaved(
            run.rounds,
            lambda _: small.stretch(sizes[0] // run.rounds),
            lambda _: middle.stretch(sizes[1] // run.rounds),
            lambda _: large.stretch(sizes[2] // run.rounds),
            lambda _: b01_intake.hear_all(run, run.world, records, b01_intake.hear_alone)[0] / n,
        )
        for drain in (small, middle, large):
            drain.check()
    first, second, third, heard = (median(cost) for cost in costs)
    rates = {f"at_{size}": 1 / cost for size, cost in zip(sizes, (first, second, third), strict=True)}
    return [
        Figure(
            "B10", f"{sizes[2]:,} deadlines due at one instant, against B1", 1 / third, "deadlines/s", B10, sizes[2],
            run.rounds, 1 / heard, heard / third,
        ),
        Figure(
            "B12 B10", f"cost of a deadline with {sizes[2]:,} due, against {sizes[0]:,}", third * 1e6, "µs", B12,
            sizes[2], run.rounds, first * 1e6, third / first, {"rates": rates},
        ),
    ]  # fmt: skip


class Drain:
    """An inventory whose reservations all ended at one instant, a day ago."""

    def __init__(self, loaded: Loaded) -> None:
        assert loaded.ends_at is not None
        self._loaded = loaded
        self._store = Store(loaded.url, numbers_service().codec())
        self._before = self._store.end_of_log()
        clock = FixedClock(loaded.ends_at + DAY)
        self._deadlines = Deadlines(self._store, clock, numbers_service().settle)

    def stretch(self, count: int) -> float:
        """Seconds for each of the next deadlines, at least so many of them."""
        done, begun = 0, time.perf_counter()
        while done < count and (step := self._deadlines.step()):
            done += step
        return (time.perf_counter() - begun) / done

    def check(self) -> None:
        """All have been settled, each exactly once and stamped with its instant."""
        while self._deadlines.step():
            pass
        size, ends_at = self._loaded.size, self._loaded.ends_at
        found = self._store.fetch(
            "SELECT topic, count(*), count(DISTINCT originator_id),"
            " count(*) FILTER (WHERE (convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'at')::timestamptz = %s)"
            " FROM stored_events WHERE notification_id > %s GROUP BY topic ORDER BY topic",
            (ends_at, self._before),
        )
        once = (size, size, size)
        assert found == [("numbers.NumberReleased", *once), ("numbers.ReservationExpired", *once)], found
        assert self._store.fetch("SELECT count(*) FROM deadlines") == [(0,)]

    def close(self) -> None:
        """Let go of the database."""
        self._deadlines.resign()
        self._store.close()


@contextmanager
def _draining(run: Run, size: int) -> Iterator[Drain]:
    loaded = load(run.databases, size, reserved=True)
    drain = Drain(loaded)
    try:
        yield drain
    finally:
        drain.close()
        run.databases.drop(loaded.url)
