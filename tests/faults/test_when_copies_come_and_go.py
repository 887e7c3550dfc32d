"""When several copies of the services share the work, and one dies, one joins, one is told to stop."""

from __future__ import annotations

from tests.faults import story as steps
from tests.faults.story import Picture, Story
from tests.faults.world import World


def test_nothing_is_lost_and_nothing_is_done_twice(world: World, clean: Picture, story: Story) -> None:
    """X3, N10: who takes over begins where the database says; timers, views and mail have one copy that does them."""
    for part in world.parts.values():
        world.run(part.service.name)
        world.start(part.service.name)
    world.until_joined(2)
    for step, _ in enumerate(story.steps()):
        for part in world.parts.values():
            match step:
                case steps.STARTS:
                    world.kill(part.copies[0])
                case steps.DAY_10:
                    world.start(part.service.name)
                case steps.DAY_20:
                    assert world.stop(part.copies[0]) == 0
        world.until_quiet()
    story.shows(clean)
    world.verify_views()


def test_a_copy_that_is_told_to_stop_ends_in_order(world: World, clean: Picture, story: Story) -> None:
    """SIGTERM under load: it finishes what it has in hand, leaves the group, and ends with 0; the next goes on."""
    for part in world.parts.values():
        world.run(part.service.name)
    for step, _ in enumerate(story.steps()):
        if step in (steps.STARTS, steps.DAY_10, steps.DUE):
            world.until_joined(1)
            for part in world.parts.values():
                (copy,) = part.copies
                assert world.stop(copy) == 0, copy.said()
                assert world.topics.members(part.group) == []
                assert "Traceback" not in copy.said()
                world.start(part.service.name)
        world.until_quiet()
    story.shows(clean)
