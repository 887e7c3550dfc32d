"""A Kafka client is started and closed in order, whatever ends its caller, and leaves no connection open."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer

from trunkline.messaging.kafka.client import KafkaSettings, admin
from trunkline.messaging.kafka.client_lifetime import closings_ended, started, started_consumer
from trunkline.messaging.kafka.producer import Producer

PATIENCE = 20.0
TURNS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55]


class Client:
    """Starts when it may; on record is what happened to it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_start, self.calls, self._error = asyncio.Event(), list[str](), error

    async def start(self) -> None:
        self.calls.append("start")
        await self.may_start.wait()
        self.calls.append("started")
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.calls.append("close")


async def test_a_start_outlives_the_caller_and_is_then_closed() -> None:
    client = Client()

    async def use() -> None:
        async with started(client, client.close, 0.0):
            raise AssertionError

    using = asyncio.create_task(use())
    while not client.calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    using.cancel()
    client.may_start.set()
    with pytest.raises(asyncio.CancelledError):
        await using
    await closings_ended(PATIENCE)
    assert client.calls == ["start", "started", "close"]


async def test_a_start_that_waits_for_more_is_cancelled_and_closed() -> None:
    """A topic that does not exist is waited for as long as a request may take."""
    client = Client()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), started(client, client.close, None):
            raise AssertionError
    await closings_ended(PATIENCE)
    assert client.calls == ["start", "close"]


async def test_a_start_that_fails_is_raised_and_closed() -> None:
    client = Client(ConnectionError("refused"))
    client.may_start.set()
    with pytest.raises(ConnectionError, match="refused"):
        async with started(client, client.close):
            raise AssertionError
    assert client.calls == ["start", "started", "close"]


async def test_an_error_of_the_block_is_raised_after_the_client_is_closed() -> None:
    client = Client()
    client.may_start.set()
    with pytest.raises(ZeroDivisionError):
        async with started(client, client.close, None):
            raise ZeroDivisionError
    assert client.calls[-1] == "close"


async def _use_admin(settings: KafkaSettings) -> None:
    async with admin(settings) as client:
        await client.list_topics()


async def _use_consumer(settings: KafkaSettings) -> None:
    async with started_consumer(AIOKafkaConsumer(**settings.options())) as client:
        await client.topics()


async def _use_producer(settings: KafkaSettings) -> None:
    async with Producer(settings):
        await asyncio.Event().wait()


@pytest.mark.parametrize("use", [_use_admin, _use_consumer, _use_producer])
@pytest.mark.parametrize("turns", TURNS)
async def test_then_a_caller_that_is_cancelled_leaves_nothing_open(
    settings: KafkaSettings, use: Callable[[KafkaSettings], object], turns: int
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        using = asyncio.ensure_future(use(settings))  # type: ignore[arg-type]
        for _ in range(turns):
            await asyncio.sleep(0)
        using.cancel()
        with suppress(asyncio.CancelledError):
            await using
        await closings_ended(PATIENCE)
        del using
        gc.collect()
    assert [str(w.message) for w in seen if issubclass(w.category, ResourceWarning)] == []
