"""F1 at any scale: `python -m tests.faults.many --kills 100` kills services at random points, and counts.

Stories are told one after the other while both services are killed again and again, each at a point and passage that
chance gives. Every story is held against one in which nobody died. The last line is the outcome as JSON; the exit code
is 1 where anything was lost or doubled, or does not agree with the streams.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deploy.local_servers.broker import LocalBroker, libs_folder
from tests.faults.doomed import POINTS, Fuse
from tests.faults.story import Picture, Story
from tests.faults.world import World

_LIBS = libs_folder(Path(__file__).parent.parent.parent / ".trunkline")
_ONLY_NUMBERS = ("deadlines", "notices", "mail", "state topic")
_FUSES = 6
"""For each service and story at most."""


def main() -> int:
    """Kill, count, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.many", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at least so many")
    parser.add_argument("--size", type=int, default=50, help="subscriptions in a story")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="trunkline-many-") as folder:
        world_folder = Path(folder) / "world"
        world_folder.mkdir()
        with LocalBroker(Path(folder) / "broker", _LIBS) as broker, World(world_folder, broker) as world:
            outcome = {"seed": given.seed, **_count(world, given.kills, given.size, chance)}
    print(json.dumps(outcome))
    return 0 if outcome["lost"] == outcome["doubled"] == outcome["inconsistent"] == 0 else 1


def _count(world: World, kills: int, size: int, chance: random.Random) -> dict[str, int]:
    for service in world.parts:
        world.run(service)
    clean, _ = _told(Story(world, 0, size))
    counted: Counter[str] = Counter(kills=0, events=0, lost=0, doubled=0, inconsistent=0, stories=0)
    while counted["kills"] < kills:
        for service, part in world.parts.items():
            part.deaths.clear()
            world.run(service, *_fuses(service, chance))
        came, wrong = _told(Story(world, counted["stories"] + 1, size))
        expected, found = Counter(_facts(clean)), Counter(_facts(came))
        counted.update(
            kills=sum(len(part.deaths) for part in world.parts.values()),
            events=came.events,
            lost=(expected - found).total(),
            doubled=(found - expected).total(),
            inconsistent=wrong is not None,
            stories=1,
        )
        print(json.dumps({**counted, "at": [fuse.point for part in world.parts.values() for fuse in part.deaths]}))
        if wrong:
            print(wrong)
    return dict(counted)


def _fuses(service: str, chance: random.Random) -> list[Fuse]:
    points = [p for p in POINTS if service == "numbers" or not p.startswith(_ONLY_NUMBERS)]
    return [Fuse(chance.choice(points), chance.randint(1, 3)) for _ in range(chance.randint(1, _FUSES))]


def _told(story: Story) -> tuple[Picture, str | None]:
    """What came of a story, and what does not agree in it."""
    story.tell()
    try:
        story.check()
    except AssertionError as wrong:
        return story.picture(), str(wrong) or "something does not agree"
    return story.picture(), None


def _facts(picture: Picture) -> Iterator[str]:
    """Everything in a picture, one by one; an event counts with its place in its stream."""
    for stream, events in picture.streams.items():
        for place, event in enumerate(events):
            yield f"{stream} {place} {json.dumps(event)}"
    yield from picture.mail
    yield f"{picture.inbox} messages heard, {picture.quarantined} quarantined"


if __name__ == "__main__":
    sys.exit(main())
