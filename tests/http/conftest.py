"""What tests of the doors ask for: both services, once for all of them, and a world for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.http.shelf import Shelf
from tests.http.world import InProcess, World, prepare_licensing, prepare_numbers, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The services live in one event loop, and so do the tests that speak to them."""
    for item in items:
        if "services" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    """Both services in this process, with all their doors."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    async with running(tmp_path_factory.mktemp("home"), *urls) as deployment:
        yield deployment
    for url in urls:
        databases.drop(url)


@pytest_asyncio.fixture(loop_scope="session")
async def world(services: InProcess) -> World:
    """Two partners with an organization each."""
    found = World(services)
    await found.fill()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelf(services: InProcess) -> Shelf:
    """24 numbers of every kind, which no test of a module changes."""
    world = World(services)
    await world.fill()
    found = Shelf(world)
    await found.fill()
    return found
