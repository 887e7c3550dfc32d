"""When a topic is removed and another one has its name."""

from __future__ import annotations

from tests.faults.story import Picture, Story
from tests.faults.world import World

TOPIC = "SubscriptionExpired"


def test_the_service_does_not_start_and_says_why(world: World, clean: Picture, story: Story) -> None:
    """X3: offsets of another topic mean nothing. It stops with a sentence, not a traceback, until somebody decides."""
    for part in world.parts.values():
        world.run(part.service.name)
    story.tell()
    story.shows(clean)
    (running,) = world.numbers.copies
    assert world.stop(running) == 0
    world.topics.recreate(TOPIC)
    refusing = world.start("numbers")
    assert world.until_ended(refusing) == 1
    assert f"topic {TOPIC}, partition" in refusing.said()
    assert "the topic was recreated or has lost records" in refusing.said()
    assert "Traceback" not in refusing.said(), refusing.said()
    world.forget_topic("numbers", TOPIC)
    world.run("numbers")
    world.until_quiet()
