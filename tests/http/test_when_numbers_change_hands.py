"""When numbers are allocated and taken back over HTTP: several at once, all or none, in one branch (R4, P2, P3)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.http.world import Caller, World, created, problem


async def allocate(world: World, holder: str, *numbers: str, by: Caller | None = None, **more: Any) -> httpx.Response:
    return await (by or world.admin).post("/numbers/allocate", {"numbers": list(numbers), "holder_id": holder, **more})


async def take_back(world: World, *numbers: str, by: Caller | None = None) -> httpx.Response:
    return await (by or world.admin).post("/numbers/take-back", {"numbers": list(numbers)})


async def test_then_they_go_down_the_tree_and_back_up(world: World) -> None:
    """R4: platform to partner to organization; each takes back what it gave; the state stays."""
    east = world.caller("partner-admin", world.east)
    first, second = world.numbers(2)
    created(await world.add(first, second))
    body = created(await allocate(world, world.east, first, second, remark="your lot"))
    assert (body["changed"], [n["outcome"] for n in body["numbers"]]) == (2, ["allocated"] * 2)
    assert {n["state"] for n in body["numbers"]} == {"available"}
    on = created(await allocate(world, world.east_org, first, by=east))["numbers"][0]
    assert (on["holder_id"], on["holder_kind"]) == (world.east_org, "organization")
    again = created(await allocate(world, world.east_org, first, by=east))
    assert (again["changed"], again["numbers"][0]["outcome"]) == (0, "unchanged")
    back = created(await take_back(world, first, by=east))["numbers"][0]
    assert (back["outcome"], back["holder_id"]) == ("taken back", world.east)
    assert created(await take_back(world, first, second))["changed"] == 2
    assert created(await world.admin.get(f"/numbers/{first}"))["holder_id"] is None


async def test_then_the_holders_branch_sees_them_and_no_one_else(world: World) -> None:
    """R4, P2: the number, its history, and looking it up."""
    number = world.numbers(1)[0]
    created(await world.add(number))
    callers = {
        "east": world.caller("partner-admin", world.east),
        "east org": world.caller("org-admin", world.east_org),
        "west": world.caller("partner-admin", world.west),
        "west org": world.caller("org-admin", world.west_org),
    }

    async def seen() -> set[str]:
        found = set()
        for name, caller in callers.items():
            answers = [(await caller.get(f"/numbers/{number}{part}")).status_code for part in ("", "/history")]
            looked = created(await caller.post("/numbers/lookup", {"numbers": [number]}))["found"]
            assert answers in ([200, 200], [404, 404])
            assert looked == (answers[0] == 200)
            found |= {name} if looked else set()
        return found

    assert await seen() == set(callers)
    created(await allocate(world, world.east, number))
    assert await seen() == {"east", "east org"}
    created(await allocate(world, world.east_org, number))
    assert await seen() == {"east", "east org"}
    created(await world.admin.post(f"/numbers/{number}/lock", {"remark": "r"}))
    assert await seen() == {"east", "east org"}
    created(await take_back(world, number))
    for name, caller in callers.items():  # locked, and nobody's: whoever had it keeps what happened then
        problem(await caller.get(f"/numbers/{number}"), 404, "number-unknown")
        assert (await caller.get(f"/numbers/{number}/history")).is_success == name.startswith("east")


async def test_then_the_ones_in_the_way_are_named_and_none_is_moved(world: World) -> None:
    """R4, §9: a reservation outside the new branch, another holder, a deleted one; and what is fine waits with them."""
    fine, kept, held, gone = world.numbers(4)
    created(await world.add(fine, kept, held, gone))
    created(await world.admin.post(f"/numbers/{kept}/reserve", {"reserver_id": world.west_org, "remark": "r"}))
    created(await allocate(world, world.west, held))
    created(await world.admin.post(f"/numbers/{gone}/delete", {"reason": "other", "remark": "r"}))
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    told = problem(await allocate(world, world.east, fine, kept, held, gone), 409, "numbers-in-the-way")
    assert f"{kept}, {held}, {gone} stand in the way" in told["detail"]
    assert [(e["pointer"], e["value"], e["code"]) for e in told["errors"]] == [
        ("#/numbers/1", kept, "number-used-outside"),
        ("#/numbers/2", held, "number-held-elsewhere"),
        ("#/numbers/3", gone, "number-not-in-inventory"),
    ]
    assert world.west_org in told["errors"][0]["detail"]
    assert told["errors"][2]["instead"] == ["recover"]
    assert end == world.deployment.runtimes["numbers"].store.end_of_log()
    assert created(await allocate(world, world.west, kept))["changed"] == 1


async def test_then_a_bound_number_is_in_the_way_of_being_taken_back(world: World) -> None:
    """§3, R5: the one with a user is named; the other stays too."""
    bound, other = world.numbers(2)
    created(await world.add(bound, other, holder=world.east_org))
    body = {"kind": "trunk", "user_id": str(uuid4())}
    created(await world.admin.post(f"/numbers/{bound}/bind", body))
    told = problem(await take_back(world, other, bound), 409, "numbers-in-the-way")
    assert [(e["value"], e["code"], e["instead"]) for e in told["errors"]] == [
        (bound, "number-has-binding", ["unbind"])
    ]
    assert created(await world.admin.get(f"/numbers/{other}"))["holder_id"] == world.east_org
    created(await world.admin.post(f"/numbers/{bound}/unbind", {"kind": "trunk"}))
    assert created(await take_back(world, other, bound))["changed"] == 2


async def test_then_a_foreign_number_is_as_unknown_as_none(world: World) -> None:
    """P2: the same answer, and nothing is done for the others."""
    east = world.caller("partner-admin", world.east)
    mine, foreign, none = world.numbers(3)
    created(await world.add(mine, holder=world.east))
    created(await world.add(foreign, holder=world.west_org))
    for number in (foreign, none):
        answers = (
            await allocate(world, world.east_org, mine, number, by=east),
            await take_back(world, mine, number, by=east),
        )
        for answer in answers:
            told = problem(answer, 404, "numbers-unknown")
            assert told["detail"] == f"Nothing was done: {number} is not in the inventory."
            assert [(e["pointer"], e["code"]) for e in told["errors"]] == [("#/numbers/1", "number-unknown")]
    assert created(await east.get(f"/numbers/{mine}"))["holder_id"] == world.east


async def test_then_only_down_ones_own_branch(world: World) -> None:
    """P3, R4: a partner to its organizations, neither to itself nor to others, and not out of the platform's stock."""
    east, org = world.caller("partner-admin", world.east), world.caller("org-admin", world.east_org)
    held, stock = world.numbers(2)
    created(await world.add(held, holder=world.east))
    created(await world.add(stock))
    problem(await allocate(world, world.east, held, by=east), 403, "not-allowed")
    problem(await allocate(world, world.west_org, held, by=east), 404, "holder-unknown")
    told = problem(await allocate(world, world.east_org, stock, by=east), 409, "numbers-in-the-way")
    assert told["errors"][0]["code"] == "number-not-yours-to-allocate"
    problem(await allocate(world, world.east_org, held, by=org), 403, "not-allowed")
    problem(await take_back(world, held, by=org), 403, "not-allowed")
    problem(await allocate(world, world.east, held, by=world.caller("platform-support")), 403, "not-allowed")
    assert created(await allocate(world, world.east_org, held, by=east))["changed"] == 1


async def test_then_what_is_said_of_another_holder_stays_there(world: World) -> None:
    """P2, N13: who had it once sees that it went, neither to whom nor what was said of it."""
    east = world.caller("partner-admin", world.east)
    number, word = world.numbers(1)[0], f"for-{uuid4().hex}"
    created(await world.add(number, holder=world.east))
    created(await take_back(world, number))
    created(await allocate(world, world.west, number, remark=word))
    told = await east.get(f"/numbers/{number}/history")
    assert [item["event"] for item in created(told)["items"]] == ["NumberAdded", "NumberAllocated", "NumberAllocated"]
    assert word not in told.text
    assert world.west not in told.text
    assert word in (await world.admin.get(f"/numbers/{number}/history")).text


async def test_then_a_command_that_cannot_be_read_is_refused_whole(world: World) -> None:
    """§9: no number, too many, what is none; each with its place. A number that is named twice counts once."""
    number = world.numbers(1)[0]
    created(await world.add(number))
    problem(await allocate(world, world.east), 422, "request-invalid")
    problem(await allocate(world, world.east, *[number] * 1001), 422, "request-invalid")
    told = problem(await allocate(world, world.east, number, "abc", "+", "1" * 16), 422, "numbers-unreadable")
    assert [e["pointer"] for e in told["errors"]] == ["#/numbers/1", "#/numbers/2", "#/numbers/3"]
    problem(await allocate(world, world.east, number, remark="x" * 10_000), 422, "remark-unreadable")
    problem(await allocate(world, str(uuid4()), number), 404, "holder-unknown")
    assert created(await allocate(world, world.east, number, number[1:], f" {number} "))["changed"] == 1


async def test_then_a_dry_run_moves_nothing(world: World) -> None:
    """O1."""
    number = world.numbers(1)[0]
    created(await world.add(number))
    body = {"numbers": [number], "holder_id": world.east}
    dry = created(await world.admin.post("/numbers/allocate", body, params={"dry_run": "true"}))
    assert dry["numbers"][0]["holder_id"] == world.east
    assert created(await world.admin.get(f"/numbers/{number}"))["holder_id"] is None
