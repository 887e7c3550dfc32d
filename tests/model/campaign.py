"""X4 at length: `python -m tests.model.campaign --examples 20000 --seed 1`.

Plays generated histories in several orders against the oracle, some hundreds at once, on an embedded PostgreSQL of
its own; prints counts after each batch, and each difference reduced to a small history. An example is made from its
number alone: `--only N` plays one again, and a campaign that was interrupted goes on with `--from N`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.pair import Pair, prepare_licensing, prepare_numbers
from tests.model.convergence.checking import Checked, check, examples
from tests.model.convergence.describing import described
from tests.model.convergence.product import START
from tests.model.convergence.reducing import reduced
from tests.model.convergence.stage import Stage
from trunkline.embedded_postgres.server import EmbeddedPostgres

APART = 10_000_000
"""How far the numbers of two seeds' examples lie apart."""


@dataclass
class Counts:
    """What a campaign has seen."""

    played: int = 0
    undetermined: int = 0
    different: int = 0

    def __str__(self) -> str:
        agreed = self.played - self.undetermined - self.different
        return (
            f"{self.played} played: {agreed} end as the oracle, {self.different} differ, "
            f"{self.undetermined} in an order that the rules leave open"
        )


@contextmanager
def staged() -> Iterator[Stage]:
    """A pair of services on databases of its own."""
    with tempfile.TemporaryDirectory(prefix="trunkline-campaign-") as home:
        Path(home).chmod(0o711)  # as root the server runs as somebody else, who must get through
        server = EmbeddedPostgres(Path(home)).start()
        try:
            urls = server.url("licensing"), server.url("numbers")
            prepare_licensing(urls[0])
            prepare_numbers(urls[1])
            pair = Pair(*urls, START)
            yield Stage(pair)
            pair.close()
        finally:
            server.discard()


def run(numbers: range, batch: int, *, reduce: bool) -> Counts:
    """Play the examples with these numbers; a fresh pair for each batch keeps the databases small."""
    counts = Counts()
    for first in range(numbers.start, numbers.stop, batch):
        several = examples(range(first, min(first + batch, numbers.stop)))
        with staged() as stage:
            checked = check(stage, several)
            counts.played += len(checked)
            counts.undetermined += sum(c.undetermined is not None for c in checked)
            counts.different += sum(bool(c.differs) for c in checked)
            _show(stage, [c for c in checked if c.differs], reduce=reduce)
        print(f"up to {first + len(several) - 1}: {counts}", flush=True)
    return counts


def _show(stage: Stage, differing: list[Checked], *, reduce: bool) -> None:
    if reduce and differing:
        smaller = reduced(
            [c.example for c in differing], lambda several: [bool(c.differs) for c in check(stage, several)]
        )
        differing = check(stage, smaller)
    for checked in differing:
        print(f"example {checked.example.number}")
        for line in described(checked.example.history, checked.example.steps):
            print("  " + line)
        for line in checked.differs:
            print("  ! " + line, flush=True)


def main() -> int:
    """Run the campaign; 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.campaign", description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="other seeds are other examples")
    parser.add_argument("--from", type=int, default=0, dest="first", help="go on with this one of the seed's examples")
    parser.add_argument("--only", type=int, help="the number of one example")
    parser.add_argument("--batch", type=int, default=600)
    parser.add_argument("--no-reduce", action="store_false", dest="reduce", help="show differences as they are")
    given = parser.parse_args()
    start = given.seed * APART
    numbers = range(start + given.first, start + given.examples)
    if given.only is not None:
        numbers = range(given.only, given.only + 1)
    return 1 if run(numbers, given.batch, reduce=given.reduce).different else 0


if __name__ == "__main__":
    sys.exit(main())
