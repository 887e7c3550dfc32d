"""Where the story plays: both services in this process, in a fresh home that is removed at the end."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trunkline.application import Application
from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.terminal.options import SERVICES
from trunkline.logs import logging_to
from trunkline.roles import Role
from trunkline.security.tokens import Tokens
from trunkline.settings import Settings

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """A running sandbox: where it answers, and its settings."""

    url: str
    settings: Settings

    def operator(self) -> ApiClient:
        """Speak with it as an administrator of the platform, who may operate too."""
        return self._as("platform-admin", "administrator", "operate")

    def billing(self) -> ApiClient:
        """Speak with it as the billing system."""
        return self._as("machine", "billing", "billing:write")

    def _as(self, role: Role, subject: str, scope: str) -> ApiClient:
        token = Tokens.of(self.settings).issue(role, subject=subject, scopes=[scope])
        return ApiClient(dict.fromkeys(SERVICES, self.url), token)


@contextmanager
def place() -> Iterator[Place]:
    """Bring both services up on a free port, with a database, a mailbox and a test clock of their own.

    Yields:
        Where they are; afterwards nothing is left of them.

    Raises:
        EmbeddedPostgresError, OSError: they cannot be brought up here.
    """
    with tempfile.TemporaryDirectory(prefix="trunkline-demo-") as folder:
        home = Path(folder)
        # Made without looking at the environment: the story is the same wherever it is told.
        settings = Settings.model_construct(home=home, http_port=0, sandbox=True)
        with (home / "log").open("w", encoding="utf-8", buffering=1) as stream, logging_to(stream):
            running = _Running(settings)
            try:
                yield Place(running.start(), settings)
            finally:
                running.stop()


class _Running:
    """The services in a thread with an event loop of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address: Future[str] = Future()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="services")

    def start(self) -> str:
        """Bring them up; their address."""
        self._thread.start()
        return self._address.result(_START_SECONDS)

    def stop(self) -> None:
        """Let them finish what is in hand, and remove their data."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    async def _run(self) -> None:
        deployment = Application(self._settings)
        try:
            async with deployment:
                self._address.set_result(deployment.address)
                await asyncio.to_thread(self._stopping.wait)
        except BaseException as error:
            if self._address.done():
                raise
            self._address.set_exception(error)
        finally:
            if deployment.embedded is not None:
                await asyncio.to_thread(deployment.embedded.discard)
