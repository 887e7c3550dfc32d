"""When numbers are added and asked for over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from tests.http.world import World, created, event, later, problem


async def test_what_is_added_can_be_read_in_any_spelling_of_its_path(world: World) -> None:
    """N12, N13: with `+`, `%2B` or bare digits; the ETag is the stream's version."""
    (number,) = world.numbers(1)
    answer = await world.add(number)
    body = created(answer)
    assert (body["added"], body["refused"]) == (1, 0)
    assert answer.headers["Trunkline-Position"].startswith("numbers/")
    for path in (number, f"%2B{number[1:]}", number[1:]):
        shown = await world.admin.get(f"/numbers/{path}")
        assert created(shown)["state"] == "available"
        assert shown.headers["ETag"] == '"1"'
    for known in ('"1"', 'W/"7", "1"', "*", " * "):
        again = await world.admin.get(f"/numbers/{number}", headers={"If-None-Match": known})
        assert (again.status_code, again.headers["ETag"]) == (304, '"1"')
    for other in ('"11"', '"0"', ""):
        assert (await world.admin.get(f"/numbers/{number}", headers={"If-None-Match": other})).status_code == 200


async def test_one_bad_number_never_spoils_the_others(world: World) -> None:
    """N12, §9: a result for each, with a code and a sentence; a warning for what is possible but looks unassigned."""
    there, new, national = world.numbers(3)
    created(await world.add(there))
    bad = f"+,abc,{new},+14155550100,+65315800019999,١٢٣٤٥٦٧٨"
    body = {"numbers": f"{new}, {national[3:]},{there},{bad}"}
    answer = await world.admin.post("/numbers", body | {"vendor": "v", "country": "SG", "sku": "DID"})
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [r["code"] for r in results] == [
        None,
        None,
        "number-present",
        "number-unreadable",
        "number-unreadable",
        "number-twice",
        "number-unreadable",
        "number-unreadable",
        "number-unreadable",
    ]
    assert results[1]["number"] == national
    assert all(r["reason"] for r in results if r["code"])
    unlikely = created(await world.add("+6512345678"))["results"][0]
    assert unlikely["outcome"] == "added"
    assert "unassigned" in unlikely["warning"]


async def test_a_call_that_is_wrong_as_a_whole_is_refused_as_a_whole(world: World) -> None:
    """N12, §10.9: 51 numbers, none, an unknown country, an unknown holder; nothing is added."""
    numbers = world.numbers(51)
    problem(await world.add(*numbers), 422, "too-many-numbers")
    problem(await world.add(), 422, "too-many-numbers")
    problem(await world.add(numbers[0], holder=str(uuid4())), 404, "holder-unknown")
    body = {"numbers": [numbers[0]], "vendor": "v", "country": "XX", "sku": "DID"}
    problem(await world.admin.post("/numbers", body), 422, "country-unknown")
    none = problem(await world.add("+", "abc"), 422, "no-number-added")
    assert [e["pointer"] for e in none["errors"]] == ["#/numbers/0", "#/numbers/1"]
    problem(await world.admin.get(f"/numbers/{numbers[0]}"), 404, "number-unknown")


async def test_the_past_can_be_read(world: World) -> None:
    """N13: as of an instant; a naive one, one to come and one that is none are refused."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    at = later(0).isoformat()
    before = later(-60).isoformat()
    path = f"/numbers/{number}"
    assert created(await world.admin.get(path, params={"as_of": at}))["state"] == "available"
    problem(await world.admin.get(path, params={"as_of": before}), 404, "number-unknown")
    problem(await world.admin.get(path, params={"as_of": later(3600).isoformat()}), 422, "as-of-future")
    for wrong in ("2026-01-01T00:00:00", "yesterday"):
        told = problem(await world.admin.get(path, params={"as_of": wrong}), 422, "request-invalid")
        assert told["errors"][0]["in"] == "query"
        assert told["errors"][0]["value"] == wrong


async def test_the_history_tells_who_did_what_and_why(world: World) -> None:
    """N13: actor, instants, cause; paged by a cursor that fits no other list."""
    subscription = str(uuid4())
    (number,) = world.numbers(1)
    created(await world.add(number))
    started = event("started", subscription, world.east_org, product="number", number=number, sku="DID")
    ended = event("expired", subscription, world.east_org, later(0).isoformat())
    assert created(await world.bill(started, ended))["accepted"] == 2
    await world.settle()
    path = f"/numbers/{number}/history"
    whole = created(await world.admin.get(path))
    names = [item["event"] for item in whole["items"]]
    assert names[0] == "NumberAdded"
    assert "NumberReserved" in names
    assert whole["items"][0]["actor"].startswith("user:")
    assert whole["total"] == len(names)
    page = created(await world.admin.get(path, params={"limit": 1}))
    rest = created(await world.admin.get(path, params={"cursor": page["next"]}))
    assert [i["id"] for i in page["items"] + rest["items"]] == [i["id"] for i in whole["items"]]
    problem(await world.admin.get("/numbers/refused", params={"cursor": page["next"]}), 422, "cursor-unreadable")
    problem(await world.admin.get(path, params={"sort": "colour"}), 422, "sort-unknown")
    problem(await world.admin.get(path, params={"limit": 0}), 422, "request-invalid")


async def test_a_refused_assignment_waits_and_is_served_when_its_number_is_added(world: World) -> None:
    """S6: seen under /numbers/refused, decided again in the same work that adds the number."""
    subscription, org = str(uuid4()), world.caller("org-admin", world.east_org)
    (number,) = world.numbers(1)
    started = event("started", subscription, world.east_org, product="number", number=number, sku="DID")
    created(await world.bill(started))
    await world.settle()
    position = {"Trunkline-Wait-For": f"numbers/{world.deployment.runtimes['numbers'].store.end_of_log()}"}
    waiting = created(await org.get("/numbers/refused", headers=position))
    assert [(w["number"], w["code"]) for w in waiting["items"]] == [(number, "number-unknown")]
    held = created(await world.admin.get(f"/numbers/subscriptions/{subscription}"))
    assert held["refused"]["code"] == "number-unknown"
    added = await world.add(number)
    created(added)
    assert created(await org.get(f"/numbers/{number}"))["subscription_id"] == subscription
    position = {"Trunkline-Wait-For": added.headers["Trunkline-Position"]}
    assert created(await org.get("/numbers/refused", headers=position))["total"] == 0
    assert created(await world.admin.get(f"/numbers/subscriptions/{subscription}"))["served"] == [number]


async def test_a_partner_adds_for_its_branch_and_an_organization_where_it_may(world: World) -> None:
    """P3, R6: without a holder the numbers are the asker's own."""
    partner = world.caller("partner-admin", world.east)
    org = world.caller("org-admin", world.east_org)
    own, orgs, other = world.numbers(3)
    created(await world.add(own, by=partner))
    assert created(await partner.get(f"/numbers/{own}"))["holder_id"] == world.east
    created(await world.add(orgs, by=partner, holder=world.east_org))
    problem(await world.add(other, by=partner, holder=world.west_org), 404, "holder-unknown")
    problem(await world.add(other, by=org), 403, "not-allowed")
    problem(await world.add(other, by=world.caller("platform-support")), 403, "not-allowed")
    allowed = await world.admin(
        "PATCH", f"/licensing/organizations/{world.east_org}", json={"allow_external_numbers": True}
    )
    created(allowed)
    await world.settle()
    created(await world.add(other, by=org))
    assert created(await org.get(f"/numbers/{other}"))["holder_id"] == world.east_org


async def test_nothing_of_another_branch_is_told(world: World) -> None:
    """P2: a number serving another partner's organization is unknown; what happened to it there stays there."""
    (number,), subscription = world.numbers(1), str(uuid4())
    west, east = world.caller("partner-admin", world.west), world.caller("org-admin", world.east_org)
    created(await world.add(number))
    assert created(await west.get(f"/numbers/{number}"))["state"] == "available"
    began, gone = (later(-timedelta(days=d).total_seconds()).isoformat() for d in (90, 80))
    facts = {"product": "number", "number": number, "sku": "DID"}
    created(await world.bill(event("started", subscription, world.east_org, began, **facts)))
    await world.settle()
    problem(await west.get(f"/numbers/{number}"), 404, "number-unknown")
    problem(await west.get(f"/numbers/{number}/history"), 404, "number-unknown")
    problem(await west.get(f"/numbers/subscriptions/{subscription}"), 404, "subscription-unknown")
    assert created(await east.get(f"/numbers/{number}"))["subscription_id"] == subscription
    created(await world.bill(event("expired", subscription, world.east_org, gone)))
    await world.settle()
    told = await west.get(f"/numbers/{number}/history")
    for secret in (world.east, world.east_org, subscription):
        assert secret not in told.text
    assert len(created(await east.get(f"/numbers/{number}/history"))["items"]) > len(created(told)["items"])
