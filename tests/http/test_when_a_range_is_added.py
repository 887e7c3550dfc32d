"""When a contiguous range of numbers is added in one call (N14)."""

from __future__ import annotations

from typing import Any

from tests.http.world import Caller, World, created, problem

LISTING = {"vendor": "v", "country": "SG", "sku": "DID"}


async def add(by: Caller, first: str, last: str, **more: Any) -> Any:
    return await by.post("/numbers/ranges", {"first": first, "last": last, **LISTING, **more})


def span(world: World, count: int) -> list[str]:
    """So many consecutive numbers that no other test has."""
    numbers = world.numbers(count)
    assert int(numbers[-1][1:]) - int(numbers[0][1:]) == count - 1
    return numbers


async def test_all_of_it_is_added_as_the_call_says(world: World) -> None:
    """N14: both ends count; national or E.164; with the capabilities named, for the holder named."""
    numbers = span(world, 300)
    answer = await add(world.admin, numbers[0], numbers[-1][3:], capabilities=["sms", "fax"], holder_id=world.east_org)
    told = created(answer)
    assert (told["first"], told["last"], told["added"], told["refused"]) == (numbers[0], numbers[-1], 300, 0)
    assert answer.headers["Trunkline-Position"].startswith("numbers/")
    for number in (numbers[0], numbers[150], numbers[-1]):
        shown = created(await world.admin.get(f"/numbers/{number}"))
        assert shown["capabilities"] == {"voice": False, "sms": True, "fax": True}
        assert (shown["state"], shown["holder_id"]) == ("available", world.east_org)


async def test_what_is_there_already_is_told_and_stops_nothing(world: World) -> None:
    """N14, P2: each by name, the same sentence whoever has it; a range that is all there adds nothing."""
    numbers = span(world, 10)
    partner = world.caller("partner-admin", world.east)
    created(await world.add(numbers[3], holder=world.west_org))
    created(await world.add(numbers[7], by=partner))
    answer = await add(partner, numbers[0], numbers[-1])
    assert answer.status_code == 207
    told = answer.json()
    assert (told["added"], told["refused"]) == (8, 2)
    assert told["refusals"] == [
        {"number": n, "code": "number-present", "reason": f"{n} is in the inventory already."}
        for n in (numbers[3], numbers[7])
    ]
    assert world.west_org not in answer.text
    again = problem(await add(partner, numbers[0], numbers[-1]), 409, "nothing-of-range-added")
    assert [e["value"] for e in again["errors"]] == numbers


async def test_a_range_that_is_none_is_refused_as_a_whole(world: World) -> None:
    """N14, §9: an end that is no number, backwards, of two lengths, too long; nothing is added."""
    first, last = span(world, 2)
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    wrong = [
        (await add(world.admin, "+", last), "number-unreadable"),
        (await add(world.admin, first, "x"), "number-unreadable"),
        (await add(world.admin, last, first), "range-backwards"),
        (await add(world.admin, "+6531000000", "+6518001234567"), "range-uneven"),
        (await add(world.admin, "+6531000000", "+6531010000"), "range-too-long"),
        (await add(world.admin, first, last, country="XX"), "country-unknown"),
    ]
    for answer, code in wrong:
        told = problem(answer, 422, code)
        assert told["errors"][0]["pointer"] in ("#/first", "#/last", "#/country")
    assert "10,001 numbers" in wrong[4][0].json()["detail"]
    assert "10,000" in wrong[4][0].json()["detail"]
    problem(await add(world.caller("platform-support"), first, last), 403, "not-allowed")
    problem(await add(world.caller("partner-admin", world.east), first, last, holder_id=world.west), 404)
    assert world.deployment.runtimes["numbers"].store.end_of_log() == end


async def test_ten_thousand_at_once_are_not_too_many(world: World) -> None:
    """N14, §10.9: the limit of 50 is not that of a range; a dry run says the same and adds nothing."""
    body = {"first": "+442079460000", "last": "+442079469999", **LISTING, "country": "GB"}
    would = created(await world.admin.post("/numbers/ranges", body, params={"dry_run": True}))
    assert (would["added"], would["refused"]) == (10_000, 0)
    problem(await world.admin.get("/numbers/+442079460000"), 404, "number-unknown")
    assert created(await world.admin.post("/numbers/ranges", body))["added"] == 10_000
    assert created(await world.admin.get("/numbers/+442079469999"))["state"] == "available"
