"""B8: an inventory goes out as CSV, in a process of its own, against COPY of the same rows."""

from __future__ import annotations

import subprocess
import sys
import time

import psycopg

from bench.figures import Figure, at_least, at_most, interleaved, median
from bench.run import Run
from trunkline_numbers.queries.export import LAYOUTS, Export
from trunkline_numbers.queries.filters import Wanted, conditions
from trunkline_numbers.wiring import service as numbers_service

B8 = at_least(ratio=0.20, text="≥ 20 %")
B8_MEMORY = at_most(value=150, text="≤ 150 MiB")
_KIB = 1_024


def measure(run: Run) -> list[Figure]:
    """The rate, and the most memory that a process held at once while it exported."""
    stocked = run.stocked(run.sizes[-1])
    n = stocked.size
    ours, copied = interleaved(run.rounds, lambda _: _child(stocked.url), lambda _: _copy(stocked.url))
    rate, other = n / median(seconds for seconds, _, _ in ours), n / median(copied)
    peak = max(mib for _, mib, _ in ours)
    return [
        Figure(
            "B8", f"export of {n:,} numbers as CSV, against COPY of the same rows", rate, "rows/s", B8, n, run.rounds,
            other, rate / other, {"bytes": ours[0][2]},
        ),
        Figure("B8 memory", "most memory of the process that exports", peak, "MiB", B8_MEMORY, n, run.rounds),
    ]  # fmt: skip


def _child(url: str) -> tuple[float, float, int]:
    """Seconds, peak MiB and bytes of one export."""
    said = subprocess.run(
        [sys.executable, "-m", "bench.b08_export", url], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(said[0]), float(said[1]), int(said[2])


def _export(url: str) -> None:
    numbers_service().codec()  # all that a service has in memory
    begun = time.perf_counter()
    size = sum(map(len, Export(url, conditions(Wanted(), None), None, "full").pieces("csv")))
    seconds = time.perf_counter() - begun
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - no file of ours
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(seconds, peak / _KIB, size)


def _copy(url: str) -> float:
    """Seconds in which PostgreSQL gives out the same columns of the same rows, as they come and as they are."""
    names = [column.name for column in LAYOUTS["full"] if column.name != "legacy_lock"]  # computed of two others
    columns = ["key" if name == "number" else name for name in names]
    begun = time.perf_counter()
    with psycopg.connect(url) as conn, conn.cursor() as cursor:
        sql = f"COPY (SELECT {', '.join(columns)} FROM number_view) TO STDOUT (FORMAT csv)"
        with cursor.copy(sql.encode()) as copy:
            for _ in copy:
                pass
    return time.perf_counter() - begun


if __name__ == "__main__":
    _export(sys.argv[1])
