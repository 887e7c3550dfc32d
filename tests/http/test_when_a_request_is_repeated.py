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


async def test_a_key_belongs_to_role_and_party_too(world: World) -> None:
    """P1, P2: under one subject and key, another role or party gets no answer of the first one."""
    key = {"Idempotency-Key": str(uuid4())}
    body = _body(world.numbers(1))
    admin = world.caller("platform-admin", subject="one-person")
    created(await admin.post("/numbers", body, headers=key))
    for role, party in (("member", world.east_org), ("platform-support", None), ("org-admin", world.west_org)):
        answer = await world.caller(role, party, subject="one-person").post("/numbers", body, headers=key)
        problem(answer, 403, "not-allowed")
    partner = world.caller("partner-admin", world.east, subject="one-person")
    problem(await partner.post("/numbers", body, headers=key), 422, "no-number-added")


async def test_headers_are_part_of_the_request(world: World) -> None:
    """S3: in binary mode two different events have the same body; under one key the second is refused, not lost."""
    key = str(uuid4())
    subscription = str(uuid4())
    body = f'{{"subscription_id": "{subscription}", "organization_id": "{world.east_org}"}}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    headers |= {"ce-specversion": "1.0", "ce-source": "/billing", "ce-subject": subscription}

    async def send(kind: str, id_: str) -> Any:
        event = {"ce-type": f"billing.subscription.{kind}", "ce-id": id_, "ce-time": "2026-01-01T00:00:00Z"}
        return await world.admin("POST", "/licensing/billing-events", content=body, headers=headers | event)

    first = created(await send("expired", "1"))
    assert first["results"][0]["id"] == "1"
    problem(await send("reactivated", "2"), 422, "idempotency-key-reused")
    assert created(await send("expired", "1")) == first


async def test_the_version_named_is_part_of_the_request(world: World) -> None:
    """A command in another version is another command."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    key = {"Idempotency-Key": str(uuid4())}
    path, body = f"/numbers/{number}/lock", {"remark": "r"}
    created(await world.admin.post(path, body, headers=key | {"If-Match": '"1"'}))
    problem(await world.admin.post(path, body, headers=key | {"If-Match": '"2"'}), 422, "idempotency-key-reused")


async def test_a_stored_answer_is_authorized_again(world: World) -> None:
    """P2: what has left the branch since is not shown from a stored answer; a scope that was lost counts too."""
    key = {"Idempotency-Key": str(uuid4())}
    east = world.caller("partner-admin", world.east, subject="east-admin")
    body = {"name": "a person", "email": "p@o.example", "role": "member"}
    path = f"/licensing/organizations/{world.east_org}/identities"
    first = await east.post(path, body, headers=key)
    assert (await east.post(path, body, headers=key)).content == first.content
    moved = {"partner_id": world.west}
    created(await world.admin("PATCH", f"/licensing/organizations/{world.east_org}", json=moved))
    problem(await east.post(path, body, headers=key), 404, "answer-withheld")


async def test_an_own_effect_takes_no_answer_away(world: World) -> None:
    """A released number is not in the partner's branch any more; the release repeated is answered all the same."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    created(await world.admin.post(f"/numbers/{number}/reserve", {"reserver_id": world.east_org, "remark": "r"}))
    east = world.caller("partner-admin", world.east, subject="east-admin")
    key = {"Idempotency-Key": str(uuid4())}
    first = await east.post(f"/numbers/{number}/release", {"remark": "r"}, headers=key)
    assert created(first)["state"] == "available"
    again = await east.post(f"/numbers/{number}/release", {"remark": "r"}, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_a_registration_repeated_shows_nothing_of_a_party_that_moved(world: World) -> None:
    """P2: without a key too, a former partner is not shown the present data of an organization."""
    east, org = world.caller("partner-admin", world.east), str(uuid4())
    body = {"organization_id": org, "name": "moves", "billing_email": "b@o.example"}
    created(await east.post("/licensing/organizations", body))
    assert (await east.post("/licensing/organizations", body)).status_code == 200
    moved = {"partner_id": world.west, "billing_email": "secret@west.example"}
    created(await world.admin("PATCH", f"/licensing/organizations/{org}", json=moved))
    answer = await east.post("/licensing/organizations", body)
    problem(answer, 409, "already-registered")
    assert "secret" not in answer.text
