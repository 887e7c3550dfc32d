"""`/metrics`: read often without asking the database as often, and on a port of its own if wanted (O7, T6)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from tests.http.world import prepare_licensing, prepare_numbers
from trunkline.application import Application, NotConfigured
from trunkline.http.health import metrics_router
from trunkline.settings import Settings


async def test_figures_are_at_most_a_second_old() -> None:
    """T6: however many read them, they are measured once a second."""
    now, measured = 0.0, []
    node: Any = SimpleNamespace(measure=lambda: measured.append(now))
    app = FastAPI()
    app.include_router(metrics_router({"numbers": node}, lambda: now))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        for now in (5.0, 5.0, 5.9, 6.0, 6.5, 7.1):  # noqa: B007 # the clock of the router
            assert (await client.get("/metrics")).is_success
    assert measured == [5.0, 6.0, 7.1]


async def test_metrics_have_a_port_of_their_own(databases: Any, tmp_path: Path) -> None:
    """T6: there alone, and nothing else there."""
    urls = {"licensing": databases.create(prepare_licensing), "numbers": databases.create(prepare_numbers)}
    settings = Settings(
        home=tmp_path,
        licensing_database_url=SecretStr(urls["licensing"]),
        numbers_database_url=SecretStr(urls["numbers"]),
        http_port=0,
        metrics_port=0,
    )
    async with Application(settings) as deployment, httpx.AsyncClient() as client:
        assert deployment.metrics_address is not None
        figures = await client.get(f"{deployment.metrics_address}/metrics")
        assert "trunkline_http_requests_total" in figures.text
        assert (await client.get(f"{deployment.metrics_address}/livez")).status_code == 404
        assert (await client.get(f"{deployment.metrics_address}/numbers")).status_code == 404
        assert (await client.get(f"{deployment.address}/metrics")).status_code == 404
        assert (await client.get(f"{deployment.address}/livez")).is_success
        with pytest.raises(NotConfigured, match="TRUNKLINE_METRICS_PORT"):
            deployment._listen(int(deployment.metrics_address.rpartition(":")[2]), "TRUNKLINE_METRICS_PORT")
    for url in urls.values():
        databases.drop(url)
