"""When billing posts its events over HTTP instead of publishing them (S1)."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import pytest

from tests.http.world import World, created, event, problem
from trunkline.security.event_sources import SourceForeign, check_sources
from trunkline.security.principal import Principal

PATH = "/licensing/billing-events"
ONE = {"Content-Type": "application/cloudevents+json"}


async def test_each_event_of_a_batch_has_its_outcome(world: World) -> None:
    """S1, S3, S7, X6: 200 when all are taken, 207 when some are not; siblings go on."""
    org, subscription, other = world.east_org, str(uuid4()), str(uuid4())
    started = event("started", subscription, org, product="license", license_code="phone_system", quantity=2)
    too_early = event("expired", other, org)
    answer = await world.bill(started, started, too_early)
    assert answer.status_code == 200
    assert [r["verdict"] for r in answer.json()["results"]] == ["accepted", "duplicate", "waiting"]
    changed = json.loads(json.dumps(started))
    changed["data"]["quantity"] = 3
    refused = event("number_swapped", subscription, org, old_number="+6531000001", new_number="+6531000002")
    stranger = event("expired", subscription, org) | {"type": "billing.subscription.exploded"}
    answer = await world.bill(
        changed, refused, stranger, {"specversion": "1.0"}, event("terminated", subscription, org)
    )
    assert answer.status_code == 207
    results = answer.json()["results"]
    verdicts = ["quarantined", "refused", "unreadable", "unreadable", "accepted"]
    assert [r["verdict"] for r in results] == verdicts
    assert results[1]["code"] == "wrong-product"
    assert results[2]["pointer"] == "#/2"
    assert all(r["reason"] for r in results[:4])
    told = created(await world.admin.get(f"/licensing/subscriptions/{subscription}"))
    assert (told["status"], told["quantity"]) == ("terminated", 2)
    assert [f["verdict"] for f in told["facts"]] == ["accepted", "refused", "accepted"]
    assert told["facts"][1]["reason"]


async def test_all_three_ways_to_send_an_event_mean_the_same(world: World) -> None:
    """Structured, batch, and binary mode with `ce-` headers."""
    one = event("started", str(uuid4()), world.east_org, product="did_reservation", quantity=1, plan_days=30)
    first = await world.admin("POST", PATH, content=json.dumps(one), headers=ONE)
    assert created(first)["accepted"] == 1
    assert created(await world.bill(one))["duplicate"] == 1
    binary = {f"ce-{name}": value for name, value in one.items() if name != "data"}
    answer = await world.admin.post(PATH, one["data"], headers=binary)
    assert created(answer)["duplicate"] == 1


async def test_what_is_no_event_is_a_problem(world: World) -> None:
    """§9: 422 with the code of what is wrong, 415 for another type."""
    for body in (b"", b"{", b"\xff", b"{}", json.dumps(event("expired", "x", world.east_org)).encode()):
        told = problem(await world.admin("POST", PATH, content=body, headers=ONE), 422, "event-unreadable")
        assert told["errors"][0]["code"]
    problem(await world.admin("POST", PATH, content=b"{}", headers={"Content-Type": "text/csv"}), 415)
    problem(await world.admin.post(PATH, {}), 415)
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    problem(await world.admin("POST", PATH, content=b"{}", headers=batch), 422, "event-unreadable")
    assert created(await world.admin("POST", PATH, content=b"[]", headers=batch))["results"] == []
    too_long = b"[" + b"0," * 5000 + b"0]"
    problem(await world.admin("POST", PATH, content=too_long, headers=batch), 413, "batch-too-long")
    large = json.dumps([event("expired", str(uuid4()), world.east_org) for _ in range(4000)]).encode()
    assert len(large) > 1_048_576
    assert created(await world.admin("POST", PATH, content=large, headers=batch))["waiting"] == 4000
    huge = b" " * (16 * 1_048_576 + 1)
    problem(await world.admin("POST", PATH, content=huge, headers=batch), 413, "body-too-large")


async def test_only_billing_and_the_platform_may(world: World) -> None:
    """P1: the scope billing:write; a machine of one partner for that branch only."""
    one = event("expired", str(uuid4()), world.east_org)
    problem(await world.bill(one, by=world.caller("machine")), 403, "scope-missing")
    for role, party in (("platform-support", None), ("partner-admin", world.east), ("org-admin", world.east_org)):
        problem(await world.bill(one, by=world.caller(role, party)), 403, "not-allowed")
    scopes = ("billing:write",)
    west, east = (world.caller("machine", p, scopes, sources=["/billing"]) for p in (world.west, world.east))
    problem(await world.bill(one, by=west), 404, "party-unknown")
    created(await world.bill(one, by=east))
    created(await world.bill(one, by=world.caller("machine", scopes=scopes)))


async def test_a_source_is_bound_to_who_uses_it(world: World) -> None:
    """S3, P2: a partner's machine can neither spoil nor probe the ids of the platform's source."""
    scopes = ("billing:write",)
    facts = {"product": "license", "license_code": "phone_system", "quantity": 1}
    theirs = event("started", str(uuid4()), world.east_org, **facts)
    same_id = event("started", str(uuid4()), world.west_org, **facts) | {"id": theirs["id"]}
    unused = event("started", str(uuid4()), world.west_org, **facts)
    bound = world.caller("machine", world.west, scopes, sources=["/west"])
    answers = []
    for by in (world.caller("machine", world.west, scopes), bound):
        answers += [problem(await world.bill(one, by=by), 403, "source-foreign") for one in (same_id, unused)]
    created(await world.bill(theirs))
    answers += [problem(await world.bill(one, by=bound), 403, "source-foreign") for one in (same_id, unused)]
    assert len({answer["detail"] for answer in answers}) == 2, "the same before and after the platform used the id"
    own = [one | {"source": "/west"} for one in (same_id, unused)]
    assert created(await world.bill(*own, by=bound))["accepted"] == 2
    narrow = world.caller("machine", None, scopes, sources=["/only"])
    problem(await world.bill(event("expired", str(uuid4()), world.east_org), by=narrow), 403, "source-foreign")


def test_the_platforms_sources_are_no_partys() -> None:
    """S3, P2: neither by a token that names them, nor where people's and Trunkline's own names are meant."""
    west = Principal("w", "machine", str(uuid4()), frozenset(), sources=frozenset({"/billing", "/west"}))
    platform, person = Principal("b", "machine"), Principal("a", "platform-admin")
    check_sources(west, ["/west", "/billing"], ())
    check_sources(platform, ["/billing", "/anything"], ())
    check_sources(person, ["/billing"], {"/billing"})
    for principal, source in (
        (west, "/billing"),
        (platform, "/other"),
        (person, "/other"),
        (person, "user:ada"),
        (platform, "/trunkline/numbers"),
    ):
        with pytest.raises(SourceForeign, match=source):
            check_sources(principal, [source], {"/billing"})


async def test_nothing_comes_onto_the_record_of_anothers_subscription(world: World) -> None:
    """P2: not even a refusal, when a machine of one partner names its own organization with it."""
    facts = {"product": "license", "license_code": "a", "quantity": 1}
    started = event("started", str(uuid4()), world.east_org, **facts)
    created(await world.bill(started))
    store = world.deployment.runtimes["licensing"].store
    end = store.end_of_log()
    machine = world.caller("machine", world.west, ("billing:write",), sources=["/billing"])
    theirs = event("terminated", started["subject"], world.west_org, "2026-02-01T00:00:00Z")
    problem(await world.bill(event("expired", str(uuid4()), world.west_org), theirs, by=machine), 404)
    assert store.end_of_log() == end


async def test_the_same_batch_at_the_same_moment_counts_once(world: World) -> None:
    """S3: two deliveries at once: each event accepted by one of them."""
    facts = {"product": "license", "license_code": "a", "quantity": 1}
    for _ in range(5):
        started = event("started", str(uuid4()), world.east_org, **facts)
        expired = event("expired", started["subject"], world.east_org, "2026-02-01T00:00:00Z")
        answers = await asyncio.gather(*(world.bill(started, expired) for _ in range(8)))
        assert sum(created(answer)["accepted"] for answer in answers) == 2
        assert sum(created(answer)["duplicate"] for answer in answers) == 14


async def test_subscriptions_are_listed_within_the_branch(world: World) -> None:
    """S2, P2: filters, pages, and nobody else's."""
    ids = [str(uuid4()) for _ in range(3)]
    orgs = (world.east_org, world.east_org, world.west_org)
    facts = {"product": "license", "license_code": "phone_system", "quantity": 1}
    answer = await world.bill(*(event("started", s, o, **facts) for s, o in zip(ids, orgs, strict=True)))
    position = {"Trunkline-Wait-For": answer.headers["Trunkline-Position"]}
    east, org = world.caller("partner-admin", world.east), world.caller("org-admin", world.west_org)
    listed = created(await east.get("/licensing/subscriptions", headers=position))
    assert sorted(s["subscription_id"] for s in listed["items"]) == sorted(ids[:2])
    page = created(await east.get("/licensing/subscriptions", params={"limit": 1}, headers=position))
    rest = created(await east.get("/licensing/subscriptions", params={"cursor": page["next"]}, headers=position))
    assert page["items"] + rest["items"] == listed["items"]
    assert created(await org.get("/licensing/subscriptions", headers=position))["total"] == 1
    none = {"organization_id": world.east_org}
    assert created(await org.get("/licensing/subscriptions", params=none, headers=position))["total"] == 0
    only = {"organization_id": world.east_org, "product": "license", "status": "active"}
    assert created(await world.admin.get("/licensing/subscriptions", params=only, headers=position))["total"] == 2
    problem(await org.get(f"/licensing/subscriptions/{ids[0]}"), 404, "subscription-unknown")
    problem(await org.get(f"/licensing/subscriptions/{uuid4()}"), 404, "subscription-unknown")
