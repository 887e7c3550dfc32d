"""When a service is killed in the middle of its work, at each named point, and started again.

A service runs over a real Kafka and a real PostgreSQL. At a point it ends by SIGKILL, is started again with the next
point of the list, and in the end as it is. The other service is hit at the same time where it has the point too.
"""

import pytest

from tests.faults.doomed import POINTS, Fuse
from tests.faults.story import Picture, Story
from tests.faults.world import World

_BOTH = ("licensing", "numbers")
_NUMBERS = ("numbers",)

DEATHS: dict[str, dict[tuple[str, ...], tuple[Fuse, ...]]] = {
    "what is heard": {
        _BOTH: (
            Fuse("intake: not yet committed", 2),
            Fuse("intake: committed, nobody told"),
            Fuse("intake: taken, the consumer not told"),
        )
    },
    "what is said": {
        _BOTH: (
            Fuse("relay: page not sent"),
            Fuse("relay: page sent in part"),
            Fuse("relay: page sent, its answer lost", 2),
            Fuse("relay: page sent, position not recorded"),
            Fuse("relay: position recorded"),
        )
    },
    "what falls due": {
        _NUMBERS: (
            Fuse("deadlines: not yet committed"),
            Fuse("deadlines: committed, nobody told"),
            Fuse("notices: not yet committed"),
            Fuse("notices: committed, nobody told"),
            Fuse("deadlines: not yet committed"),
            Fuse("deadlines: committed, nobody told"),
        )
    },
    "mail": {
        _NUMBERS: (
            Fuse("mail: not delivered", 2),
            Fuse("mail: written beside its place"),
            Fuse("mail: delivered, not recorded", 2),
            Fuse("mail: recorded"),
        )
    },
    "views": {
        _BOTH: (Fuse("view: page applied, not yet committed"), Fuse("view: page committed", 2)),
    },
    "state topics": {
        _NUMBERS: (
            Fuse("state topic: page not sent"),
            Fuse("state topic: page sent, position not recorded"),
            Fuse("state topic: position recorded"),
        )
    },
}


@pytest.mark.parametrize("what", DEATHS)
def test_all_ends_as_if_it_had_lived(world: World, clean: Picture, story: Story, what: str) -> None:
    """X2, X3, N5, N10: streams, topics, deadlines, mailbox and views are those of a run in which nobody died."""
    fuses = {service: chain for services, chain in DEATHS[what].items() for service in services}
    for part in world.parts.values():
        part.deaths.clear()
        world.run(part.service.name, *fuses.get(part.service.name, ()))
    story.tell()
    assert {name: tuple(part.deaths) for name, part in world.parts.items() if part.deaths} == fuses
    story.shows(clean)
    world.verify_views()


def test_every_point_has_been_met() -> None:
    """F1: none is left out."""
    assert {fuse.point for chains in DEATHS.values() for chain in chains.values() for fuse in chain} == POINTS.keys()
