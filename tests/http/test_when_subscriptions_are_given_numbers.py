"""When a number is assigned, swapped or extended over HTTP, or a refusal is dismissed (N4, N9, S6, §10.8, P2, P3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.http.world import Caller, World, created, event, later, problem


async def sold(world: World, number: str, organization: str | None = None, begin: float = -60) -> str:
    """A subscription that names a number, as numbers knows it."""
    subscription = str(uuid4())
    facts = {"product": "number", "number": number, "sku": "DID"}
    organization = organization or world.east_org
    created(await world.bill(event("started", subscription, organization, later(begin).isoformat(), **facts)))
    await world.settle()
    return subscription


async def paying(world: World, quantity: int = 1, organization: str | None = None) -> str:
    """A DID reservation subscription with a plan of 30 days."""
    subscription = str(uuid4())
    facts = {"product": "did_reservation", "quantity": quantity, "plan_days": 30}
    start = later(-60).isoformat()
    created(await world.bill(event("started", subscription, organization or world.east_org, start, **facts)))
    await world.settle()
    return subscription


async def stock(world: World, count: int = 1) -> list[str]:
    numbers = world.numbers(count)
    created(await world.add(*numbers))
    return numbers


async def reserve(world: World, number: str, reserver: str) -> None:
    created(await world.admin.post(f"/numbers/{number}/reserve", {"reserver_id": reserver, "remark": "kept"}))


async def show(world: World, number: str) -> Any:
    return created(await world.admin.get(f"/numbers/{number}"))


@pytest.mark.parametrize("how", ["available", "reserved", "reserved for its partner"])
async def test_then_a_waiting_subscription_gets_another_number(world: World, how: str) -> None:
    """S6, §10.8: from Available, or from the reservation of its organization or partner; it waits no more."""
    unknown, (number,) = world.numbers(1)[0], await stock(world)
    subscription = await sold(world, unknown)
    if how != "available":
        await reserve(world, number, world.east_org if how == "reserved" else world.east)
    body = {"subscription_id": subscription, "remark": "they took this one"}
    would = created(await world.admin.post(f"/numbers/{number}/assign", body, params={"dry_run": "true"}))
    assert would["state"] == "assigned"
    assert (await show(world, number))["state"] != "assigned"
    done = await world.admin.post(f"/numbers/{number}/assign", body)
    assert created(done)["subscription_id"] == subscription
    assert done.headers["ETag"] == (await world.admin.get(f"/numbers/{number}")).headers["ETag"]
    last = created(await world.admin.get(f"/numbers/{number}/history"))["items"][-1]
    assert (last["event"], last["remark"]) == ("NumberAssigned", "they took this one")
    seen = created(await world.admin.get(f"/numbers/subscriptions/{subscription}"))
    assert (seen["number"], seen["set_by_hand"], seen["refused"]) == (number, True, None)
    created(await world.add(unknown))
    assert (await show(world, unknown))["state"] == "available"
    created(await world.admin.post(f"/numbers/{number}/assign", body))


async def test_then_one_that_has_a_number_is_told_to_swap(world: World) -> None:
    """N9: and one that is not active, or no number subscription, gets none at all (§10.8)."""
    had, number = await stock(world, 2)
    subscription = await sold(world, had)
    path, body = f"/numbers/{number}/assign", {"subscription_id": subscription}
    told = problem(await world.admin.post(path, body), 409, "subscription-has-number")
    assert had in told["detail"]
    problem(await world.admin.post(path, {"subscription_id": await paying(world)}), 409, "subscription-of-another-kind")
    created(await world.bill(event("terminated", subscription, world.east_org, later(-1).isoformat())))
    await world.settle()
    problem(await world.admin.post(path, body), 409, "subscription-not-active")
    problem(await world.admin.post(path, {"subscription_id": str(uuid4())}), 404, "subscription-unknown")
    assert (await show(world, number))["state"] == "available"


async def test_then_a_swap_is_both_or_neither(world: World) -> None:
    """N9: the old one kept for a day, the new one assigned; refused, both are as they were."""
    old, new, locked = await stock(world, 3)
    subscription = await sold(world, old)
    created(await world.admin.post(f"/numbers/{locked}/lock", {"remark": "checked"}))
    body = {"subscription_id": subscription, "old_number": old, "new_number": locked}
    told = problem(await world.admin.post("/numbers/swap", body), 409, "number-is-locked")
    assert told["errors"][0]["value"] == locked
    assert ((await show(world, old))["state"], (await show(world, locked))["state"]) == ("assigned", "locked")
    body["new_number"] = new.removeprefix("+")
    version = (await world.admin.get(f"/numbers/{old}")).headers["ETag"]
    stale = await world.admin.post("/numbers/swap", body, headers={"If-Match": '"1"'})
    problem(stale, 412, "version-mismatch")
    key = {"Idempotency-Key": str(uuid4()), "If-Match": version}
    first, second = [await world.admin.post("/numbers/swap", body, headers=key) for _ in range(2)]
    assert created(first) == created(second)
    shown = created(first)
    assert (shown["old"]["state"], shown["old"]["cause"], shown["new"]["state"]) == ("reserved", "swapped", "assigned")
    since, ends = (datetime.fromisoformat(shown["old"][name]) for name in ("since", "ends_at"))
    assert ends - since == timedelta(days=1)
    problem(await world.admin.post("/numbers/swap", body), 409, "number-not-of-subscription")
    created(await world.bill(event("renewed", subscription, world.east_org, renewed_until=later(86_400).isoformat())))
    await world.settle()
    assert (await show(world, old))["state"] == "reserved"


async def test_then_a_swap_that_cannot_be_read_says_where(world: World) -> None:
    """§9: a number that is none, the same number twice."""
    (old,) = await stock(world)
    subscription = await sold(world, old)
    for number, code in (("12", "number-unreadable"), ("x" * 30, "number-unreadable"), (old, "swap-for-itself")):
        body = {"subscription_id": subscription, "old_number": old, "new_number": number}
        told = problem(await world.admin.post("/numbers/swap", body), 422, code)
        assert told["errors"][0]["pointer"] == "#/new_number"


async def test_then_a_reservation_is_extended_and_paid_for(world: World) -> None:
    """N4: the plan's 30 days after the end; one unit, one number; not a second time, nor for another's reservation."""
    mine, too, theirs, free = await stock(world, 4)
    for number, reserver in ((mine, world.east_org), (too, world.east), (theirs, world.west_org)):
        await reserve(world, number, reserver)
    body = {"subscription_id": await paying(world), "remark": "two months more"}
    before = await show(world, mine)
    would = created(await world.admin.post(f"/numbers/{mine}/extend", body, params={"dry_run": "true"}))
    assert would["charged"]
    assert not (await show(world, mine))["charged"]
    shown = created(await world.admin.post(f"/numbers/{mine}/extend", body))
    ends, free_ends = (datetime.fromisoformat(shown[name]) for name in ("ends_at", "free_ends_at"))
    assert (shown["charged"], shown["cover_id"]) == (True, body["subscription_id"])
    assert (ends - free_ends, shown["free_ends_at"]) == (timedelta(days=30), before["ends_at"])
    problem(await world.admin.post(f"/numbers/{mine}/extend", body), 409, "covered-already")
    problem(await world.admin.post(f"/numbers/{too}/extend", body), 409, "nothing-spare")
    more = {"subscription_id": await paying(world)}
    problem(await world.admin.post(f"/numbers/{theirs}/extend", more), 409, "reservation-of-another")
    problem(await world.admin.post(f"/numbers/{free}/extend", more), 409, "number-not-reserved")
    assert created(await world.admin.post(f"/numbers/{too}/extend", more))["reserver_id"] == world.east
    payer = f"/numbers/subscriptions/{more['subscription_id']}"
    assert created(await world.admin.get(payer))["covers"] == [too]
    created(await world.admin.post(f"/numbers/{too}/release", {"remark": "not needed"}))
    assert created(await world.admin.get(payer))["covers"] == []


async def test_then_a_payer_is_renewed_lowered_and_ended_by_billing(world: World) -> None:
    """N4: the end moves; the number extended last is back at its free end; then so is the first."""
    first, last = await stock(world, 2)
    payer = await paying(world, quantity=2)
    for number in (first, last):
        await reserve(world, number, world.east_org)
        created(await world.admin.post(f"/numbers/{number}/extend", {"subscription_id": payer}))
    free_ends = {number: (await show(world, number))["free_ends_at"] for number in (first, last)}

    async def ends(kind: str, **facts: Any) -> dict[str, str]:
        created(await world.bill(event(kind, payer, world.east_org, later(0).isoformat(), **facts)))
        await world.settle()
        return {number: (await show(world, number))["ends_at"] for number in (first, last)}

    until = later(86_400 * 90)
    renewed = await ends("renewed", renewed_until=until.isoformat())
    assert {datetime.fromisoformat(at) for at in renewed.values()} == {until}
    assert await ends("quantity_changed", quantity=1) == {first: renewed[first], last: free_ends[last]}
    assert created(await world.admin.get(f"/numbers/subscriptions/{payer}"))["covers"] == [first]
    assert await ends("terminated") == free_ends
    assert created(await world.admin.get(f"/numbers/subscriptions/{payer}"))["covers"] == []


def askers(world: World) -> dict[str, Caller]:
    """Platform admin and support, partner and organization admin and member of the east, a machine."""
    return {
        "a": world.admin,
        "s": world.caller("platform-support"),
        "p": world.caller("partner-admin", world.east),
        "o": world.caller("org-admin", world.east_org),
        "m": world.caller("member", world.east_org),
        "x": world.caller("machine", None, ("billing:write", "projections:read", "operate")),
    }


@pytest.mark.parametrize(("verb", "may"), [("assign", "ap"), ("swap", "ap"), ("extend", "asp"), ("dismiss", "ap")])
async def test_then_only_who_may(world: World, verb: str, may: str) -> None:
    """P3: assign and swap by the platform's and the partner's admin; extend by the platform's support as well."""
    had, number, reserved = await stock(world, 3)
    served, waiting, payer = await sold(world, had), await sold(world, world.numbers(1)[0]), await paying(world)
    await reserve(world, reserved, world.east_org)
    path, body = {
        "assign": (f"/numbers/{number}/assign", {"subscription_id": waiting}),
        "swap": ("/numbers/swap", {"subscription_id": served, "old_number": had, "new_number": number}),
        "extend": (f"/numbers/{reserved}/extend", {"subscription_id": payer}),
        "dismiss": (f"/numbers/refused/{waiting}/dismiss", {}),
    }[verb]
    answers = {
        who: (await principal.post(path, body, params={"dry_run": "true"})).status_code
        for who, principal in askers(world).items()
    }
    assert {who for who, status in answers.items() if status == 200} == set(may)
    assert {status for who, status in answers.items() if who not in may} <= {403, 404}


async def test_then_another_branch_is_as_unknown_as_what_is_not(world: World) -> None:
    """P2: a western partner and an eastern subscription or number: 404, in the words for one that does not exist."""
    had, number, reserved = await stock(world, 3)
    served, waiting, payer = await sold(world, had), await sold(world, world.numbers(1)[0]), await paying(world)
    await reserve(world, reserved, world.east_org)
    west, nothing = world.caller("partner-admin", world.west), str(uuid4())
    for path, body, id_ in (
        (f"/numbers/{number}/assign", {"subscription_id": "?"}, waiting),
        ("/numbers/swap", {"subscription_id": "?", "old_number": had, "new_number": number}, served),
        ("/numbers/refused/?/dismiss", {}, waiting),
    ):
        told = []
        for subscription in (id_, nothing):
            said = {k: subscription if v == "?" else v for k, v in body.items()}
            answer = problem(await west.post(path.replace("?", subscription), said), 404, "subscription-unknown")
            told.append(answer["detail"].replace(subscription, "it"))
        assert told[0] == told[1]
    problem(await west.post(f"/numbers/{reserved}/extend", {"subscription_id": payer}), 404, "number-unknown")


async def test_then_the_refused_are_listed_in_their_branch_oldest_start_first(world: World) -> None:
    """S6, P2: page by page and in each order; nobody sees those of another branch, nor how many they are."""
    east = [(await sold(world, number, begin=-100 + place), number) for place, number in enumerate(world.numbers(5))]
    west_number = world.numbers(1)[0]
    await sold(world, west_number, world.west_org)
    caller = world.caller("partner-admin", world.east)
    position = {"Trunkline-Wait-For": f"numbers/{world.deployment.runtimes['numbers'].store.end_of_log()}"}
    whole = await caller.get("/numbers/refused", headers=position)
    listed = created(whole)
    assert [(w["subscription_id"], w["number"], w["code"]) for w in listed["items"]] == [
        (subscription, number, "number-unknown") for subscription, number in east
    ]
    assert listed["total"] == 5
    assert west_number not in whole.text
    for sort in ("number", "-number", "-started_at", "refused_at"):
        numbers, cursor = [], None
        while True:
            query = {"limit": 2, "sort": sort} | ({"cursor": cursor} if cursor else {})
            found = created(await caller.get("/numbers/refused", params=query))
            numbers += [w["number"] for w in found["items"]]
            if (cursor := found["next"]) is None:
                break
        expected = [number for _, number in east]
        assert numbers == (expected[::-1] if sort in ("-number", "-started_at") else expected), sort
    everybody = created(await world.admin.get("/numbers/refused", params={"limit": 500}))["items"]
    assert {west_number, *(n for _, n in east)} <= {w["number"] for w in everybody}
    org = created(await world.caller("org-admin", world.west_org).get("/numbers/refused"))
    assert [w["number"] for w in org["items"]] == [west_number]


async def test_then_a_dismissed_one_waits_no_more(world: World) -> None:
    """S6: the number comes, and stays free; dismissed twice there is nothing to dismiss."""
    (number,) = world.numbers(1)
    subscription = await sold(world, number)
    path = f"/numbers/refused/{subscription}/dismiss"
    done = await world.admin.post(path, {"remark": "they cancelled"})
    assert created(done) == {"subscription_id": subscription, "number": number}
    problem(await world.admin.post(path, {}), 409, "nothing-to-dismiss")
    created(await world.add(number))
    assert (await show(world, number))["state"] == "available"
    waits = {"Trunkline-Wait-For": done.headers["Trunkline-Position"]}
    listed = created(await world.admin.get("/numbers/refused", params={"limit": 500}, headers=waits))["items"]
    assert subscription not in [w["subscription_id"] for w in listed]
    assert created(await world.admin.post(f"/numbers/{number}/assign", {"subscription_id": subscription}))


async def test_then_two_who_wait_for_one_number_get_it_oldest_start_first(world: World) -> None:
    """S6: whichever was heard first."""
    (number,) = world.numbers(1)
    younger, older = await sold(world, number, begin=-10), await sold(world, number, begin=-1000)
    created(await world.add(number))
    assert (await show(world, number))["subscription_id"] == older
    seen = created(await world.admin.get(f"/numbers/subscriptions/{younger}"))
    assert seen["refused"]["code"] == "number-taken"
