"""When a token issuer takes the connection and never answers: nobody else is slower for it (P1, T6)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import SecretStr

from tests.http.world import Caller, InProcess, World, prepare_licensing, prepare_numbers
from trunkline.settings import Settings

ISSUER = "https://issuer.example"
PATIENCE = 60.0


class Hanging:
    """Publishes no keys until it is let go."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        hanging = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hanging.asked.set()
                hanging.released.wait(PATIENCE)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture
def issuer() -> Iterator[Hanging]:
    found = Hanging()
    thread = threading.Thread(target=lambda: found.server.serve_forever(0.01))
    thread.start()
    yield found
    found.released.set()
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
async def deployment(new_database: Callable[..., str], tmp_path: Path, issuer: Hanging) -> AsyncIterator[InProcess]:
    """Both services, which believe the issuer."""
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "licensing_database_url": SecretStr(new_database(prepare_licensing)),
            "numbers_database_url": SecretStr(new_database(prepare_numbers)),
            "token_issuers": f"{ISSUER}={issuer.url}",
        }
    )
    async with InProcess(settings) as found:
        yield found


async def test_everybody_else_is_served_meanwhile(deployment: InProcess, issuer: Hanging) -> None:
    """T6: `/livez`, `/readyz`, tokens of the own key; a token of the issuer is refused at once."""
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER, "aud": "trunkline", "sub": "ada", "role": "platform-admin", "jti": "j",
        "iat": int(now.timestamp()), "exp": int((now + timedelta(hours=1)).timestamp()),
    }  # fmt: skip
    key = ECKey.generate_key("P-256", {"kid": "k"})
    foreign = Caller(deployment.app, jwt.encode({"alg": "ES256", "kid": "k"}, claims, key))
    own = World(deployment).admin
    async with asyncio.timeout(PATIENCE):
        first = asyncio.create_task(foreign.get("/numbers?limit=1"))
        assert await asyncio.to_thread(issuer.asked.wait, PATIENCE)
        for _ in range(3):
            assert (await own.get("/livez")).status_code == 200
            assert (await own.get("/readyz")).status_code == 200
            assert (await own.get("/numbers?limit=1")).status_code == 200
            assert (await foreign.get("/numbers?limit=1")).status_code in (401, 503)
        assert not issuer.released.is_set()
        issuer.released.set()
        assert (await first).status_code in (401, 503)
