"""When anything at all is sent that the OpenAPI document allows, or nearly: an answer, and never a 5xx."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.http.world import Caller, World, created

EXAMPLES = 8
"""For each operation and each way: few, so that the whole takes seconds. More find their place in a nightly run."""

SELDOM = ("/operate/projections", "/operate/deadlines/rebuild", "/operate/clock")
"""Left out: they stream, rebuild, or move the clock of every other test."""


class Aim:
    """Turns valid requests on what there is: half of them would otherwise only meet things that nobody knows."""

    def __init__(self, world: World, numbers: list[str]) -> None:
        self._numbers = cycle(numbers)
        self._named = {"reserver_id": world.east_org, "holder_id": world.east_org, "organization_id": world.east_org}

    def at(self, case: Any) -> Any:
        """The request, with numbers and parties of the world wherever it names some."""
        if "number" in (case.path_parameters or {}):
            case.path_parameters["number"] = next(self._numbers)
        if isinstance(case.body, dict):
            case.body |= {name: value for name, value in self._named.items() if name in case.body}
            if isinstance(case.body.get("numbers"), list):
                case.body["numbers"] = [next(self._numbers) for _ in range(2)]
        return case


async def _in_every_state(world: World) -> list[str]:
    """Numbers to aim at."""
    numbers = world.numbers(4)
    created(await world.add(*numbers))
    acts: list[tuple[str, dict[str, Any]]] = [
        ("reserve", {"reserver_id": world.east_org, "remark": "r"}),
        ("lock", {"remark": "r"}),
        ("delete", {"reason": "other", "remark": "r"}),
    ]
    for number, (verb, body) in zip(numbers, acts, strict=False):
        created(await world.admin.post(f"/numbers/{number}/{verb}", body))
    return numbers


def _send(caller: Caller, loop: asyncio.AbstractEventLoop, case: Any) -> httpx.Response:
    """A generated request, through the loop that the services run in."""
    request: dict[str, Any] = {"params": _text(case.query), "headers": _bytes(case.headers)}
    if isinstance(case.body, bytes | str):
        request["content"] = case.body
    elif case.media_type:
        request["json"] = case.body
        request["headers"]["Content-Type"] = case.media_type.encode()
    asked = caller(case.method, case.formatted_path, **request)
    try:
        return asyncio.run_coroutine_threadsafe(asked, loop).result()
    except httpx.InvalidURL:  # longer than this client sends; the servers' own limit is lower still
        reject()


def _text(values: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in dict(values or {}).items()}


def _bytes(values: Any) -> dict[str, bytes]:
    """Headers as a client could send them: no more than one line of them."""
    printable = {k: "".join(c for c in str(v) if c.isprintable()) for k, v in dict(values or {}).items()}
    return {k: v.encode("utf-8", "replace") for k, v in printable.items() if k.lower() != "authorization"}


# While Hypothesis draws, the services in the other thread draw from `random` too, which it takes for ours.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning")
async def test_every_answer_is_one_that_was_meant(world: World) -> None:
    """§9: valid and invalid requests, as platform admin: no 5xx, and every error is a problem with a sentence."""
    loop = asyncio.get_running_loop()
    spec = world.app.openapi()
    statuses: set[int] = set()
    aim = Aim(world, await _in_every_state(world))

    def check(case: Any) -> None:
        answer = _send(world.admin, loop, case)
        statuses.add(answer.status_code)
        told = f"{case.method} {case.formatted_path} {case.query} {case.body!r}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500, told
        if answer.is_error and case.method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json", told
            assert answer.json()["detail"], told
            assert answer.json()["code"], told

    def every_operation() -> None:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for found in schemathesis.openapi.from_dict(spec).get_all_operations():
                operation = found.ok()
                if not operation.path.startswith(("/licensing", "/numbers")) or any(
                    s in operation.path for s in SELDOM
                ):
                    continue
                cases = operation.as_strategy(generation_mode=mode)
                _examples(cases.map(aim.at) if mode is GenerationMode.POSITIVE else cases, check)

    try:
        await asyncio.to_thread(every_operation)
    finally:
        await world.admin("PUT", "/numbers/policy", json={"policy": {}})  # other tests count on the built-in one
    assert {200, 404, 409, 422} <= statuses


def _examples(cases: st.SearchStrategy[Any], check: Any) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def one(case: Any) -> None:
        check(case)

    one()
