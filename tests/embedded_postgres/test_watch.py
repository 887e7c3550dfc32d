"""When the embedded PostgreSQL dies under running services: it is started again, or the process ends (O8)."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from trunkline.application import Application
from trunkline.embedded_postgres.data_directory import EmbeddedPostgresError
from trunkline.embedded_postgres.server import EmbeddedPostgres
from trunkline.embedded_postgres.watch import TRIES, keep_running
from trunkline.settings import Settings

PATIENCE = 120.0


class Server:
    """Dies when told to, and starts again after some tries."""

    def __init__(self, failing: int) -> None:
        self.running = False
        self.failing = failing
        self.tries = 0
        self.started = asyncio.Event()

    def start_again(self) -> None:
        self.tries += 1
        if self.tries <= self.failing:
            raise EmbeddedPostgresError("pg_ctl failed:\nno space left on device")
        self.running = True


async def test_it_is_tried_again_until_it_starts() -> None:
    """O8: each failure is logged with its reason."""
    server, stopping = Server(TRIES - 1), asyncio.Event()
    with capture_logs() as logs:
        watching = asyncio.create_task(keep_running(server, stopping, 0.001))
        async with asyncio.timeout(PATIENCE):
            while not server.running:  # noqa: ASYNC110 - a stand-in tells nobody
                await asyncio.sleep(0.001)
        stopping.set()
        await watching
    assert server.tries == TRIES
    assert [entry["event"] for entry in logs][-1] == "the embedded PostgreSQL runs again"
    assert logs[1]["why"] == "no space left on device"


async def test_one_that_never_starts_ends_the_process() -> None:
    """O8: whoever looks after the process can act; to answer 503 for ever helps nobody."""
    server = Server(TRIES)
    with pytest.raises(EmbeddedPostgresError):
        await keep_running(server, asyncio.Event(), 0.001)


async def test_nothing_is_started_while_the_service_stops() -> None:
    """O8: what is about to be stopped stays down."""
    server, stopping = Server(0), asyncio.Event()
    stopping.set()
    await keep_running(server, stopping, 0.001)
    assert server.tries == 0


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trunkline-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def started_since(server: EmbeddedPostgres, before: int) -> bool:
    return server.running and server.pid != before


async def serves_again(server: EmbeddedPostgres, before: int, client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE):
        while not started_since(server, before):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
        while (await client.get("/readyz", timeout=60)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_services_go_on_when_it_was_killed(home: Path) -> None:
    """O8: killed like a process that the system runs out of memory for, it is back, and requests are served again."""
    settings = Settings(home=home / "home", http_port=0)
    async with (
        Application(settings) as deployment,
        httpx.AsyncClient(base_url=deployment.address) as client,
    ):
        assert deployment.embedded is not None
        assert (await client.get("/readyz")).status_code == 200
        before = deployment.embedded.pid
        with capture_logs() as logs:
            os.kill(before, signal.SIGKILL)
            await serves_again(deployment.embedded, before, client)
        assert not [entry for entry in logs if entry.get("exc_info")], "an absent server is no traceback"
        lost = [entry for entry in logs if entry["event"].startswith("out of reach")]
        assert 1 <= len(lost) <= 2, "one for all loops; one more where an orphaned session answered once"
        for runtime in deployment.runtimes.values():
            assert not runtime.stopping.is_set()
        embedded = deployment.embedded
    embedded.start()
    embedded.discard()
