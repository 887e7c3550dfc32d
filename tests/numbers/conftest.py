"""Numbers on a real database, told in the words of `world`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.numbers.facts import ACME, PARTNER
from tests.numbers.world import Database, World, prepare


@pytest.fixture
def strange_world(new_database: Callable[..., str]) -> Iterator[World]:
    """Nobody is known, and there are no numbers."""
    place = Database(new_database(prepare))
    yield World(place)
    place.store.close()


@pytest.fixture
def world(strange_world: World) -> World:
    """The partner and the organization of most tests are known."""
    return strange_world.knows(PARTNER, ACME.id)
