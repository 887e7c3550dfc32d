"""When one principal, or one slow peer, wants more than its share: the others do not notice (T6)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from tests.http.world import World, created, problem
from trunkline import http, pieces
from trunkline.parties import Principal
from trunkline.pieces import Pieces, StreamedFile
from trunkline.usage_limits import Limits, Rates, Shares, TooManyRequests, TooManyStreams
from trunkline_numbers.api.search import MOST_EXPORTS_OF_PARTY

EAST, WEST = Principal("e", "partner-admin", "east"), Principal("w", "partner-admin", "west")


def test_a_principal_sends_so_many_requests_a_second() -> None:
    """T6: twice as many at once after a pause; another principal has its own."""
    now = 0.0
    rates = Rates(5, lambda: now)
    for _ in range(10):
        rates.take("east")
    with pytest.raises(TooManyRequests, match="5 requests a second"):
        rates.take("east")
    rates.take("west")
    now = 1.0
    for _ in range(5):
        rates.take("east")
    with pytest.raises(TooManyRequests):
        rates.take("east")


def test_a_principal_has_so_many_streams_open() -> None:
    """T6: an ended one makes room, however it ended; what is no stream is not counted."""
    limits = Limits(1_000, 2)
    with limits.held(EAST, "/a/watch"):
        with pytest.raises(ValueError, match="ended"), limits.held(EAST, "/numbers/export"):
            raise ValueError("ended")
        with limits.held(EAST, "/numbers/export"):
            with pytest.raises(TooManyStreams), limits.held(EAST, "/a/watch"):
                pass
            with limits.held(WEST, "/a/watch"), limits.held(EAST, "/numbers"):
                pass
    with limits.held(EAST, "/a/watch"), limits.held(EAST, "/a/watch"):
        pass


async def test_over_http_it_is_429_and_says_when_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: a problem with `Retry-After`."""
    by = world.caller("platform-admin")
    created(await by.get("/numbers"))

    def no_more(*_: Any) -> None:
        raise TooManyRequests(most=1)

    monkeypatch.setattr(Rates, "take", no_more)
    answer = await by.get("/numbers")
    problem(answer, 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "1"


async def test_one_party_does_not_take_all_exports(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: beyond its share it is 429, while another party exports; what is given back is there again."""
    east, west = (world.caller("partner-admin", partner) for partner in (world.east, world.west))
    taken: list[Any] = []
    take = Shares.take

    def noted(self: Shares, who: Any, *more: Any) -> None:
        take(self, who, *more)
        if self.most == MOST_EXPORTS_OF_PARTY:
            taken.append((self, who))

    monkeypatch.setattr(Shares, "take", noted)
    assert (await east.get("/numbers/export")).is_success
    shares = taken[0][0]
    with shares.held(world.east, RuntimeError(), MOST_EXPORTS_OF_PARTY):  # type: ignore[arg-type]
        problem(await east.get("/numbers/export"), 429, "party-exports-busy")
        assert (await west.get("/numbers/export")).is_success
    assert (await east.get("/numbers/export")).is_success


async def test_a_reader_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: what the making of its file holds is given back."""
    monkeypatch.setattr(pieces, "SEND_SECONDS", 0.01)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def made() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            loop.call_soon_threadsafe(closed.set)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(_message: Any) -> None:
        await asyncio.Event().wait()

    answer = StreamedFile(Pieces(made()), "text/csv")  # type: ignore[arg-type]
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/"}
    with pytest.raises(ClientDisconnect):
        await answer(scope, receive, send)
    await asyncio.wait_for(closed.wait(), 30)


async def test_a_body_that_does_not_come_ends_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: 408, and nothing waits for it."""
    monkeypatch.setattr(http, "BODY_SECONDS", 0.01)

    receive = http._bounded(_stuck, 10)
    with pytest.raises(http.HTTPException) as told:
        await receive()
    assert told.value.status_code == 408


async def _stuck() -> Any:
    await asyncio.Event().wait()


async def test_a_large_body_is_not_read_of_whom_it_would_be_refused(world: World) -> None:
    """T6, P1: the role is looked at first, and so are the bytes that are on their way already."""
    read = 0

    async def body() -> Any:
        nonlocal read
        for _ in range(3):
            read += 1
            yield b" " * 1_048_576

    length = {"Content-Length": str(3 * 1_048_576), "Content-Type": "text/csv"}
    support = world.caller("platform-support")
    answer = await support("POST", "/numbers/uploads", content=body(), headers=length)
    problem(answer, 403, "not-allowed")
    batch = length | {"Content-Type": "application/cloudevents-batch+json"}
    member = world.caller("member", world.east_org)
    problem(await member("POST", "/licensing/billing-events", content=body(), headers=batch), 403, "not-allowed")
    assert read == 0
