"""What was put aside is settled by a person, so that `doctor` has nothing left to look at (S3, S7, O7, P6)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.http.world import World, created, event, later, problem

OPERATE = "/licensing/operate"


async def figures(world: World) -> tuple[int, int]:
    """Open conflicting duplicates and waiting facts, as doctor reads them."""
    found = created(await world.admin.get(f"{OPERATE}/doctor"))
    return found["quarantined"], found["waiting"]


async def conflict(world: World) -> tuple[str, str, int]:
    """A subscription; what a second event of its first one's id says that its number is; the row's id."""
    first, second = world.numbers(2)
    subscription, at = str(uuid4()), later(-60).isoformat()
    told: dict[str, Any] = event("started", subscription, world.east_org, at, product="number", number=first, sku="S")
    created(await world.bill(told))
    told["data"] |= {"number": second}
    created(await world.bill(told))
    (aside,) = created(await world.admin.get(f"{OPERATE}/quarantined", params={"status": "open"}))["items"]
    return subscription, second, aside["id"]


async def test_then_a_conflicting_duplicate_is_dismissed_once(world: World) -> None:
    """S3: what took effect first stands; the message and the remark stay readable."""
    _, second, row = await conflict(world)
    path = f"{OPERATE}/quarantined/{row}/dismiss"
    assert await figures(world) == (1, 0)
    problem(await world.admin.post(path, {"remark": " "}), 422)
    assert created(await world.admin.post(path, {"remark": "sent twice"}, params={"dry_run": "true"}))["id"] == row
    assert await figures(world) == (1, 0)
    problem(await world.admin.post(path, {"remark": "sent twice\u202e"}), 422)
    created(await world.admin.post(path, {"remark": " sent  twice "}))
    assert await figures(world) == (0, 0)
    told = problem(await world.admin.post(path, {"remark": "again"}), 409, "conflict-settled")
    assert "dismissed" in told["detail"]
    (kept,) = created(await world.admin.get(f"{OPERATE}/quarantined"))["items"]
    assert (kept["status"], kept["remark"], second in kept["message"]) == ("dismissed", "sent twice", True)
    commands = [row["command"] for row in created(await world.admin.get(f"{OPERATE}/audit"))["items"]]
    assert "conflict dismiss" in commands
    problem(await world.admin.post(f"{OPERATE}/quarantined/99/dismiss", {"remark": "x"}), 404, "nothing-there")


async def test_then_a_conflicting_duplicate_is_applied_as_an_event_of_its_own(world: World) -> None:
    """S3, X3: judged like any other event, on record under the id that it was given; an id is taken once."""
    subscription, _, row = await conflict(world)
    path = f"{OPERATE}/quarantined/{row}/apply"
    (fact,) = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))["facts"]
    problem(await world.admin.post(path, {"event_id": fact["id"]}), 409, "event-id-taken")
    assert await figures(world) == (1, 0)
    done = created(await world.admin.post(path, {"remark": "this one is right"}))
    assert (done["status"], done["event_id"]) == ("applied", f"{fact['id']}/{row}")
    assert [e["type"] for e in done["recorded"]] == ["licensing.SubscriptionFactRefused"]
    assert await figures(world) == (0, 0)
    facts = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))["facts"]
    assert [(f["id"], f["verdict"]) for f in facts] == [(fact["id"], "accepted"), (done["event_id"], "refused")]


async def test_then_waiting_facts_are_dismissed_or_decided_again(world: World) -> None:
    """S7: of a subscription without its start, and of a party whose partner is unknown."""
    subscription = str(uuid4())
    created(await world.bill(event("expired", subscription, world.east_org, later(-60).isoformat())))
    assert await figures(world) == (0, 1)
    path = f"{OPERATE}/waiting/subscription/{subscription}"
    still = created(await world.admin.post(f"{path}/retry"))["still_awaits"]
    assert still == [f"subscription/{subscription}"]
    problem(await world.admin.post(f"{path}/dismiss", {"remark": "r", "source": "/x", "id": "y"}), 404, "nothing-there")
    problem(await world.admin.post(f"{path}/dismiss", {"remark": "r", "id": "y"}), 422)
    done = created(await world.admin.post(f"{path}/dismiss", {"remark": "a test of billing's"}))
    assert (done["dismissed"], done["still_awaits"]) == (1, [])
    assert await figures(world) == (0, 0)
    problem(await world.admin.post(f"{path}/dismiss", {"remark": "again"}), 409, "nothing-waits")
    shown = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))["facts"]
    assert [(f["verdict"], f["code"]) for f in shown] == [("refused", "fact-dismissed")]
