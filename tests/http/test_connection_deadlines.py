"""A peer that sends the head of its request slowly, or does not take its answer, loses its connection (T6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvloop
from fastapi import FastAPI
from uvicorn import Config
from uvicorn.server import ServerState

from trunkline.files.pieces import PrefetchedStream
from trunkline.http import connection_deadlines
from trunkline.http.app import server
from trunkline.http.connection_deadlines import LEAST_BYTES, DeadlineProtocol
from trunkline.http.streaming import StreamedFile

SHORT, LATER = 0.05, 2.0
HEAD = b"GET /soon HTTP/1.1\r\nHost: trunkline\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a story in an event loop of either kind."""

    def runs(story: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(story)

    return runs


class Site:
    """An application that is served on a socket."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.closed = asyncio.Event()
        self.app.get("/soon")(self.soon)
        self.app.get("/later")(self.later)
        self.app.get("/endless")(self.endless)

    async def soon(self) -> str:
        return "soon"

    async def later(self) -> str:
        await asyncio.sleep(LATER)
        return "later"

    async def endless(self) -> StreamedFile:
        return StreamedFile(PrefetchedStream(self._pieces()), "text/csv")

    def _pieces(self) -> Any:
        loop = asyncio.get_running_loop()

        def made() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x" * 65_536
            finally:
                loop.call_soon_threadsafe(self.closed.set)

        return made()


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[int]:
    web = server(site.app, "127.0.0.1", 0)
    serving = asyncio.get_running_loop().create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 # it has no event for that
        await asyncio.sleep(0.01)
    try:
        yield web.servers[0].sockets[0].getsockname()[1]
    finally:
        web.should_exit = True
        await serving


async def until_ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the connection ended."""
    came = b""
    with suppress(ConnectionResetError):
        while piece := await reader.read(65_536):
            came += piece
    return came


@pytest.mark.parametrize("sent", [b"", b"G", HEAD], ids=["nothing", "a byte", "half"])
def test_a_head_that_does_not_come_ends_the_connection(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """T6: from the connection on."""
    monkeypatch.setattr(connection_deadlines, "HEAD_SECONDS", SHORT)

    async def story() -> None:
        async with served(Site()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await until_ended(reader) == b""
            writer.close()

    run(story())


@pytest.mark.parametrize("first", ["GET", "POST"])
def test_neither_does_a_second_one(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """T6: from the first byte after an answer, be it a head or the rest of a body that nobody reads."""

    async def story() -> None:
        async with served(Site()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = b"Content-Length: 1000000\r\n" if first == "POST" else b""
            writer.write(HEAD.replace(b"GET", first.encode()) + body + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            monkeypatch.setattr(connection_deadlines, "HEAD_SECONDS", SHORT)
            writer.write(HEAD)
            assert b"HTTP/1.1" not in await until_ended(reader)
            writer.close()

    run(story())


def test_single_bytes_do_not_prolong_the_deadline(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: a peer that drips its head is ended too."""
    monkeypatch.setattr(connection_deadlines, "HEAD_SECONDS", SHORT)

    async def story() -> None:
        async with served(Site()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"X-Long: ")
            ended = asyncio.create_task(until_ended(reader))
            while not ended.done():
                writer.write(b"x")
                await asyncio.sleep(SHORT / 10)
            assert await ended == b""
            writer.close()

    run(story())


def test_an_answer_takes_as_long_as_it_takes(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: the deadline is the head's, not the answer's."""
    monkeypatch.setattr(connection_deadlines, "HEAD_SECONDS", LATER / 2)

    async def story() -> None:
        async with served(Site()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD.replace(b"soon", b"later") + b"Connection: close\r\n\r\n")
            assert b'"later"' in await until_ended(reader)
            writer.close()

    run(story())


def test_a_reader_that_takes_nothing_is_cut_off(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: what the making of its file holds is given back."""
    monkeypatch.setattr(connection_deadlines, "SEND_SECONDS", SHORT)

    async def story() -> None:
        site = Site()
        async with served(site) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD.replace(b"soon", b"endless") + b"\r\n")
            await site.closed.wait()
            writer.close()

    run(story())


class Wire(asyncio.Transport):
    """A connection whose peer takes what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.aborted = 0, False

    def get_write_buffer_size(self) -> int:
        return self.left

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def abort(self) -> None:
        self.aborted = True


async def test_a_reader_that_takes_enough_goes_on() -> None:
    """T6: 64 KiB in each period, or all there is."""
    config = Config(FastAPI(), log_config=None, lifespan="off")
    wire = Wire()
    protocol = DeadlineProtocol(config, ServerState(), {})
    protocol.connection_made(wire)
    wire.left = 3 * LEAST_BYTES
    protocol.pause_writing()
    wire.left = 2 * LEAST_BYTES
    protocol._end_or_go_on(3 * LEAST_BYTES)
    assert not wire.aborted
    protocol.resume_writing()
    assert protocol._send_timer is None
    wire.left = 2 * LEAST_BYTES
    protocol.pause_writing()
    wire.left = LEAST_BYTES + 1
    protocol._end_or_go_on(2 * LEAST_BYTES)
    assert wire.aborted
    protocol.connection_lost(ConnectionResetError())
    assert protocol._send_timer is None
    assert protocol._head_timer is None
