"""When PostgreSQL or the broker dies under the services, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from tests.faults.story import DAY_10, DAY_20, DUE, STARTS, Picture, Story
from tests.faults.world import World


def break_and_mend(world: World, story: Story, break_it: Callable[[], object], at: Collection[int]) -> None:
    """Tell a story; at some steps something dies while what was said is on its way, and comes back."""
    for part in world.parts.values():
        world.run(part.service.name)
    copies = [copy for part in world.parts.values() for copy in part.copies]
    for step, _ in enumerate(story.steps()):
        if step in at:
            break_it()
        world.until_quiet()
    assert copies == [copy for part in world.parts.values() for copy in part.copies]


@pytest.mark.parametrize("how", ["immediate", "SIGKILL"])
def test_the_services_outlive_postgresql(world: World, clean: Picture, story: Story, how: str) -> None:
    """F5: they go on by themselves, on the same place; nothing is lost, nothing is done twice."""
    break_and_mend(world, story, lambda: world.restart_postgres(how), at=(STARTS, DAY_10, DAY_20, DUE))
    story.shows(clean)
    world.verify_views()


def test_the_services_outlive_the_broker(world: World, clean: Picture, story: Story) -> None:
    """F5: the same for a broker that is killed and started again."""
    break_and_mend(world, story, world.broker.restart, at=(STARTS, DAY_10))
    story.shows(clean)
