"""F3 at any scale: `python -m tests.model.races --attempts 100000` lets 64 writers race for number after number.

Two copies of the service on one database; each writer wants the same number at the same time, by hand or because its
subscription starts. The last line is the outcome as JSON; the exit code is 1 where a number went to two or to nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.model.desk import Desk, prepare
from tests.model.phone import Bought
from tests.model.telling import E1, E2, OWN, W1, parties_heard, word
from trunkline.clock import FixedClock
from trunkline.embedded_postgres.server import EmbeddedPostgres
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION

WRITERS = 64
TAKES = ("numbers.NumberReserved", "numbers.NumberAssigned", "numbers.NumberLocked")
_places = count(1)
Outcome = str
"""`won`, or the code of the refusal."""


@dataclass(frozen=True)
class Attempt:
    """One writer's: what it did, and what it was told."""

    writer: str
    outcome: Outcome
    sentence: str = ""


class Races:
    """Two copies of numbers, and writers that come to both."""

    def __init__(self, url: str, home: Path) -> None:
        clock = FixedClock(datetime.now(UTC).replace(microsecond=0))
        self.desks = [Desk(url, home, clock) for _ in range(2)]
        self.desks[0].knows(*parties_heard(clock.now()))

    def close(self) -> None:
        """Let both go."""
        for desk in self.desks:
            desk.close()

    def race(self, writers: int = WRITERS) -> tuple[str, list[Attempt]]:
        """All writers want one new number at once: the number, and what became of each."""
        number = f"+6532{next(_places):06}"
        body = {"numbers": [number], "vendor": "v", "country": "SG", "sku": "s"}
        answer = self.desks[0].caller("platform-admin")("POST", "/numbers", body)
        assert answer.status_code == 200, answer.text
        halves = [[_WAYS[n % len(_WAYS)] for n in range(copy, writers, 2)] for copy in range(2)]
        with ThreadPoolExecutor(2) as threads:
            attempts = threads.map(_all_at_once, self.desks, [number, number], halves)
        return number, [attempt for half in attempts for attempt in half]

    def takes(self, number: str) -> list[str]:
        """What the log says was done to the number, beside its being added."""
        rows = self.desks[0].node.store.read_streams([NUMBER.stream(number)])
        return [name for _, _, name, _ in rows if name in TAKES]


def _all_at_once(desk: Desk, number: str, ways: Sequence[Way]) -> list[Attempt]:
    async def run() -> list[Attempt]:
        return await asyncio.gather(*(way(desk, number) for way in ways))

    return asyncio.run(run())


async def _reserve(desk: Desk, number: str, reserver: str) -> Attempt:
    return await _asked(desk, "reserve", number, {"reserver_id": reserver, "remark": "wanted"})


async def _lock(desk: Desk, number: str) -> Attempt:
    return await _asked(desk, "lock", number, {"remark": "wanted"})


async def _asked(desk: Desk, verb: str, number: str, body: Any) -> Attempt:
    answer = await desk.asking("platform-admin")("POST", f"/numbers/{number}/{verb}", json=body)
    if answer.status_code == 200:
        return Attempt(verb, "won")
    told = answer.json()
    return Attempt(verb, told["code"], told["detail"])


async def _start(desk: Desk, number: str, organization: str) -> Attempt:
    s = Bought(str(uuid4()), organization, number, desk.clock.now(), number)
    await asyncio.to_thread(desk.hears, [word(s, 1, desk.clock.now())])
    heard = await asyncio.to_thread(desk.work, lambda uow: uow.state(SUBSCRIPTION, s.id))
    if heard.refused is None:
        return Attempt("start", "won" if number in heard.served else "lost")
    return Attempt("start", heard.refused.code, heard.refused.reason)


Way = Callable[[Desk, str], Awaitable[Attempt]]
_WAYS: tuple[Way, ...] = (
    lambda desk, number: _reserve(desk, number, W1),
    lambda desk, number: _start(desk, number, E1),
    lambda desk, number: _reserve(desk, number, OWN),
    _lock,
    lambda desk, number: _start(desk, number, E2),
)
"""None of them leaves a number that another one of them could have."""


def main() -> int:
    """Race, count, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.races", description=main.__doc__)
    parser.add_argument("--attempts", type=int, default=6_400, help="at least so many")
    given = parser.parse_args()
    counted: Counter[str] = Counter(attempts=0, races=0, double=0, nobody=0)
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="trunkline-races-") as folder:
        server = EmbeddedPostgres(Path(folder)).start()
        url = server.url("races")
        prepare(url)
        races = Races(url, Path(folder) / "home")
        while counted["attempts"] < given.attempts:
            number, attempts = races.race()
            won, takes = sum(a.outcome == "won" for a in attempts), len(races.takes(number))
            told.update(a.outcome for a in attempts)
            counted.update(attempts=len(attempts), races=1, double=max(won, takes) > 1, nobody=min(won, takes) < 1)
            if counted["races"] % 50 == 0:
                print(json.dumps(counted))
        races.close()
        server.discard()
    print(json.dumps({**counted, "told": told}))
    return 0 if counted["double"] == counted["nobody"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
