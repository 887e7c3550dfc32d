"""What tests of the doors ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.http.world import World, running


@pytest.fixture
async def bare(tmp_path: Path, new_database: Callable[..., str]) -> AsyncIterator[World]:
    """Both services, nobody registered."""
    async with running(tmp_path, new_database) as world:
        yield world


@pytest.fixture
async def world(bare: World) -> World:
    """Both services and two partners with an organization each."""
    await bare.fill()
    return bare
