"""How long to wait before the next try, and whether what one client talks to answers."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from itertools import count
from typing import Final

from trunkline.availability import Availability

FIRST: Final = 0.05
MOST: Final = 5.0
_draw: Final = random.SystemRandom().uniform
_clients: Final = count(1)


class Backoff:
    """Pauses in seconds: each about twice the one before it, up to a limit, and never the same for two copies."""

    def __init__(self, first: float = FIRST, most: float = MOST) -> None:
        """Begin with about `first` seconds and stay below `most`."""
        self._first = first
        self._most = most
        self._next = first

    def pause(self) -> float:
        """The next pause, between half of its size and all of it, so that many copies do not come in step."""
        size, self._next = self._next, min(self._next * 2, self._most)
        return _draw(size / 2, size)

    def reset(self) -> None:
        """Begin anew: a try has succeeded."""
        self._next = self._first


class Reach:
    """Whether one client reaches its server; the process logs the server's absence once, whoever noticed it first."""

    def __init__(self, server: Availability, client: str) -> None:
        """Take the availability that all clients of the server share, and a name for this one."""
        self._server = server
        self._client = f"{client} {next(_clients)}"
        self.is_available = True
        """Whether the server answered this client last."""

    def lost(self, why: object) -> None:
        """It does not answer; `why` is logged the first time in the process."""
        self.is_available = False
        self._server.mark_lost(why, self._client)

    def back(self) -> None:
        """It answers."""
        self.is_available = True
        self._server.mark_restored(self._client)

    def end(self) -> None:
        """The client has ended: it keeps the server from counting as back no longer."""
        self._server.forget(self._client)


async def pause(ends_it: asyncio.Event, seconds: float) -> None:
    """Wait for some seconds, or until an event is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(ends_it.wait(), seconds)
