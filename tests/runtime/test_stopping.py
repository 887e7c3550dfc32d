"""When a service is told to stop, nothing that only waits for news keeps it from ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inventory import Inventory
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.runtime.connection import Connection
from trunkline.runtime.in_process_transport import InProcessTransport
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.settings import Settings

AN_HOUR = 3_600.0


@pytest.mark.parametrize(
    "news", [lambda runtime: runtime.commit_signal, lambda runtime: runtime.projected], ids=["commits", "views"]
)
async def test_then_who_waits_for_news_goes_too(
    inventory: Inventory, tmp_path: Path, news: Callable[[ServiceRuntime], CommitSignal]
) -> None:
    """A loop that would look again in an hour ends with the others: no task is left to be cancelled."""
    inventory.projector.resign()
    runtime = ServiceRuntime(inventory.service, inventory.open_store(), inventory.clock, Settings(home=tmp_path))
    runtime.start(Connection(InProcessTransport("numbers"), lambda _: lambda: True))
    waiting = asyncio.Event()

    async def patient() -> None:
        while not runtime.stopping.is_set():
            seen = news(runtime).count
            waiting.set()
            await news(runtime).after(seen, AN_HOUR)

    runtime.spawn("patient", patient())
    await waiting.wait()
    await runtime.stop()
    assert not runtime.loops["patient"].cancelled()


@pytest.mark.parametrize("error", [RuntimeError("mine"), asyncio.CancelledError()], ids=["failed", "cancelled"])
async def test_then_a_loop_that_ends_by_itself_ends_the_service(
    inventory: Inventory, tmp_path: Path, error: BaseException
) -> None:
    """Half a service is none: who looks after the process starts it again. So too where a library cancels a loop."""
    inventory.projector.resign()
    runtime = ServiceRuntime(inventory.service, inventory.open_store(), inventory.clock, Settings(home=tmp_path))
    runtime.start(Connection(InProcessTransport("numbers"), lambda _: lambda: True))

    async def broken() -> None:
        raise error

    runtime.spawn("broken", broken())
    await runtime.stopping.wait()
    await runtime.stop()
