"""B14: from the installed packages to the finished story."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, at_most, median
from bench.run import Run

B14 = at_most(value=20, text="≤ 20 s")


def measure(run: Run) -> list[Figure]:
    """Each round in a home of its own, so that the embedded database is made anew."""
    taken = [_story() for _ in range(run.rounds)]
    return [
        Figure("B14", "`trunkline demo`, from nothing to the finished story", median(taken), "s", B14, 1, run.rounds)
    ]


def _story() -> float:
    command = Path(sys.executable).with_name("trunkline")
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-demo-") as home:
        settings = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        begun = time.perf_counter()
        done = subprocess.run(
            [command, "demo"],
            env={**settings, "TRUNKLINE_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError(f"trunkline demo ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds
