"""When one principal, or one slow peer, wants more than its share: the others do not notice (T6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.http.bulk import Office
from tests.http.test_when_numbers_are_uploaded import file_of, lines, send
from tests.http.world import World, created, problem
from trunkline.files.export_slots import MOST_EXPORTS, MOST_EXPORTS_OF_PARTY
from trunkline.http import app as http
from trunkline.http.usage_limits import Limits, Rates, TooManyRequests, TooManyStreams
from trunkline.security.principal import Principal
from trunkline.shares import Shares

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


async def test_bodies_in_flight_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: a large body beyond the bound is 429, and nothing of it is read; what has ended makes room."""
    monkeypatch.setattr(http, "MOST_BYTES_IN_FLIGHT", 5 * 1_048_576)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_scope: Any, receive: Any, _send: Any) -> None:
        begun.set()
        await go_on.wait()
        await receive()

    bodies = http._BodyLimit(answer, world.app)
    first = asyncio.create_task(_post(bodies, 3))
    await begun.wait()
    status, headers, read = await _post(bodies, 3)
    assert (status, headers[b"retry-after"], read) == (429, b"1", 0)
    go_on.set()
    assert (await first)[2] == 1
    assert (await _post(bodies, 3))[2] == 1


async def _post(app: Any, mebibytes: int) -> tuple[int, dict[bytes, bytes], int]:
    """An upload, asked by the platform: the status, the headers, and how often its body was read."""
    told: dict[str, Any] = {"status": 0, "headers": []}
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.update(message)

    state = {"principal": Principal("a", "platform-admin", None), "request_id": "r"}
    headers = [(b"content-length", str(mebibytes * 1_048_576).encode()), (b"content-type", b"text/csv")]
    scope = {"type": "http", "method": "POST", "path": "/numbers/uploads", "headers": headers, "state": state}
    await app(scope, receive, send)
    return told["status"], dict(told["headers"]), read


async def test_every_file_takes_a_slot(world: World) -> None:
    """T6: licensing's reports and those of uploads too; each service has slots of its own."""
    office = Office(world)
    await office.hire("Ada")
    one = await office.draft("101,Ada,,")
    await office.assign(one)
    east = world.caller("partner-admin", world.east)
    upload = created(await send(east, file_of(*lines(*world.numbers(1))), holder_id=world.east_org))
    licensing = f"/licensing/organizations/{world.east_org}"
    files = {
        f"{licensing}/extensions/export": "licensing",
        f"{licensing}/licenses/available-numbers/export": "licensing",
        f"{one}/report?format=csv": "licensing",
        "/numbers/export": "numbers",
        f"/numbers/uploads/{upload['upload_id']}/report": "numbers",
        f"/numbers/uploads/{upload['upload_id']}/report?format=json": "numbers",
    }
    for path, service in files.items():
        slots = world.deployment.runtimes[service].exports
        taken = [slots.pieces(world.east, iter([b"x"])) for _ in range(MOST_EXPORTS_OF_PARTY)]
        problem(await east.get(path), 429, "party-exports-busy")
        assert (await world.admin.get(path)).is_success, path
        for file in taken:
            file.close()
        assert (await east.get(path)).is_success, path
        taken = [slots.pieces(None, iter([b"x"])) for _ in range(MOST_EXPORTS)]
        problem(await east.get(path), 503, "exports-busy")
        for file in taken:
            file.close()
        assert (await east.get(path)).is_success, path
