"""When extensions are provisioned and assigned: all or nothing, every conflict listed (L1, L2, L4)."""

from __future__ import annotations

from uuid import uuid4

import pytest
import pytest_asyncio

from tests.http.licensed import Licensed
from tests.http.world import World, created, problem


@pytest_asyncio.fixture(loop_scope="session")
async def org(world: World) -> Licensed:
    return Licensed(world)


async def test_then_keys_follow_each_other_and_units_are_taken(org: Licensed) -> None:
    """L1, L20: from 998 on, with units of what was bought; 999 is followed by 1000."""
    subscription = await org.buy(quantity=5)
    made = await org.provision(3, "998")
    assert [x["ext_key"] for x in made] == ["998", "999", "1000"]
    assert {x["subscription_id"] for x in made} == {subscription}
    base = (await org.licenses())["phone_system"]
    assert [base[name] for name in ("purchased", "allocated", "free", "suspended")] == [5, 3, 2, 0]
    listed = await org.seen(org.path)
    assert [x["ext_key"] for x in listed["items"]] == ["998", "999", "1000"]
    assert listed["total"] == 3
    assert await org.seen(f"{org.path}/{made[0]['extension_id']}") == made[0] == listed["items"][0]


async def test_then_every_conflict_is_listed_and_nothing_is_done(org: Licensed) -> None:
    """L1: taken keys, units that are not there, people unknown or with an extension already, all at once."""
    await org.buy(quantity=4)
    ada = await org.person()
    await org.provision(2, "102", user_ids=[ada])
    unknown = str(uuid4())
    body = {"count": 5, "start_from": "101", "user_ids": [ada, unknown], "addons": ["device_web_rtc", "nonsense"]}
    told = problem(await org.admin.post(org.path, body), 409, "some-refused")
    assert [(e["pointer"], e["code"], e["value"]) for e in told["errors"]] == [
        ("#/start_from", "ext-duplicate", "102"),
        ("#/start_from", "ext-duplicate", "103"),
        ("#/user_ids/0", "user-assigned", ada),
        ("#/user_ids/1", "user-unknown", unknown),
        ("#/addons", "addon-unknown", "nonsense"),
        ("#/count", "not-enough-licenses", 5),
        ("#/addons", "not-enough-licenses", 5),
    ]
    assert (await org.seen(org.path))["total"] == 2
    assert (await org.licenses())["phone_system"]["allocated"] == 2


async def test_then_conflicts_of_one_kind_have_its_code(org: Licensed) -> None:
    """L1: one taken key after the other."""
    await org.buy(quantity=9)
    await org.provision(3, "101")
    told = problem(await org.admin.post(org.path, {"count": 4, "start_from": "100"}), 409, "ext-duplicate")
    assert [e["value"] for e in told["errors"]] == ["101", "102", "103"]


@pytest.mark.parametrize(
    ("start", "count", "code"),
    [
        ("12", 1, "ext-format"),
        ("123456", 1, "ext-format"),
        ("١٢٣", 1, "ext-format"),
        ("10 1", 1, "ext-format"),
        ("", 1, "ext-format"),
        ("99999", 2, "ext-overflow"),
        ("99990", 500, "ext-overflow"),
    ],
)
async def test_then_a_key_has_3_to_5_digits(org: Licensed, start: str, count: int, code: str) -> None:
    """L1, §9: six digits, non-ASCII ones, and an overflow are refused."""
    await org.buy(quantity=500)
    told = problem(await org.admin.post(org.path, {"count": count, "start_from": start}), 422, code)
    assert told["errors"][0]["pointer"] == "#/start_from"
    assert (await org.seen(org.path))["total"] == 0


async def test_then_leading_zeros_stay(org: Licensed) -> None:
    """L1: 099 is a key of three digits."""
    await org.buy(quantity=2)
    assert [x["ext_key"] for x in await org.provision(2, "099")] == ["099", "100"]


async def test_then_people_are_assigned_in_the_same_step_or_later(org: Licensed) -> None:
    """L2, §10.11: provision and assign, or provision and then assign; a person has one extension at most."""
    await org.buy(quantity=3)
    ada, ben = await org.person("Ada"), await org.person("Ben")
    first, second, third = await org.provision(3, "201", user_ids=[ada])
    assert first["user"] == {"user_id": ada, "name": "Ada", "role": "member"}
    assert second["user"] is None
    where = f"{org.path}/{second['extension_id']}/assign"
    assigned = created(await org.admin.post(where, {"user_id": ben}))
    assert assigned["extension"]["user"]["name"] == "Ben"
    told = problem(await org.admin.post(f"{org.path}/{third['extension_id']}/assign", {"user_id": ben}), 409)
    assert told["code"] == "user-assigned"
    moved = created(await org.admin.post(where, {"user_id": await org.person("Cy")}))
    assert moved["freed"]["user_id"] == ben
    created(await org.admin.post(f"{org.path}/{third['extension_id']}/assign", {"user_id": ben}))
    assert (await org.seen(org.path, assigned=True))["total"] == 3


async def test_then_somebody_of_another_organization_is_unknown(org: Licensed, world: World) -> None:
    """L2, P2."""
    await org.buy()
    body = {"name": "Eve", "email": "eve@west.example", "role": "member"}
    eve = created(await world.admin.post(f"/licensing/organizations/{world.west_org}/identities", body))["identity_id"]
    told = problem(await org.admin.post(org.path, {"count": 1, "start_from": "101", "user_ids": [eve]}), 422)
    nobody = str(uuid4())
    same = problem(await org.admin.post(org.path, {"count": 1, "start_from": "101", "user_ids": [nobody]}), 422)
    assert told["code"] == same["code"] == "user-unknown"
    assert told["detail"].replace(eve, nobody) == same["detail"]


async def test_then_units_come_from_the_oldest_subscription_or_the_one_referred_to(org: Licensed) -> None:
    """L4: the oldest active one with spare units first; a reference selects the base unit's subscription only."""
    old = await org.buy(quantity=1)
    told = {"product": "license", "license_code": "phone_system", "quantity": 2, "reference": "PO7"}
    new = str(uuid4())
    await org.bill("started", new, "2026-02-01T00:00:00Z", **told)
    (referred,) = await org.provision(1, "101", reference="PO7")
    (oldest,) = await org.provision(1, "102")
    (rest,) = await org.provision(1, "103")
    assert [x["subscription_id"] for x in (referred, oldest, rest)] == [new, old, new]
    unknown = problem(await org.admin.post(org.path, {"count": 1, "start_from": "104", "reference": "PO8"}), 409)
    assert unknown["code"] == "reference-unknown"
    none_left = problem(await org.admin.post(org.path, {"count": 1, "start_from": "104", "reference": "PO7"}), 409)
    assert none_left["code"] == "not-enough-licenses"


async def test_then_a_repetition_has_no_effect_and_a_dry_run_none_at_all(org: Licensed) -> None:
    """The same key and body: the same answer; `dry_run`: what would happen."""
    await org.buy(quantity=5)
    body, headers = {"count": 2, "start_from": "101"}, {"Idempotency-Key": str(uuid4())}
    dry = await org.admin.post(org.path, body, params={"dry_run": "true"})
    assert created(dry)["provisioned"] == 2
    assert (await org.seen(org.path))["total"] == 0
    answers = [created(await org.admin.post(org.path, body, headers=headers)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await org.seen(org.path))["total"] == 2


async def test_then_every_role_may_what_p4_says(org: Licensed, world: World) -> None:
    """P4: the organization's administrators, the partner and the platform; members read the one that serves them."""
    await org.buy(quantity=9)
    ada, ben = await org.person(), await org.person("Ben")
    mine, other = await org.provision(2, "101", user_ids=[ada, ben])
    start = 200
    for role, party in (("platform-admin", None), ("partner-admin", world.east), ("org-admin", org.org)):
        start += 1
        await org.provision(1, str(start), by=world.caller(role, party))
    member = world.caller("member", org.org, subject=ada)
    for caller in (member, world.caller("platform-support")):
        problem(await caller.post(org.path, {"count": 1, "start_from": "301"}), 403, "not-allowed")
    seen = await org.seen(org.path, member)
    assert [x["extension_id"] for x in seen["items"]] == [mine["extension_id"]]
    assert seen["total"] == 1
    assert (await org.get(f"{org.path}/{mine['extension_id']}", member)).status_code == 200
    problem(await org.get(f"{org.path}/{other['extension_id']}", member), 403, "not-allowed")
    problem(await org.get(f"{org.root}/licenses", member), 403, "not-allowed")
    for outsider in (world.caller("org-admin", world.west_org), world.caller("partner-admin", world.west)):
        body = {"count": 1, "start_from": "301"}
        told = problem(await outsider.post(org.path, body), 404, "party-unknown")
        nowhere = str(uuid4())
        same = problem(await outsider.post(org.path.replace(org.org, nowhere), body), 404, "party-unknown")
        assert told["detail"].replace(org.org, nowhere) == same["detail"]
