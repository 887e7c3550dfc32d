"""When somebody waits for what a command has written, the views do not rest (O3): their rest is for others' sake."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.inventory import Inventory, number
from trunkline.runtime import service_runtime as loops
from trunkline.runtime.connection import Connection
from trunkline.runtime.in_process_transport import InProcessTransport
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.settings import Settings

AN_HOUR = 3_600.0


async def test_then_the_views_go_on_at_once(
    inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each page they rest for an hour here; a reader who comes twice has both pages, and needs no hour."""
    monkeypatch.setattr(loops, "IDLE_POLL_SECONDS", AN_HOUR)
    monkeypatch.setattr(loops, "VIEWS_SHARE", 1e-9)
    inventory.projector.resign()
    runtime = ServiceRuntime(inventory.service, inventory.open_store(), inventory.clock, Settings(home=tmp_path))
    runtime.start(Connection(InProcessTransport("numbers"), lambda _: lambda: True, state_topics=()))
    try:
        for place in (1, 2):
            inventory.add(number(place))
            end = inventory.store.end_of_log()
            assert await asyncio.to_thread(runtime.wait_for_views, end, 60.0)
            assert inventory.store.fetch("SELECT count(*) FROM number_view") == [(place,)]
    finally:
        await runtime.stop()
