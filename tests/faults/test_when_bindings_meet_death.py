"""When extensions get and lose numbers over a real Kafka, and the services are killed at each point on the way (X5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.faults.bindings import Round
from tests.faults.doomed import Fuse
from tests.faults.world import World

CHANGED = {"deleted": "gone", "removed": None, "again": "bound", "terminated": "lost", "expired": "suspended"}
"""What the ways lead to in the end."""

DEATHS: dict[str, tuple[Fuse, ...]] = {
    "what is heard": (
        Fuse("intake: not yet committed"),
        Fuse("intake: committed, nobody told"),
        Fuse("intake: taken, the consumer not told"),
    ),
    "what is said": (
        Fuse("relay: page not sent"),
        Fuse("relay: page sent in part"),
        Fuse("relay: page sent, position not recorded"),
    ),
    "state topics": (
        Fuse("state topic: page not sent"),
        Fuse("state topic: page sent, position not recorded"),
    ),
}


@pytest.mark.parametrize("what", DEATHS)
def test_both_say_the_same_though_both_died(world: World, what: str) -> None:
    """X3, X5, L12: requests, answers, withdrawals and documents: nothing lost, nothing doubled."""
    for name, part in world.parts.items():
        part.deaths.clear()
        world.run(name)
    story = Round(world)
    story.open()
    for name in world.parts:
        world.run(name, *DEATHS[what])
    story.provision()
    world.until_quiet()
    story.change()
    world.until_quiet()
    story.end()
    world.until_quiet()
    assert all(part.deaths for part in world.parts.values())
    story.check(CHANGED)


def test_silence_is_a_refusal_though_licensing_dies_of_it(world: World) -> None:
    """X5, L12: numbers is down; each request is refused once, and numbers binds nothing when it is back."""
    for name in world.parts:
        world.run(name)
    story = Round(world)
    story.open()
    for copy in list(world.numbers.copies):
        world.kill(copy)
    story.provision(timedelta(seconds=30))
    world.licensing.deaths.clear()
    world.run("licensing", Fuse("deadlines: not yet committed"), Fuse("deadlines: committed, nobody told"))

    def died_twice() -> bool:
        """Each copy listens for as long as an answer may take: a minute, at every look."""
        world.set_clock(world.licensing.clock.now() + timedelta(minutes=1))
        return len(world.licensing.deaths) == 2

    world.until(died_twice, "silence")
    world.run("numbers")
    world.until_quiet()
    assert {story.status(n) for n in range(story.size)} == {"gone", "refused"}
    assert not any(story.number(n).bindings for n in range(story.size))


def test_answers_that_wait_in_the_topic_are_no_silence(world: World) -> None:
    """X5: licensing dies of the first answer, and comes back long after all of them were due."""
    for name in world.parts:
        world.run(name)
    story = Round(world)
    story.open()
    world.run("licensing", Fuse("intake: not yet committed"))
    (licensing,) = world.licensing.copies
    world.until_joined(1)
    story.provision(timedelta(seconds=30))
    licensing.process.join()
    numbers = world.numbers.store
    answers = "SELECT 1 FROM stored_events WHERE originator_id = ANY(%s) AND topic = 'numbers.BindingHeard' LIMIT 1"
    assert numbers.fetch(answers, ([f"extension/{key}" for key in story.extensions],))
    world.set_clock(world.licensing.clock.now() + timedelta(days=1))
    world.further["TRUNKLINE_BINDING_TIMEOUT"] = "1"
    try:
        world.until_quiet()
    finally:
        world.further.clear()
    story.check(dict.fromkeys(CHANGED, "bound"))
    for copy in list(world.licensing.copies):
        world.stop(copy)
    world.run("licensing")
