"""Looking after the embedded PostgreSQL: one that has died is started again, or the process ends.

Nobody else would start it: whoever looks after this process sees only this process.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from trunkline.embedded_postgres.data_directory import EmbeddedPostgresError
from trunkline.messaging.retry import Backoff, pause

log = structlog.get_logger(__name__)

EMBEDDED: Final = "embedded PostgreSQL"
LOOK_SECONDS: Final = 1.0
TRIES: Final = 10
"""Starts in a row that may fail, over about two minutes, before the process ends."""
_LONGEST_SECONDS: Final = 20.0


class Server(Protocol):
    """The part of `EmbeddedPostgres` that is looked after."""

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        ...

    def start_again(self) -> None:
        """Start it. Raises EmbeddedPostgresError."""
        ...


async def keep_running(server: Server, stopping: asyncio.Event, every: float = LOOK_SECONDS) -> None:
    """Start a server again whenever it has died, until the service stops.

    Args:
        server: started by this process, or found running.
        stopping: ends it.
        every: seconds between two looks.

    Raises:
        EmbeddedPostgresError: it did not start `TRIES` times in a row: the disk is full, say.
    """
    while not stopping.is_set():
        if not await asyncio.to_thread(lambda: server.running) and not stopping.is_set():
            await _start_again(server, stopping, every)
        await pause(stopping, every)


async def _start_again(server: Server, stopping: asyncio.Event, every: float) -> None:
    log.error("the embedded PostgreSQL has died and is started again")
    backoff = Backoff(every, max(every, _LONGEST_SECONDS))
    for left in reversed(range(TRIES)):
        try:
            await asyncio.to_thread(server.start_again)
        except EmbeddedPostgresError as error:
            if left == 0:
                raise
            log.warning("the embedded PostgreSQL does not start", why=str(error).splitlines()[-1], tries_left=left)
            await pause(stopping, backoff.pause())
            if stopping.is_set():
                return
        else:
            log.info("the embedded PostgreSQL runs again")
            return
