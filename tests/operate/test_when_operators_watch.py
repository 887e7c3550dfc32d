"""What operators watch: metrics that move with the work, traces only where an endpoint is set (O7)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.http.world import prepare_licensing, prepare_numbers

_PROGRAM = """
import asyncio, sys
from pathlib import Path
import httpx
from trunkline.application import Application
from trunkline.settings import load_settings
from trunkline.security.tokens import Tokens

async def main():
    async with Application(load_settings()) as deployment:
        token = Tokens.of(deployment.settings).issue("platform-admin", subject="test", scopes=())
        bearer = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=deployment.address, headers=bearer) as client:
            answer = await client.post("/licensing/partners", json={
                "partner_id": "7d1c9f6e-4a2b-4c3d-8e5f-0a1b2c3d4e5f", "name": "P",
                "owner_email": "o@p.example", "support_email": "s@p.example", "domains": []},
                headers={"Idempotency-Key": "k"})
            assert answer.status_code < 300, answer.text
            for line in sys.argv[1:]:
                while line not in (await client.get("/metrics")).text.splitlines():
                    await asyncio.sleep(0.05)

asyncio.run(asyncio.wait_for(main(), 60))
"""


class Collector(BaseHTTPRequestHandler):
    """Takes what an OTLP exporter posts."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        """Keep one request."""
        self.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector's address, and what it has got."""
    got: list[tuple[str, bytes]] = []
    handler = type("Kept", (Collector,), {"got": got})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


@pytest.fixture
def place(tmp_path: Path, new_database: Callable[..., str]) -> dict[str, str]:
    """The settings of both services: a home of their own, and fresh databases."""
    return {
        "TRUNKLINE_HOME": str(tmp_path / "home"),
        "TRUNKLINE_LICENSING_DATABASE_URL": new_database(prepare_licensing),
        "TRUNKLINE_NUMBERS_DATABASE_URL": new_database(prepare_numbers),
        "TRUNKLINE_HTTP_PORT": "0",
    }


def see(*metrics: str, **settings: str) -> None:
    """Run both services in a process of their own until each of these lines is among their metrics."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRUNKLINE_")} | settings
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *metrics],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_then_metrics_count_what_was_heard_and_said(place: dict[str, str]) -> None:
    """Licensing said one event, numbers heard it; positions are shown for whoever watches the lag (O7)."""
    see(
        'trunkline_messages_heard_total{outcome="understood",service="numbers"} 1.0',
        'trunkline_events_published_total{service="licensing"} 1.0',
        'trunkline_relay_position{service="licensing"} 1.0',
        'trunkline_log_end{service="numbers"} 1.0',
        'trunkline_views_position{service="numbers"} 1.0',
        **place,
    )


def test_then_traces_reach_the_collector_that_is_named(
    place: dict[str, str], collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    """TRUNKLINE_OTLP_ENDPOINT: spans of the intake are there once the process has ended."""
    address, got = collector
    heard = 'trunkline_messages_heard_total{outcome="understood",service="numbers"} 1.0'
    see(heard, **place, TRUNKLINE_OTLP_ENDPOINT=address)
    assert {path for path, _ in got} == {"/v1/traces"}
    spans = b"".join(body for _, body in got)
    assert b"trunkline-licensing-numbers" in spans
    assert b"hear" in spans
