"""Starts and stops Kafka clients so that no connection stays open, whatever ends the caller.

aiokafka (0.14) leaves its first connection open where its start is cancelled in between, and raises whatever its tasks
raise when it is stopped in the middle of an outage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

CLOSE_SECONDS: Final = 1.0
"""How long a caller waits for a client to close; after it the closing goes on by itself."""

_CONNECT_SECONDS: Final = 0.5
_REST_SECONDS: Final = 0.15  # longer than a client rests after a fetch that failed
_closing: Final[set[asyncio.Task[Any]]] = set()


class Startable(Protocol):
    """A client that connects when it is started."""

    def start(self) -> Coroutine[Any, Any, None]:
        """Connect; raises one of `kafka.AWAY` when no broker answers."""


Client = TypeVar("Client", bound=Startable)


@asynccontextmanager
async def started(
    client: Client, close: Callable[[], Awaitable[object]], seconds: float | None = CLOSE_SECONDS
) -> AsyncIterator[Client]:
    """A client that is started, for the time of the block.

    Where the caller is cancelled, the client is closed once its start has ended (see `start_ended`).

    Args:
        client: not started yet.
        close: closes it, started or not.
        seconds: how long to wait for that, None until it has ended; a caller that is cancelled waits CLOSE_SECONDS.

    Raises:
        KafkaError, OSError, TimeoutError: no broker answers.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
        yield client
    except asyncio.CancelledError:
        seconds = CLOSE_SECONDS
        raise
    finally:
        await stopped(_close_after(starting, close), seconds)


@asynccontextmanager
async def started_consumer(client: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    """The same for a consumer without a group."""
    async with started(client, lambda: _rest_and_stop(client)):
        yield client


async def stopped(closing: Coroutine[Any, Any, object], seconds: float | None) -> None:
    """Close a client; after `seconds`, or when the caller is cancelled, its closing goes on by itself.

    So a broker that hangs delays nobody. aiokafka's clients raise whatever their tasks raise when they are closed in
    the middle of an outage, cancellation too. Nothing of it is of use, so nothing is raised.

    Args:
        closing: the client's `stop()`.
        seconds: how long to wait; None waits until it has ended.
    """
    task = asyncio.create_task(closing)
    _closing.add(task)
    task.add_done_callback(_closed)
    await asyncio.wait({task}, timeout=seconds)


async def closings_ended(seconds: float) -> None:
    """Wait for what closes by itself in this event loop, at most `seconds`: before the loop ends."""
    loop = asyncio.get_running_loop()
    if left := {task for task in tuple(_closing) if task.get_loop() is loop}:
        await asyncio.wait(left, timeout=seconds)


async def rest(client: AIOKafkaConsumer) -> None:
    """Let a client start no more fetches, and let one that has failed end, before the client is stopped.

    aiokafka cancels what is left of its fetches when it stops. One that rests after a failure raises, and then the
    connections stay open.
    """
    with suppress(KafkaError):  # a rebalance has begun
        client.pause(*client.assignment())
    await asyncio.sleep(_REST_SECONDS)


async def start_ended(starting: asyncio.Future[None]) -> None:
    """Wait until a start has connected or failed, and cancel one that waits for more: for a topic, or for its group.

    Nothing of it is of use any more, so nothing is raised.
    """
    _, waiting = await asyncio.wait({starting}, timeout=_CONNECT_SECONDS)
    if waiting:
        starting.cancel()
        await asyncio.wait(waiting)
    if not starting.cancelled():
        starting.exception()  # retrieved, so that asyncio does not report it


async def _close_after(starting: asyncio.Future[None], close: Callable[[], Awaitable[object]]) -> None:
    await start_ended(starting)
    await close()


async def _rest_and_stop(client: AIOKafkaConsumer) -> None:
    await rest(client)
    await client.stop()


def _closed(task: asyncio.Task[Any]) -> None:
    _closing.discard(task)
    if not task.cancelled():
        task.exception()  # retrieved, so that asyncio does not report it
