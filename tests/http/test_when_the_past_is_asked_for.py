"""When somebody asks who held a number, whether it was recycled, or how many numbers stand (N13, P2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.http.world import Caller, World, created, event, later, problem


def ago(days: float) -> str:
    """An instant some days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def lived(world: World, *facts: tuple[str, str, str, float], number: str | None = None) -> str:
    """A number, and what happened to subscriptions on it: (what, subscription, organization, days ago)."""
    key = number or world.numbers(1)[0]
    if number is None:
        created(await world.add(key))
    told = {"product": "number", "number": key, "sku": "DID"}
    for what, subscription, organization, days in facts:
        more = told if what == "started" else {}
        created(await world.bill(event(what, subscription, organization, ago(days), **more)))
        await world.settle()
    return key


async def asked(caller: Caller, number: str, question: str, **params: Any) -> Any:
    return created(await caller.get(f"/numbers/{number}/{question}", params=params))


async def test_then_many_numbers_are_looked_up_within_the_branch(world: World) -> None:
    """P2: each once, in order; a foreign one is as unknown as none. It is a question: nothing is recorded."""
    east = world.caller("partner-admin", world.east)
    mine, foreign, none = world.numbers(3)
    created(await world.add(mine, holder=world.east_org))
    created(await world.add(foreign, holder=world.west_org))
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    wanted = {"numbers": [none, mine, foreign, mine[1:]]}
    body = created(await east.post("/numbers/lookup", wanted))
    assert (body["found"], body["unknown"]) == (1, 2)
    assert [(n["number"], n["found"] and n["found"]["state"]) for n in body["numbers"]] == [
        (none, None),
        (mine, "available"),
        (foreign, None),
    ]
    assert created(await world.admin.post("/numbers/lookup", wanted))["found"] == 2
    assert end == world.deployment.runtimes["numbers"].store.end_of_log()
    problem(await world.caller("member", world.east_org).post("/numbers/lookup", wanted), 403, "not-allowed")
    problem(await east.post("/numbers/lookup", {"numbers": []}), 422, "request-invalid")
    problem(await east.post("/numbers/lookup", {"numbers": ["one"]}), 422, "numbers-unreadable")
    problem(await east.post("/numbers/lookup", {"numbers": [mine] * 1001}), 422, "request-invalid")


async def test_then_who_held_it_is_one_question(world: World) -> None:
    """N13: whom it served, for whom it was kept, by name, at that instant."""
    first = str(uuid4())
    number = await lived(world)
    added = later(0).isoformat()
    await lived(world, ("started", first, world.east_org, 0), number=number)
    served = later(0).isoformat()
    await lived(world, ("terminated", first, world.east_org, 0), number=number)
    kept = later(0).isoformat()
    before, then, after = [await asked(world.admin, number, "held-by", at=at) for at in (added, served, kept)]
    assert (before["state"], before["organization_id"], before["reserver_id"]) == ("available", None, None)
    assert (then["state"], then["organization_id"], then["organization"]) == ("assigned", world.east_org, "org")
    assert then["subscription_id"] == first
    assert (after["state"], after["reserver_id"], after["reserver"]) == ("reserved", world.east_org, "org")
    assert after["ends_at"] is not None


async def test_then_it_is_answered_within_the_askers_branch(world: World) -> None:
    """N13, P2: the branch that had it then may know, the one that has it now may not; nor whoever never had it."""
    first = str(uuid4())
    number = await lived(world, ("started", first, world.east_org, 0))
    served = later(0).isoformat()
    east, west = (world.caller("org-admin", org) for org in (world.east_org, world.west_org))
    await lived(world, ("terminated", first, world.east_org, 0), number=number)
    created(await world.admin.post(f"/numbers/{number}/release", {"remark": "r"}))
    created(await world.admin.post("/numbers/allocate", {"numbers": [number], "holder_id": world.west_org}))
    now = later(0).isoformat()
    assert (await asked(east, number, "held-by", at=served))["organization_id"] == world.east_org
    problem(await east.get(f"/numbers/{number}/held-by", params={"at": now}), 404, "number-unknown")
    problem(await west.get(f"/numbers/{number}/held-by", params={"at": served}), 404, "number-unknown")
    assert (await asked(west, number, "held-by", at=now))["holder_id"] == world.west_org


async def test_then_a_number_is_recycled_when_it_changes_hands(world: World) -> None:
    """N13: it left its customer, or came to another; since before that, and not since after it."""
    first, second = str(uuid4()), str(uuid4())
    number = await lived(world, ("started", first, world.east_org, 0))
    served = later(0).isoformat()
    assert not (await asked(world.admin, number, "recycled", since=served))["recycled"]
    await lived(world, ("terminated", first, world.east_org, 0), number=number)
    assert not (await asked(world.admin, number, "recycled", since=served))["recycled"]  # it is kept for its customer
    created(await world.admin.post(f"/numbers/{number}/release", {"remark": "r"}))
    left = await asked(world.admin, number, "recycled", since=served)
    assert [(t["what"], t["organization_id"]) for t in left["turns"]] == [("released", world.east_org)]
    await lived(world, ("started", second, world.west_org, 0), number=number)
    moved = await asked(world.admin, number, "recycled", since=served)
    assert moved["recycled"]
    assert [t["what"] for t in moved["turns"]] == ["released", "assigned"]
    assert not (await asked(world.admin, number, "recycled", since=later(0).isoformat()))["recycled"]


async def test_then_the_one_who_lost_it_is_told_so_and_not_who_has_it(world: World) -> None:
    """N13, P2: of the other branch neither ids nor instants; the other branch learns as little."""
    first, second = str(uuid4()), str(uuid4())
    number = await lived(world, ("started", first, world.east_org, 0))
    served = later(0).isoformat()
    await lived(world, ("terminated", first, world.east_org, 0), number=number)
    created(await world.admin.post(f"/numbers/{number}/release", {"remark": "r"}))
    await lived(world, ("started", second, world.west_org, 0), number=number)
    east, west = (world.caller("org-admin", org) for org in (world.east_org, world.west_org))
    lost = await asked(east, number, "recycled", since=served)
    assert (lost["recycled"], [t["what"] for t in lost["turns"]]) == (True, ["released"])
    gained = await west.get(f"/numbers/{number}/recycled", params={"since": served})
    assert world.east_org not in gained.text
    assert first not in gained.text
    body = created(gained)
    assert (body["recycled"], body["turns"]) == (False, [])
    assert body["known_from"] > served
    problem(await world.caller("org-admin", str(uuid4())).get(f"/numbers/{number}/recycled?since={ago(1)[:19]}Z"), 404)


async def test_then_one_that_came_back_is_not_recycled(world: World) -> None:
    """N13, §10.10: released by time and restored to the same subscription."""
    first = str(uuid4())
    number = await lived(world)
    began = later(0).isoformat()
    await lived(
        world,
        ("started", first, world.east_org, 100),
        ("expired", first, world.east_org, 90),
        ("reactivated", first, world.east_org, 80),
        number=number,
    )
    told = await asked(world.admin, number, "recycled", since=began)
    assert (told["recycled"], told["turns"]) == (False, [])


async def test_then_an_instant_that_is_none_is_refused(world: World) -> None:
    """§9: none, without zone, to come."""
    number = await lived(world)
    for question, name in (("held-by", "at"), ("recycled", "since")):
        path = f"/numbers/{number}/{question}"
        for wrong, code in (
            (None, "request-invalid"),
            ("2026-01-01T00:00:00", "request-invalid"),
            ("x", "request-invalid"),
        ):
            problem(await world.admin.get(path, params={} if wrong is None else {name: wrong}), 422, code)
        told = problem(await world.admin.get(path, params={name: later(3600).isoformat()}), 422, "as-of-future")
        assert told["errors"][0]["pointer"] == f"#/{name}"
    problem(await world.admin.get(f"/numbers/{number}/held-by", params={"at": ago(1)}), 404, "number-unknown")


async def test_then_the_history_goes_down_to_the_billing_event(world: World) -> None:
    """N13, X2: what licensing said is the cause of it, and billing's own event the first cause."""
    number, subscription = world.numbers(1)[0], str(uuid4())
    created(await world.add(number))
    started = event("started", subscription, world.east_org, product="number", number=number, sku="DID")
    created(await world.bill(started))
    await world.settle()
    added, assigned = created(await world.admin.get(f"/numbers/{number}/history"))["items"]
    assert assigned["correlation_id"] == started["id"]
    assert assigned["causation_id"] not in (started["id"], added["causation_id"])
    assert assigned["actor"] == "/trunkline/licensing"


async def test_then_what_happens_meanwhile_neither_repeats_nor_skips_a_line(world: World) -> None:
    """N13, O1: a page of the newest first goes on where it left off, though something newer has come."""
    (number,) = world.numbers(1)
    path, newest_first = f"/numbers/{number}", {"sort": "-at", "limit": 2}
    created(await world.add(number))
    for door in ("lock", "unlock"):
        created(await world.admin.post(f"{path}/{door}", {"remark": "to be checked"}))
    first = created(await world.admin.get(f"{path}/history", params=newest_first))
    created(await world.admin.post(f"{path}/lock", {"remark": "once more"}))
    rest = created(await world.admin.get(f"{path}/history", params={**newest_first, "cursor": first["next"]}))
    whole = created(await world.admin.get(f"{path}/history"))["items"]
    assert [*first["items"], *rest["items"]] == whole[2::-1]
    assert (len(whole), rest["next"]) == (4, None)
    begun = created(await world.admin.get(f"{path}/history", params={"limit": 3}))
    ended = created(await world.admin.get(f"{path}/history", params={"limit": 3, "cursor": begun["next"]}))
    assert [*begun["items"], *ended["items"]] == whole
