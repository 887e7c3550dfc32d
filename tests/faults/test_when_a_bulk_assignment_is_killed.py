"""When services are killed during a bulk assignment, at named points and at random: it goes on by itself (L13, X5)."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.bulk import Assignment
from tests.faults.doomed import BULK_POINTS, Fuse
from tests.faults.world import World

DEATHS: tuple[Fuse, ...] = (
    Fuse("bulk: chunk not yet committed"),
    Fuse("bulk: chunk committed, nobody told"),
    Fuse("bulk: answers not yet committed"),
    Fuse("bulk: answers committed, nobody told"),
    Fuse("bulk: chunk not yet committed", 2),
)


def test_then_each_row_has_its_outcome_once(world: World) -> None:
    """L10, L12, L13: at each point of a chunk and of the answers; outcomes are those of a run in which nobody died."""
    for part in world.parts.values():
        part.deaths.clear()
        world.run(part.service.name)
    assignment = Assignment(world)
    assignment.open()
    world.run("licensing", *DEATHS)
    assignment.press()
    world.until(lambda: assignment.state.status == "completed", "the assignment")
    assert tuple(world.licensing.deaths) == DEATHS[: len(world.licensing.deaths)]
    assert len(world.licensing.deaths) >= 3
    world.run("licensing")
    world.until_quiet()
    assignment.check()
    world.verify_views()


@pytest.mark.parametrize("seed", [1, 2])
def test_then_random_deaths_of_both_services_change_nothing(world: World, seed: int) -> None:
    """L12, L13, X5: SIGKILL at any instant, of either service, again and again."""
    chance = random.Random(seed)
    for service in world.parts:
        world.run(service)
    assignment = Assignment(world)
    assignment.open()
    assignment.press()
    kills = 0
    while assignment.state.status != "completed" and kills < 8:
        until = time.monotonic() + chance.uniform(0.05, 0.8)
        world.until(lambda until=until: time.monotonic() > until)  # type: ignore[misc]
        service = chance.choice(tuple(world.parts))
        for copy in list(world.parts[service].copies):
            world.kill(copy)
        kills += 1
        world.run(service)
    world.until(lambda: assignment.state.status == "completed", "the assignment")
    assert kills
    world.until_quiet()
    assignment.check()


def test_every_point_has_been_met() -> None:
    """F1: none is left out."""
    assert {fuse.point for fuse in DEATHS} == BULK_POINTS.keys()
