"""When people of several branches have acted on one thing, and one of them reads what happened (P2, N13)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.http.test_when_numbers_are_uploaded import file_of, lines, send, until_ended
from tests.http.world import Caller, World, created, event


async def _history(by: Caller, number: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = created(await by.get(f"/numbers/{number}/history"))["items"]
    return items


async def test_remark_name_and_key_of_another_branch_are_not_shown(world: World) -> None:
    """P2: a take-back's remark is the platform's; the partner sees by which role, and its own acts whole."""
    staff = world.caller("platform-admin", subject="pat-of-the-platform")
    partner = world.caller("partner-admin", world.east, subject="eve-of-the-east")
    customer = world.caller("org-admin", world.east_org, subject="ada-of-the-org")
    (number,) = world.numbers(1)
    created(await world.add(number, by=staff))
    key = {"Idempotency-Key": "the platform's key"}
    allocate = {"numbers": [number], "holder_id": world.east, "remark": "for the friends of the board"}
    created(await staff.post("/numbers/allocate", allocate, headers=key))
    own = {"Idempotency-Key": "the partner's key"}
    reserve = {"reserver_id": world.east_org, "remark": "they pay on Friday"}
    created(await partner.post(f"/numbers/{number}/reserve", reserve, headers=own))
    created(await partner.post(f"/numbers/{number}/release", {"remark": "they did not"}))
    take_back = {"numbers": [number], "remark": "they go bankrupt"}
    created(await staff.post("/numbers/take-back", take_back, headers={"Idempotency-Key": "another of the platform"}))

    told = await _history(partner, number)
    by_event = [(h["event"], h["actor"], h["remark"], h["causation_id"]) for h in told][1:]
    assert by_event[0] == ("NumberAllocated", "platform-admin", None, None)
    assert by_event[1] == ("NumberReserved", "user:eve-of-the-east", "they pay on Friday", "the partner's key")
    assert by_event[-1] == ("NumberAllocated", "platform-admin", None, None)
    assert all(h["correlation_id"] is None for h in told if h["actor"] == "platform-admin")
    told_to_customer = await _history(customer, number)
    assert ("NumberReserved", "partner-admin", None) in [
        (h["event"], h["actor"], h["remark"]) for h in told_to_customer
    ]
    for text in (str(told), str(told_to_customer)):
        assert not [s for s in ("pat-of", "board", "bankrupt", "platform's key", "another of") if s in text]
    assert "eve-of" not in str(told_to_customer)
    whole = str(await _history(staff, number))
    assert [s for s in ("pat-of", "eve-of", "board", "bankrupt", "Friday", "platform's key") if s not in whole] == []


async def test_a_key_is_not_carried_into_what_others_see(world: World) -> None:
    """P2, X1: the correlation id of what follows in the other service is made from the key, and is not the key."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    created(await world.admin.post(f"/numbers/{number}/lock", {"remark": "r"}, headers={"Idempotency-Key": "a key"}))
    (*_, locked) = await _history(world.admin, number)
    assert locked["causation_id"] == "a key"
    assert locked["correlation_id"] not in ("a key", None)


async def test_an_upload_shows_its_sender_the_role_of_who_ran_it(world: World) -> None:
    """P2, R3: the platform starts what a partner sent; neither its name nor its key is shown, in both histories."""
    east = world.caller("partner-admin", world.east, subject="eve-of-the-east")
    staff = world.caller("platform-admin", subject="pat-of-the-platform")
    one, two = world.numbers(2)
    for number, by, name in ((one, staff, "platform-admin"), (two, east, "user:eve-of-the-east")):
        upload = created(await send(east, file_of(*lines(number))))["upload_id"]
        created(await by.post(f"/numbers/uploads/{upload}/run", headers={"Idempotency-Key": "run key"}))
        assert (await until_ended(east, upload))[-1]["added"] == 1
        items = created(await east.get(f"/numbers/uploads/{upload}/history"))["items"]
        assert items[1]["event"] == "UploadStarted"
        assert items[1]["actor"] == items[1]["data"]["by"] == name
        assert (await _history(east, number))[0]["actor"] == name
        assert "pat-of" not in str(items)
        assert ("run key" in str(items)) == (by is east)


async def test_a_fact_of_another_organization_tells_only_that_it_was_refused(world: World) -> None:
    """P2, S3: what a foreign machine put on a subscription before its start is not shown to its owner."""
    subscription, secret = str(uuid4()), f"secret-{uuid4().hex}"
    west = world.caller("machine", world.west, ("billing:write",), sources=["/west"])
    theirs = event("number_swapped", subscription, world.west_org, old_number="+6531999998", new_number="+6531999999")
    created(await world.bill(theirs | {"source": "/west", "id": secret}, by=west))
    facts = {"product": "license", "license_code": "phone_system", "quantity": 1}
    created(await world.bill(event("started", subscription, world.east_org, **facts)))
    east = world.caller("partner-admin", world.east)
    answer = await east.get(f"/licensing/subscriptions/{subscription}")
    shown = created(answer)["facts"]
    assert [f["verdict"] for f in shown if f["source"] is None] == ["refused"]
    assert not [s for s in (secret, "/west", world.west_org, "+6531999999") if s in answer.text]
    assert secret in (await world.admin.get(f"/licensing/subscriptions/{subscription}")).text
