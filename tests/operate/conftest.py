"""Both services with all their doors, fresh for each test: what operators do concerns the whole service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.http.world import World, prepare_licensing, prepare_numbers, running


@pytest.fixture
async def world(tmp_path: Path, new_database: Callable[..., str]) -> AsyncIterator[World]:
    """Two partners with an organization each, in a sandbox."""
    urls = new_database(prepare_licensing), new_database(prepare_numbers)
    async with running(tmp_path, *urls) as deployment:
        found = World(deployment)
        await found.fill()
        yield found
