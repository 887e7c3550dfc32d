"""Both services with all their doors, fresh for each test: what operators do concerns the whole service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.conftest import Broker
from tests.faults.topics import Topics
from tests.http.world import World, prepare_licensing, prepare_numbers, running
from tests.operate.home import Home, at_home


@pytest.fixture
async def world(tmp_path: Path, new_database: Callable[..., str]) -> AsyncIterator[World]:
    """Two partners with an organization each, in a sandbox."""
    urls = new_database(prepare_licensing), new_database(prepare_numbers)
    async with running(tmp_path, *urls) as deployment:
        found = World(deployment)
        await found.fill()
        yield found


@pytest.fixture
async def home(tmp_path: Path, new_database: Callable[..., str]) -> AsyncIterator[Home]:
    """Two services that talk directly, for callers and for commands."""
    async with at_home(tmp_path, new_database(prepare_licensing), new_database(prepare_numbers)) as found:
        yield found


@pytest.fixture
async def far_apart(tmp_path: Path, new_database: Callable[..., str], own_broker: Broker) -> AsyncIterator[Home]:
    """The same over a broker."""
    with Topics(own_broker.bootstrap) as topics:
        topics.create()
        urls = new_database(prepare_licensing), new_database(prepare_numbers)
        async with at_home(tmp_path, *urls, kafka_bootstrap=own_broker.bootstrap) as found:
            yield found
