"""When anything at all is sent that the OpenAPI document allows, or nearly: an answer, and never a 5xx."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from tests.http.world import Caller, World

EXAMPLES = 8
"""For each operation and each way: few, so that the whole takes seconds. More find their place in a nightly run."""

SELDOM = ("/operate/projections", "/operate/deadlines/rebuild", "/operate/clock")
"""Left out: they stream, rebuild, or move the clock of every other test."""


def _send(caller: Caller, loop: asyncio.AbstractEventLoop, case: Any) -> httpx.Response:
    """A generated request, through the loop that the services run in."""
    request: dict[str, Any] = {"params": _text(case.query), "headers": _bytes(case.headers)}
    if isinstance(case.body, bytes | str):
        request["content"] = case.body
    elif case.media_type:
        request["json"] = case.body
        request["headers"]["Content-Type"] = case.media_type.encode()
    asked = caller(case.method, case.formatted_path, **request)
    return asyncio.run_coroutine_threadsafe(asked, loop).result()


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
                _examples(operation.as_strategy(generation_mode=mode), check)

    try:
        await asyncio.to_thread(every_operation)
    finally:
        await world.admin("PUT", "/numbers/policy", json={"policy": {}})  # other tests count on the built-in one
    assert {200, 404, 422} <= statuses


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
