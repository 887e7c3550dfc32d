"""One world for all that is broken on purpose: its own broker, PostgreSQL and processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from deploy.local_servers.servers import Servers
from tests.conftest import start_broker
from tests.faults.story import Picture, Story
from tests.faults.world import World

_numbers = count(1)


@pytest.fixture(scope="session")
def world(servers: Servers) -> Iterator[World]:
    """A world in which the services do not run yet; a test leaves it at rest, whatever it has broken."""
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-faults-"))
        broker = start_broker(running, servers, "faults")
        yield running.enter_context(World(Path(folder), broker))


@pytest.fixture
def story(world: World) -> Story:
    """A story that was not told before."""
    return Story(world, next(_numbers))


@pytest.fixture(scope="session")
def clean(world: World) -> Picture:
    """What comes of a story when nothing breaks."""
    for service in world.parts:
        world.run(service)
    story = Story(world, 0)
    story.tell()
    story.check()
    return story.picture()
