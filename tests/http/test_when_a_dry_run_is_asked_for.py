"""When a dry run is asked for: every change there is, generated from the OpenAPI document, does nothing (O1)."""

from __future__ import annotations

from typing import Any

from tests.http.asked import operations
from tests.http.estate import Door, Estate
from tests.http.test_when_another_partner_asks import QUESTIONS
from tests.http.world import World
from trunkline.runtime.status import RELAY


def _takes(operation: dict[str, Any]) -> bool:
    return any(p["in"] == "query" and p["name"] == "dry_run" for p in operation.get("parameters", ()))


async def _at_rest(world: World) -> dict[str, int]:
    """Where both logs end when each service has heard all that the other has said."""
    runtimes = world.deployment.runtimes
    ends: dict[str, int] = {}
    while ends != (now := {name: runtime.store.end_of_log() for name, runtime in runtimes.items()}):
        ends = now
        for runtime in runtimes.values():
            while runtime.store.positions(RELAY).get(RELAY, 0) < runtime.store.end_of_log():
                await runtime.commit_signal.after(runtime.commit_signal.count, 0.05)
    return ends


async def test_then_every_change_can_be_asked_for_one(world: World) -> None:
    """O1: whatever is not a GET, but for what only asks."""
    without = [
        f"{method} {path}"
        for method, path, operation in operations(world.app.openapi())
        if method != "GET" and "/operate" not in path and path not in QUESTIONS and not _takes(operation)
    ]
    assert not without


async def test_then_nothing_is_recorded_and_the_answer_says_so(world: World) -> None:
    """O1: by the platform's admin, on things that are there; an answer without position and ETag, or a refusal."""
    estate = await Estate(world, "east").build()
    done: list[str] = []
    for method, path, operation in operations(world.app.openapi()):
        if not _takes(operation):
            continue
        where, request = Door(world.app.openapi(), method, path, operation).request(estate.named, bare=True)
        end = await _at_rest(world)
        answer = await world.admin(method, where, **request)
        told = f"{method} {where} {request}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500, told
        assert end == await _at_rest(world), told
        if answer.is_success:
            assert answer.headers.get("trunkline-dry-run") == "true", told
            assert not {"etag", "trunkline-position"} & set(answer.headers), told
            done.append(path)
    assert len(done) > 10, done
