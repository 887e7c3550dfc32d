"""When a request is wrong, or something here is: problem details, whatever happens (DOMAIN §9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pydantic
import pytest
from structlog.testing import capture_logs

from tests.http.world import Caller, InProcess, World, problem
from trunkline.http.app import create_app
from trunkline.operations.routes import operate_router

JSON = {"Content-Type": "application/json"}


async def test_nobody_gets_in_without_a_good_token(world: World) -> None:
    """P1: 401 with the reason and the scheme; also where there is nothing behind the door."""
    for path in ("/numbers/6531580001", "/nothing", "/licensing/operate/clock"):
        answer = await world.nobody().get(path)
        problem(answer, 401, "token-missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    problem(await Caller(world.app, "not.a.token").get("/nothing"), 401, "token-refused")
    basic = await world.nobody().get("/nothing", headers={"Authorization": "Basic YTpi"})
    problem(basic, 401, "token-missing")


async def test_what_is_not_there_is_told(world: World) -> None:
    """404 and 405, with what the path takes."""
    problem(await world.admin.get("/nothing"), 404, "path-unknown")
    answer = await world.admin("DELETE", "/licensing/partners")
    problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["Allow"]


async def test_each_wrong_place_in_a_body_is_pointed_at(world: World) -> None:
    """`errors[]` with pointer and value."""
    told = problem(await world.admin.post("/numbers", {"numbers": 7, "vendor": "", "colour": "red"}), 422)
    assert told["code"] == "request-invalid"
    places = {e["pointer"]: e["value"] for e in told["errors"]}
    assert places["#/vendor"] == ""
    assert places["#/colour"] == "red"
    assert "#/country" in places
    huge = problem(await world.admin.post("/licensing/partners", {"name": "x" * 5000}), 422)
    assert len(str(huge["errors"])) < 3000


async def test_a_body_that_is_no_json_is_told(world: World) -> None:
    """Not JSON, not UTF-8, too deep, empty."""
    for body, status in ((b"{", 422), (b"\xff", 400), (b"[" * 100_000, 400), (b"", 422), (b"null", 422)):
        problem(await world.admin("POST", "/numbers", content=body, headers=JSON), status)


async def test_another_content_type_is_told(world: World) -> None:
    """415."""
    for kind in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}, {}):
        problem(await world.admin("POST", "/numbers", content=b"<a/>", headers=kind), 415, "content-type-unsupported")


async def test_no_more_is_read_than_is_taken(world: World) -> None:
    """413, announced or not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    announced = await world.admin("POST", "/numbers", content=b"x" * 1_048_577, headers=JSON)
    problem(announced, 413, "body-too-large")
    problem(await world.admin("POST", "/numbers", content=chunks(), headers=JSON), 413, "body-too-large")


async def test_a_position_that_cannot_be_waited_for_is_told(world: World) -> None:
    """Read your own writes: another service's position, one to come, and none at all."""
    for value in ("licensing/1", "numbers/999999999", "numbers/", "1", "numbers/-1", "numbers/²"):
        answer = await world.admin.get("/numbers/refused", headers={"Trunkline-Wait-For": value.encode()})
        problem(answer, 422, "position-unknown")


async def test_the_first_request_waits_for_nothing_that_could_be_done_before(
    services: InProcess, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operations are worked out before anybody is served: that hushes warnings, and so is for one thread alone."""
    token = world.caller("platform-admin").client.headers["Authorization"].removeprefix("Bearer ")
    caller = Caller(create_app(services.runtimes, operate_router), token)
    made: list[object] = []
    make = pydantic.TypeAdapter.__init__

    def counted(self: Any, *given: Any, **named: Any) -> None:
        made.append(given)
        make(self, *given, **named)

    monkeypatch.setattr(pydantic.TypeAdapter, "__init__", counted)
    assert (await caller.get("/numbers")).status_code == 200
    assert not made


async def test_a_failure_here_tells_nothing_but_where_the_log_has_it(services: InProcess, world: World) -> None:
    """500: no traceback, no value, no token in the log; a database that is away is 503."""
    app = create_app(services.runtimes, operate_router)

    @app.get("/boom")
    def boom() -> None:
        raise ValueError("hunter2")

    @app.get("/away")
    def away() -> None:
        raise psycopg.OperationalError("connection to hunter2 refused")

    @app.get("/full")
    def full() -> None:
        raise psycopg.errors.DiskFull("could not extend file hunter2")

    caller = world.caller("platform-admin")
    caller = Caller(app, caller.client.headers["Authorization"].removeprefix("Bearer "))
    with capture_logs() as logged:
        told = problem(await caller.get("/boom"), 500, "internal-error")
    assert "hunter2" not in str(told)
    (entry,) = [e for e in logged if e["event"] == "request failed"]
    assert entry["request_id"] == told["request_id"]
    assert caller.client.headers["Authorization"].split()[1] not in str(entry)
    answer = await caller.get("/away")
    assert "hunter2" not in str(problem(answer, 503, "database-unavailable"))
    assert "disk is full" in problem(await caller.get("/full"), 503, "disk-full")["detail"]
    assert answer.headers["Retry-After"]


async def test_health_and_documentation_are_open_and_need_no_network(world: World) -> None:
    """`/livez`, `/readyz`, `/metrics`, `/openapi.json`, `/docs`."""
    nobody = world.nobody()
    assert (await nobody.get("/livez")).json() == {"live": True}
    ready = await nobody.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True), ready.text
    assert "trunkline_http_requests_total" in (await nobody.get("/metrics")).text
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    page = (await nobody.get("/docs")).text
    for path in paths:
        assert path in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


async def test_readiness_says_what_is_wrong(services: InProcess, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the sentences, and never a secret."""

    def fail(*_: Any) -> None:
        raise psycopg.OperationalError("hunter2")

    monkeypatch.setattr(services.runtimes["numbers"], "troubles", lambda: ["the loop 'relay' has ended"])
    monkeypatch.setattr(services.runtimes["licensing"].store, "fetch", fail)
    answer = await world.nobody().get("/readyz")
    monkeypatch.undo()
    assert answer.status_code == 503
    assert answer.json()["troubles"]["numbers"] == ["the loop 'relay' has ended"]
    assert "database" in answer.json()["troubles"]["licensing"][0]
    assert "hunter2" not in answer.text


async def test_a_version_that_is_not_the_one_at_hand_guards_the_change(world: World) -> None:
    """ETag and If-Match."""
    path = f"/licensing/organizations/{world.east_org}"
    tag = (await world.admin.get(path)).headers["ETag"]
    wrong = await world.admin("PATCH", path, json={"name": "new"}, headers={"If-Match": '"99"'})
    problem(wrong, 412, "version-mismatch")
    done = await world.admin("PATCH", path, json={"name": "new"}, headers={"If-Match": tag})
    assert done.headers["ETag"] == '"2"'
    problem(await world.admin("PATCH", path, json={"name": "newer"}, headers={"If-Match": tag}), 412)
    problem(await world.admin("PATCH", f"/licensing/organizations/{uuid4()}", json={"name": "x"}), 404)
