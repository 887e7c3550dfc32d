"""`Trunkline-Wait-For` waits for whoever has been let through, and for nobody else, at every operation (T6, O4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.asked import operations
from tests.http.estate import Door, Estate
from tests.http.world import Caller, World, created, problem
from trunkline.http import dependencies

NOTHING_READ = {
    "GET /numbers/uploads/sample",
    "GET /licensing/organizations/{organization_id}/bulk-assignments/samples",
}
"""It is the same for everybody."""
MAY_DO_SO = {"POST /numbers/take-back"}
"""A partner may take numbers back; it learns afterwards that those it names are not in its branch."""
WAIT_FOR_THE_NEWEST = ("/preflight", "/samples/{layout}")
"""What waits for the newest people by itself, once the asker was let through."""


def every_door(world: World) -> list[Door]:
    spec = world.app.openapi()
    return [Door(spec, *found) for found in operations(spec)]


class Waits:
    """Counts how often something was waited for, by service."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for runtime in world.deployment.runtimes.values():
            monkeypatch.setattr(runtime, "wait_for_views", self)

    def __call__(self, _position: int, _within: float) -> bool:
        self.count += 1
        return True


async def ask(world: World, door: Door, by: Caller, names: dict[str, Any]) -> Any:
    service = "licensing" if door.path.startswith("/licensing") else "numbers"
    where, request = door.request(names, bare=True)
    request["headers"] = {**request.get("headers", {}), "Trunkline-Wait-For": f"{service}/0"}
    if door.method != "GET":
        request["params"]["dry_run"] = "true"
    return await by(door.method, where, **request)


async def test_nobody_is_waited_for_who_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: a principal that may not do something holds no thread meanwhile, whatever position it names."""
    estate = await Estate(world, "east").build()
    waits = Waits(world, monkeypatch)
    outsiders = [world.caller("member", world.west_org), world.caller("partner-admin", world.west)]
    refused = 0
    for door in every_door(world):
        for by in outsiders:
            before = waits.count
            answer = await ask(world, door, by, estate.named)
            if answer.status_code in (403, 404) and str(door) not in MAY_DO_SO:
                refused += 1
                assert waits.count == before, f"{door}: {answer.status_code} {answer.text}"
    assert refused > 150


async def test_whoever_is_let_through_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """O4: once, at every operation that succeeds."""
    estate = await Estate(world, "east").build()
    waits = Waits(world, monkeypatch)
    waited = 0
    for door in every_door(world):
        if door.path.endswith(("/watch", *WAIT_FOR_THE_NEWEST)) or "/operate/" in door.path:
            continue
        before = waits.count
        answer = await ask(world, door, world.admin, estate.named)
        if answer.is_success and str(door) not in NOTHING_READ:
            waited += 1
            assert waits.count == before + 1, f"{door}: {answer.status_code} {answer.text}"
    assert waited > 50


async def test_what_cannot_be_waited_for_is_no_answer_to_the_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """O4, P2: the same request under the same key is done once its position can be waited for."""
    monkeypatch.setattr(dependencies, "_WAIT_S", 0.0)
    body = {"name": "b", "addons": []}
    path = f"/licensing/organizations/{world.east_org}/bulk-assignments"
    headers = {"Idempotency-Key": world.name, "Trunkline-Wait-For": "licensing/999999999"}
    problem(await world.admin.post(path, body, headers=headers), 422, "position-unknown")
    runtime = world.deployment.runtimes["licensing"]
    headers["Trunkline-Wait-For"] = "licensing/1"
    with monkeypatch.context() as patched:
        patched.setattr(runtime, "wait_for_views", lambda *_: False)
        problem(await world.admin.post(path, body, headers=headers), 503, "views-behind")
    created(await world.admin.post(path, body, headers=headers))
