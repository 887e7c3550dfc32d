"""When one billing event is posted by itself: its verdict is the status of the answer (S1, S3, §10.14)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.http.world import World, created, event, problem

PATH = "/licensing/billing-events"
LICENSE = {"product": "license", "license_code": "phone_system", "quantity": 2}


async def post(world: World, one: Any, **headers: str) -> httpx.Response:
    """Send one event in structured mode."""
    given = {"Content-Type": "application/cloudevents+json", **headers}
    return await world.admin("POST", PATH, content=json.dumps(one), headers=given)


def ahead(days: float) -> str:
    """An instant so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_a_refused_one_answers_422_and_is_on_record(world: World) -> None:
    """S1, X6: `raise_for_status` sees it; under its idempotency key it is the same again."""
    subscription = str(uuid4())
    created(await world.bill(event("started", subscription, world.east_org, **LICENSE)))
    refused = event("reactivated", subscription, world.east_org)
    key = {"Idempotency-Key": str(uuid4())}
    answer, again = [await post(world, refused, **key) for _ in range(2)]
    told = problem(answer, 422, "not-expired")
    [result] = told["results"]
    assert (told["refused"], result["verdict"], result["id"]) == (1, "refused", refused["id"])
    assert told["detail"] == result["reason"]
    assert (again.status_code, again.content) == (422, answer.content)
    shown = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))
    assert [f["verdict"] for f in shown["facts"]] == ["accepted", "refused"]
    assert created(await post(world, refused))["duplicate"] == 1


async def test_a_quarantined_one_answers_409_and_is_on_record(world: World) -> None:
    """S3: other contents under the same source and id."""
    started = event("started", str(uuid4()), world.east_org, **LICENSE)
    created(await post(world, started))
    started["data"]["quantity"] = 3
    told = problem(await post(world, started), 409, "quarantined")
    assert told["results"][0]["verdict"] == "quarantined"
    aside = created(await world.admin.get("/licensing/operate/quarantined", params={"limit": 500}))["items"]
    assert started["id"] in [q["event_id"] for q in aside]


async def test_a_batch_of_one_answers_207(world: World) -> None:
    """S1: 207 is for batches, whatever their length."""
    subscription = str(uuid4())
    created(await world.bill(event("started", subscription, world.east_org, **LICENSE)))
    assert (await world.bill(event("reactivated", subscription, world.east_org))).status_code == 207


async def test_what_may_be_a_slip_is_accepted_with_a_warning(world: World) -> None:
    """S1: a license code that is in no catalogue, a renewal until an instant that is past."""
    subscription = str(uuid4())
    strange = event("started", subscription, world.east_org, **{**LICENSE, "license_code": "phone_sytem"})
    past = event("renewed", subscription, world.east_org, "2026-01-02T00:00:00Z", renewed_until="2026-01-03T00:00:00Z")
    fine = event("renewed", subscription, world.east_org, "2026-01-04T00:00:00Z", renewed_until=ahead(20))
    for one, code in ((strange, "license-code-unknown"), (past, "renewed-until-past"), (fine, None)):
        [result] = created(await post(world, one))["results"]
        assert (result["verdict"], [w["code"] for w in result["warnings"]]) == ("accepted", [code] if code else [])
    [again] = created(await post(world, past))["results"]
    assert (again["verdict"], again["warnings"]) == ("duplicate", [])


async def test_one_dated_ahead_is_scheduled_and_shown(world: World) -> None:
    """§10.14: it has no effect before its instant, and says from when on it counts."""
    subscription = str(uuid4())
    created(await world.bill(event("started", subscription, world.east_org, **LICENSE) | {"sequence": 1}))
    end = event("terminated", subscription, world.east_org, ahead(10)) | {"sequence": 2}
    [result] = created(await post(world, end))["results"]
    assert (result["verdict"], result["code"]) == ("scheduled", None)
    assert datetime.fromisoformat(result["counts_from"]) == datetime.fromisoformat(end["time"])
    assert created(await post(world, end))["results"][0]["verdict"] == "duplicate"
    path = f"/licensing/subscriptions/{subscription}"
    shown = created(await world.admin.get(path))
    assert (shown["status"], shown["terminated_at"], len(shown["facts"]), shown["facts_scheduled"]) == (
        *("active", None, 1, 1),
    )
    assert [(f["fact"], f["verdict"], f["code"]) for f in shown["scheduled"]] == [("terminated", "scheduled", None)]
    back = event("reactivated", subscription, world.east_org, ahead(-1)) | {"sequence": 3}
    answer = await post(world, back)
    assert created(answer)["accepted"] == 1, "it takes the end back, so there is something to reactivate"
    shown = created(await world.admin.get(path))
    assert [(f["fact"], f["code"]) for f in shown["scheduled"]] == [("terminated", "overtaken")]
    seen = {"Trunkline-Wait-For": answer.headers["Trunkline-Position"]}
    listed = created(await world.admin.get("/licensing/subscriptions", params={"limit": 500}, headers=seen))["items"]
    assert [s["facts_scheduled"] for s in listed if s["subscription_id"] == subscription] == [1]


async def test_one_dated_more_than_ten_years_ahead_is_refused(world: World) -> None:
    """§10.14: a slip."""
    started = event("started", str(uuid4()), world.east_org, ahead(3_660), **LICENSE)
    problem(await post(world, started), 422, "too-far-ahead")


async def test_a_clock_that_is_a_little_ahead_is_accepted_and_hastens_nothing(world: World) -> None:
    """§10.14: within `TRUNKLINE_CLOCK_TOLERANCE` the verdict is as ever; the fact counts at its instant alike."""
    subscription = str(uuid4())
    created(await world.bill(event("started", subscription, world.east_org, **LICENSE)))
    end = event("terminated", subscription, world.east_org, ahead(50 / 86_400))
    [result] = created(await post(world, end))["results"]
    assert (result["verdict"], result["reason"]) == ("accepted", None)
    shown = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))
    assert (shown["status"], shown["scheduled"][0]["at"]) == ("active", result["counts_from"])
    [later] = created(await post(world, event("expired", subscription, world.east_org, ahead(90 / 86_400))))["results"]
    assert later["verdict"] == "scheduled"
