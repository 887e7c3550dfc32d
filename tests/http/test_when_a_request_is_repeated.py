"""When a POST comes again under its Idempotency-Key: one effect, one answer."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from tests.http.world import World, created, problem


def _body(numbers: list[str]) -> dict[str, Any]:
    return {"numbers": numbers, "vendor": "v", "country": "SG", "sku": "DID"}


async def test_the_same_key_and_body_get_the_same_answer(world: World) -> None:
    """The answer is the stored one, and nothing is added again."""
    key = {"Idempotency-Key": str(uuid4())}
    body = _body(world.numbers(2))
    first = await world.admin.post("/numbers", body, headers=key)
    assert created(first)["added"] == 2
    again = await world.admin.post("/numbers", body, headers=key)
    assert again.status_code == first.status_code
    assert again.content == first.content
    without = await world.admin.post("/numbers", body)
    problem(without, 422, "no-number-added")


async def test_the_same_key_with_another_request_is_refused(world: World) -> None:
    """422; another body, another path."""
    key = {"Idempotency-Key": str(uuid4())}
    first, second = world.numbers(2)
    created(await world.admin.post("/licensing/partners", _partner(world, "one"), headers=key))
    problem(await world.admin.post("/licensing/partners", _partner(world, "two"), headers=key), 422)
    created(await world.admin.post("/numbers", _body([first]), headers=key))
    told = problem(await world.admin.post("/numbers", _body([second]), headers=key), 422, "idempotency-key-reused")
    assert told["errors"][0]["pointer"] == "#/Idempotency-Key"
    problem(await world.admin.get(f"/numbers/{second}"), 404)


def _partner(world: World, name: str) -> dict[str, Any]:
    emails = {"owner_email": "o@p.example", "support_email": "s@p.example"}
    return {"name": f"{name}-{world.name}", **emails}


async def test_a_made_up_id_is_the_same_the_second_time(world: World) -> None:
    """Where the service names what is new, a repetition gets the same name."""
    key = {"Idempotency-Key": str(uuid4())}
    first = await world.admin.post("/licensing/partners", _partner(world, "one"), headers=key)
    again = await world.admin.post("/licensing/partners", _partner(world, "one"), headers=key)
    assert created(first)["partner_id"] == created(again)["partner_id"]
    assert first.headers["Location"] == again.headers["Location"]
    assert (await world.admin.get(first.headers["Location"])).headers["ETag"] == first.headers["ETag"]


async def test_keys_belong_to_whoever_uses_them(world: World) -> None:
    """P2: another caller's key tells nothing."""
    key = {"Idempotency-Key": "the same"}
    east, west = (world.caller("partner-admin", partner) for partner in (world.east, world.west))
    first, second = world.numbers(2)
    created(await east.post("/numbers", _body([first]), headers=key))
    created(await west.post("/numbers", _body([second]), headers=key))


async def test_a_refusal_stands_too(world: World) -> None:
    """A key whose request was refused never takes effect later, when the reason is gone."""
    key = {"Idempotency-Key": str(uuid4())}
    org, by = str(uuid4()), world.admin
    body = {"name": "p", "email": "p@o.example", "role": "member"}
    path = f"/licensing/organizations/{org}/identities"
    refused = await by.post(path, body, headers=key)
    problem(refused, 404)
    created(
        await by.post("/licensing/organizations", {"organization_id": org, "name": "o", "billing_email": "b@o.example"})
    )
    again = await by.post(path, body, headers=key)
    assert (again.status_code, again.content) == (404, refused.content)
    created(await by.post(path, body, headers={"Idempotency-Key": str(uuid4())}))


async def test_at_the_same_moment_there_is_one_effect(world: World) -> None:
    """Many at once under one key: one of them acts, all get its answer."""
    key = {"Idempotency-Key": str(uuid4())}
    body = _body(world.numbers(1))
    answers = await asyncio.gather(*(world.admin.post("/numbers", body, headers=key) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    history = created(await world.admin.get(f"/numbers/{body['numbers'][0]}/history"))
    assert [item["event"] for item in history["items"]] == ["NumberAdded"]
    assert history["items"][0]["causation_id"] == key["Idempotency-Key"]


async def test_at_the_same_moment_without_a_key_one_wins(world: World) -> None:
    """The others are refused with the reason; nobody waits for ever, nothing is added twice."""
    body = _body(world.numbers(1))
    answers = await asyncio.gather(*(world.admin.post("/numbers", body) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 11
    assert {e["code"] for a in answers if a.is_error for e in a.json()["errors"]} == {"number-present"}


async def test_a_key_that_is_none_is_refused(world: World) -> None:
    """1 to 255 printable characters."""
    for key in ("", "x" * 256, " ", "a\tb"):
        answer = await world.admin.post("/numbers", _body(world.numbers(1)), headers={"Idempotency-Key": key})
        problem(answer, 422, "request-invalid")
