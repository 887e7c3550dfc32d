"""When somebody reserves, releases, locks, unlocks, deletes or recovers a number over HTTP (N2, N6, N7, N8, R7, §9)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.http.world import World, created, event, later, problem

VERBS: dict[str, dict[str, Any]] = {
    "reserve": {"remark": "kept"},
    "release": {"remark": "not needed"},
    "lock": {"remark": "to be checked"},
    "unlock": {"remark": "checked"},
    "delete": {"remark": "crackles", "reason": "faulty"},
    "recover": {"remark": "repaired"},
}


async def one(world: World, **given: Any) -> str:
    """A new number's path."""
    (number,) = world.numbers(1)
    created(await world.add(number, **given))
    return f"/numbers/{number}"


async def act(world: World, path: str, *verbs: str) -> Any:
    """Do one thing after the other; the last answer's body."""
    shown = None
    for verb in verbs:
        shown = created(await world.admin.post(f"{path}/{verb}", body(world, verb)))
    return shown


def body(world: World, verb: str, **more: Any) -> dict[str, Any]:
    return VERBS[verb] | ({"reserver_id": world.east_org} if verb == "reserve" else {}) | more


async def test_then_it_goes_through_its_life(world: World) -> None:
    """N2, N6, N8, §10.7: 28 days each; deleting keeps the history; recovered it is available."""
    path = await one(world)
    reserved = await act(world, path, "reserve")
    since, ends = (datetime.fromisoformat(reserved[name]) for name in ("since", "ends_at"))
    assert ends - since == timedelta(days=28)
    assert (reserved["reserver_id"], reserved["cause"], reserved["charged"]) == (world.east_org, "manual", False)
    assert (await act(world, path, "release"))["state"] == "available"
    locked = await act(world, path, "lock")
    assert datetime.fromisoformat(locked["ends_at"]) - datetime.fromisoformat(locked["since"]) == timedelta(days=28)
    assert (await act(world, path, "unlock", "lock", "delete"))["cause"] == "faulty"
    assert (await act(world, path, "recover"))["state"] == "available"
    items = created(await world.admin.get(f"{path}/history"))["items"]
    assert [(i["event"].removeprefix("Number"), i["remark"]) for i in items[1:]] == [
        ("Reserved", "kept"),
        ("Released", "not needed"),
        ("Locked", "to be checked"),
        ("Unlocked", "checked"),
        ("Locked", "to be checked"),
        ("Deleted", "crackles"),
        ("Recovered", "repaired"),
    ]


async def test_then_a_partner_can_be_the_reserver(world: World) -> None:
    """N2: an organization or a partner; the platform is neither."""
    shown = created(await world.admin.post(f"{await one(world)}/reserve", {"reserver_id": world.east, "remark": "r"}))
    assert (shown["reserver_id"], shown["reserver_kind"]) == (world.east, "partner")
    wrong = {"reserver_id": "platform", "remark": "r"}
    problem(await world.admin.post(f"{await one(world)}/reserve", wrong), 422, "request-invalid")


async def test_then_a_legacy_lock_has_no_end(world: World) -> None:
    """N7: by the platform's import only; it stays until it is unlocked or deleted."""
    path = await one(world)
    legacy = body(world, "lock", legacy=True)
    problem(await world.caller("platform-support").post(f"{path}/lock", legacy), 403, "not-allowed")
    assert created(await world.admin.post(f"{path}/lock", legacy))["ends_at"] is None
    told = problem(await world.admin.post(f"{path}/lock", legacy), 409, "number-not-available")
    assert "the lock has no end" in told["detail"]
    assert (await act(world, path, "unlock"))["state"] == "available"


@pytest.mark.parametrize("verb", VERBS)
async def test_then_it_needs_a_remark_that_can_be_read(world: World, verb: str) -> None:
    """§1, §9: none, spaces, 10,000 characters, control characters; whatever the state, nothing is recorded."""
    path = await one(world)
    for remark, code in (
        (None, "remark-missing"),
        ("", "remark-missing"),
        ("  \t\n ", "remark-missing"),
        ("x" * 10_000, "remark-unreadable"),
        ("bell\x07", "remark-unreadable"),
        ("nul\x00", "remark-unreadable"),
    ):
        said = {k: v for k, v in body(world, verb).items() if k != "remark"}
        told = problem(
            await world.admin.post(f"{path}/{verb}", said | ({"remark": remark} if remark is not None else {})),
            422,
            code,
        )
        assert told["errors"][0]["pointer"] == "#/remark"
    assert created(await world.admin.get(f"{path}/history"))["total"] == 1
    fine = await world.admin.post(f"{path}/{verb}", body(world, verb, remark=f" {'y' * 1000}\n "))
    assert fine.status_code in (200, 409)


async def test_then_a_deletion_needs_one_of_four_reasons(world: World) -> None:
    """N8, §10.13: ported_out, returned_to_vendor, faulty, other."""
    for reason in ("ported_out", "returned_to_vendor", "faulty", "other"):
        path = await one(world)
        assert created(await world.admin.post(f"{path}/delete", {"reason": reason, "remark": "r"}))["cause"] == reason
    path = await one(world)
    for wrong in ({"remark": "r"}, {"remark": "r", "reason": "bored"}):
        told = problem(await world.admin.post(f"{path}/delete", wrong), 422, "request-invalid")
        assert told["errors"][0]["pointer"] == "#/reason"


async def test_then_a_deleted_number_comes_back_by_recovery_alone(world: World) -> None:
    """§10.7, N12: adding it again is refused, and whoever may know is told what to do."""
    number = world.numbers(1)[0]
    created(await world.add(number))
    await act(world, f"/numbers/{number}", "delete")
    again = problem(await world.add(number), 422, "no-number-added")["errors"][0]
    assert again["code"] == "number-present"
    assert "it is deleted since" in again["detail"]
    assert "recover" in again["detail"]
    foreign = problem(await world.add(number, by=world.caller("partner-admin", world.west)), 422)["errors"][0]
    assert foreign["detail"] == f"{number} is in the inventory already."
    await act(world, f"/numbers/{number}", "recover")
    assert created(await world.admin.get(f"/numbers/{number}/history"))["total"] == 3


async def test_then_whoever_brought_it_in_deletes_it(world: World) -> None:
    """R7: neither the platform a partner's upload, nor a partner the platform's, though it holds it."""
    east = world.caller("partner-admin", world.east)
    theirs, ours = await one(world, by=east), await one(world, holder=world.east)
    told = problem(await world.admin.post(f"{theirs}/delete", body(world, "delete")), 409, "number-not-yours-to-delete")
    assert "delete" not in told["errors"][0]["instead"]
    problem(await east.post(f"{ours}/delete", body(world, "delete")), 403, "not-allowed")
    assert created(await east.post(f"{theirs}/delete", body(world, "delete")))["state"] == "deleted"
    assert created(await east.post(f"{theirs}/recover", body(world, "recover")))["state"] == "available"


@pytest.mark.parametrize(
    ("before", "verb", "code", "instead"),
    [
        (("reserve",), "lock", "number-not-available", ["assign", "extend", "release"]),
        (("reserve",), "delete", "number-not-available", ["assign", "extend", "release"]),
        (("lock",), "reserve", "number-not-available", ["unlock", "delete"]),
        (("delete",), "reserve", "number-not-available", ["recover"]),
        (("delete",), "delete", "number-not-available", ["recover"]),
        ((), "release", "number-not-reserved", ["reserve", "assign", "lock"]),
        ((), "recover", "number-not-deleted", ["reserve", "assign", "lock"]),
    ],
)
async def test_then_a_refusal_says_how_it_stands_and_what_can_be_done(
    world: World, before: tuple[str, ...], verb: str, code: str, instead: list[str]
) -> None:
    """§9: which state, since when, for whom, and what could be done instead; for people and for programs."""
    path = await one(world)
    await act(world, path, *before)
    shown = created(await world.admin.get(path))
    told = problem(await world.admin.post(f"{path}/{verb}", body(world, verb)), 409, code)
    (error,) = told["errors"]
    assert (error["state"], error["instead"]) == (shown["state"], instead)
    assert error["since"] == shown["since"]
    assert f"is {shown['state']} since {shown['since']}" in told["detail"]
    assert told["detail"].endswith(f"what can be done: {', '.join(instead)}.")
    if "reserve" in before:
        assert error["reserver_id"] == world.east_org
        assert f"it is kept for org ({world.east_org}) until {shown['ends_at']}" in told["detail"]


async def test_then_it_says_whom_it_serves_to_those_who_may_know(world: World) -> None:
    """§9, P2: the platform reads the organization; its partner does too; to another branch there is no such number."""
    number, subscription = world.numbers(1)[0], str(uuid4())
    created(await world.add(number))
    facts = {"product": "number", "number": number, "sku": "DID"}
    created(await world.bill(event("started", subscription, world.east_org, **facts)))
    await world.settle()
    east, west = (world.caller("partner-admin", partner) for partner in (world.east, world.west))
    for caller in (world.admin, east):
        told = problem(await caller.post(f"/numbers/{number}/reserve", body(world, "reserve")), 409)
        assert f"it serves subscription {subscription} of org ({world.east_org})" in told["detail"]
        assert told["errors"][0]["instead"] == ["swap"]
    wanted = {"reserver_id": world.west_org, "remark": "r"}
    problem(await west.post(f"/numbers/{number}/reserve", wanted), 404, "number-unknown")


async def test_then_what_can_be_done_is_what_the_asker_may_do(world: World) -> None:
    """§9, P3: support neither assigns nor deletes."""
    path = await one(world)
    await act(world, path, "lock")
    support = world.caller("platform-support")
    told = problem(await support.post(f"{path}/reserve", body(world, "reserve")), 409)
    assert told["errors"][0]["instead"] == ["unlock"]


async def test_then_a_dry_run_tells_and_does_nothing(world: World) -> None:
    """O1: what would be, or the refusal; neither a position nor an ETag, and no key is used up."""
    path, key = await one(world), {"Idempotency-Key": str(uuid4())}
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    dry = await world.admin.post(f"{path}/lock", body(world, "lock"), params={"dry_run": "true"}, headers=key)
    assert created(dry)["state"] == "locked"
    assert dry.headers["Trunkline-Dry-Run"] == "true"
    assert not {"ETag", "Trunkline-Position"} & {name.title() for name in dry.headers}
    refused = await world.admin.post(f"{path}/unlock", body(world, "unlock"), params={"dry_run": "true"})
    problem(refused, 409, "number-not-locked")
    assert end == world.deployment.runtimes["numbers"].store.end_of_log()
    done = await world.admin.post(f"{path}/lock", body(world, "lock"), headers=key)
    assert created(done)["state"] == "locked"
    assert done.headers["ETag"] == '"2"'


async def test_then_if_match_guards_it(world: World) -> None:
    """An action on another version than the one that was read is refused."""
    path = await one(world)
    etag = (await world.admin.get(path)).headers["ETag"]
    lock = await world.admin.post(f"{path}/lock", body(world, "lock"), headers={"If-Match": etag})
    created(lock)
    stale = await world.admin.post(f"{path}/unlock", body(world, "unlock"), headers={"If-Match": etag})
    problem(stale, 412, "version-mismatch")
    fresh = {"If-Match": lock.headers["ETag"]}
    created(await world.admin.post(f"{path}/unlock", body(world, "unlock"), headers=fresh))


async def test_then_the_same_key_acts_once(world: World) -> None:
    """The same answer again, where a second act would be refused."""
    path, key = await one(world), {"Idempotency-Key": str(uuid4())}
    first, second = [await world.admin.post(f"{path}/lock", body(world, "lock"), headers=key) for _ in range(2)]
    assert created(first) == created(second)
    problem(await world.admin.post(f"{path}/lock", body(world, "lock", remark="other"), headers=key), 422)
    problem(await world.admin.post(f"{path}/lock", body(world, "lock")), 409)


async def test_then_who_waited_for_it_is_served_at_once(world: World) -> None:
    """S6: a subscription that was refused a locked number gets it in the work that unlocks it."""
    number, subscription = world.numbers(1)[0], str(uuid4())
    created(await world.add(number))
    await act(world, f"/numbers/{number}", "lock")
    facts = {"product": "number", "number": number, "sku": "DID"}
    created(await world.bill(event("started", subscription, world.east_org, later(-60).isoformat(), **facts)))
    await world.settle()
    unlocked = await world.admin.post(f"/numbers/{number}/unlock", body(world, "unlock"))
    assert created(unlocked)["subscription_id"] == subscription
    assert unlocked.headers["ETag"] == (await world.admin.get(f"/numbers/{number}")).headers["ETag"]


async def test_then_whoever_frees_it_is_not_told_who_gets_it(world: World) -> None:
    """P2, S6: the eastern partner releases; a western subscription waited; the answer is how the east left it."""
    number, subscription = world.numbers(1)[0], str(uuid4())
    east = world.caller("partner-admin", world.east)
    created(await world.add(number))
    await act(world, f"/numbers/{number}", "reserve")
    facts = {"product": "number", "number": number, "sku": "DID"}
    created(await world.bill(event("started", subscription, world.west_org, later(-60).isoformat(), **facts)))
    await world.settle()
    released = await east.post(f"/numbers/{number}/release", body(world, "release"))
    assert created(released)["state"] == "available"
    for secret in (world.west, world.west_org, subscription):
        assert secret not in released.text
    problem(await east.get(f"/numbers/{number}"), 404, "number-unknown")
    assert created(await world.admin.get(f"/numbers/{number}"))["subscription_id"] == subscription
