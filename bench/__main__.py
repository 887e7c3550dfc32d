"""`python -m bench [--only B1,B2] [--quick]`: take the figures, write them down, show the table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from bench import (
    b01_intake,
    b03_end_to_end,
    b04_latency,
    b05_relay,
    b06_bulk,
    b07_search,
    b08_export,
    b09_upload,
    b10_deadlines,
    b11_rebuild,
    b12_growth,
    b14_demo,
    table,
)
from bench.figures import OUT, Figure, machine
from bench.run import Run
from bench.servers import kafka_version
from trunkline.application import tune_interpreter

MEASURES: dict[tuple[str, ...], Callable[[Run], list[Figure]]] = {
    ("B1", "B2"): b01_intake.measure,
    ("B5",): b05_relay.measure,
    ("B7", "B12"): b07_search.measure,
    ("B8",): b08_export.measure,
    ("B9",): b09_upload.measure,
    ("B10", "B12"): b10_deadlines.measure,
    ("B12",): b12_growth.measure,
    ("B11",): b11_rebuild.measure,
    ("B14",): b14_demo.measure,
    # from here on both services run
    ("B6",): b06_bulk.measure,
    ("B3", "B13"): b03_end_to_end.measure,
    ("B4",): b04_latency.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bench; exit code 1 where a bar is not met."""
    known = sorted({name for names in MEASURES for name in names}, key=lambda name: int(name[1:]))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", help=f"some of {', '.join(known)}, with commas between")
    parser.add_argument("--quick", action="store_true", help="less of everything, to see whether it runs")
    given = parser.parse_args(argv)
    only = set(given.only.upper().split(",")) if given.only else set(known)
    if unknown := only - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    figures: list[Figure] = []
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("")
    tune_interpreter()  # as every process of the product is, and so the baselines in this one
    with Run(quick=given.quick) as run:
        on = machine({"postgresql": run.databases.version, "kafka": kafka_version()})
        for names, measure in MEASURES.items():
            if only.isdisjoint(names):
                continue
            begun = time.monotonic()
            taken = [figure for figure in measure(run) if figure.name.split()[0] in only]
            with OUT.open("a") as out:
                out.writelines(figure.line(on) + "\n" for figure in taken)
            figures += taken
            print(f"{'/'.join(names)}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        figures.sort(key=lambda figure: known.index(figure.name.split()[0]))
        text = table.table(figures, on, run.rounds)
    print(text)
    if not given.only and not given.quick:
        table.write(text)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
