"""When the disk of the embedded PostgreSQL is really full: services say so, lose nothing, and go on (O7, O8)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from trunkline.application import Application
from trunkline.cli.client.api_client import operator_token
from trunkline.settings import Settings

PATIENCE = 180.0
_SIZE = "192m"
_BATCH = 50


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own. Only root may mount one: without that right the test is skipped, in CI too."""
    with tempfile.TemporaryDirectory(prefix="trunkline-disk-") as folder:
        Path(folder).chmod(0o711)
        disk = Path(folder) / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=0711", "trunkline-test", str(disk)]
        try:
            mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("NO FULL DISK is shown: there is no `mount` here")
        if mounted.returncode != 0:
            pytest.skip(f"NO FULL DISK is shown: this account may mount nothing ({mounted.stderr.strip()})")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
async def deployment(small_disk: Path) -> AsyncIterator[Application]:
    """Both services on that disk."""
    home = small_disk / "home"
    home.mkdir(mode=0o711)  # open to the account of the server: else root lays the data elsewhere
    async with Application(Settings(home=home, http_port=0)) as found:
        yield found
        embedded = found.embedded
    assert embedded is not None
    assert not embedded.outside
    embedded.start()
    embedded.discard()


def fill(disk: Path) -> Path:
    """Leave no room: the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        while free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)
            except OSError:  # somebody else was faster
                continue
    return ballast


def body(first: int) -> dict[str, Any]:
    numbers = [f"+653{number:07}" for number in range(first, first + _BATCH)]
    return {"numbers": numbers, "vendor": "V", "country": "SG", "sku": "S"}


async def test_the_services_say_so_lose_nothing_and_go_on(deployment: Application, small_disk: Path) -> None:
    """O7, O8: what was answered is there, what was refused is done by the same request once there is room."""
    headers = {"Authorization": f"Bearer {operator_token(deployment.settings)}"}
    async with (
        httpx.AsyncClient(base_url=deployment.address, headers=headers, timeout=60) as client,
        asyncio.timeout(PATIENCE),
    ):

        async def add(batch: int) -> httpx.Response:
            key = {"Idempotency-Key": f"batch-{batch}"}
            return await client.post("/numbers", json=body(batch * _BATCH), headers=key)

        assert (await add(0)).status_code in (200, 201)
        ballast = await asyncio.to_thread(fill, small_disk)
        batch = 1
        while (answer := await add(batch)).status_code < 400:
            batch += 1
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] in ("disk-full", "database-unavailable"), answer.text
        doctor = await client.get("/numbers/operate/doctor")
        assert doctor.status_code == 503 or "disk is full" in doctor.json()["database_error"], doctor.text

        ballast.unlink()
        while (answer := await add(batch)).status_code == 503:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
        assert answer.status_code in (200, 201), answer.text
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)
        seen = {"Trunkline-Wait-For": answer.headers["Trunkline-Position"]}
        found = await client.get("/numbers", params={"limit": 1}, headers=seen)
        assert found.json()["total"] == (batch + 1) * _BATCH
        assert (await add(batch)).status_code == answer.status_code
        assert all(not runtime.stopping.is_set() for runtime in deployment.runtimes.values())
