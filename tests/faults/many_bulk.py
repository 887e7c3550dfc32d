"""L13 at any scale: `python -m tests.faults.many_bulk --kills 100` kills both services while 15,000 rows are assigned.

Each assignment is killed at instants that chance gives, again and again until it is completed; then every row, unit,
extension and binding is held against what an oracle said before it began. The last line is the outcome as JSON; the
exit code is 1 where a row ran twice, was lost, or does not agree.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from deploy.local_servers.broker import LocalBroker, libs_folder
from tests.faults.bulk import Assignment
from tests.faults.world import World

_LIBS = libs_folder(Path(__file__).parent.parent.parent / ".trunkline")


def main() -> int:
    """Kill, count, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.many_bulk", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at least so many")
    parser.add_argument("--size", type=int, default=15_000, help="rows of an assignment")
    parser.add_argument("--pause", type=float, default=6.0, help="seconds between two kills at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    chance = random.Random(given.seed)
    counted: Counter[str] = Counter(kills=0, assignments=0, rows=0, wrong=0)
    with tempfile.TemporaryDirectory(prefix="trunkline-many-") as folder:
        world_folder = Path(folder) / "world"
        world_folder.mkdir()
        with LocalBroker(Path(folder) / "broker", _LIBS) as broker, World(world_folder, broker) as world:
            while counted["kills"] < given.kills:
                kills, wrong = assigned(world, given.size, chance, given.pause)
                counted.update(kills=sum(kills.values()), assignments=1, rows=given.size, wrong=wrong is not None)
                print(json.dumps({**counted, "of": kills}), *filter(None, [wrong]), flush=True)
    print(json.dumps({"seed": given.seed, **counted}))
    return 1 if counted["wrong"] else 0


def assigned(world: World, size: int, chance: random.Random, pause: float) -> tuple[Counter[str], str | None]:
    """How often each service was killed during one assignment, and what does not agree in the end."""
    for service in world.parts:
        world.run(service)
    assignment = Assignment(world, size)
    assignment.open()
    assignment.press()
    kills: Counter[str] = Counter()
    while assignment.state.status != "completed":
        until = time.monotonic() + chance.uniform(0.05, pause)
        world.until(lambda until=until: time.monotonic() > until)  # type: ignore[misc]
        service = chance.choice(tuple(world.parts))
        for copy in list(world.parts[service].copies):
            world.kill(copy)
        kills[service] += 1
        world.run(service)
    world.until_quiet()
    try:
        assignment.check()
    except AssertionError as wrong:
        return kills, str(wrong) or "something does not agree"
    return kills, None


if __name__ == "__main__":
    sys.exit(main())
