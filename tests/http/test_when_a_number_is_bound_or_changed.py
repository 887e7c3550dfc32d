"""When a number is bound to a user, or what it is changes, over HTTP (R5, R6, R8, R9, R10, P3, §9)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.http.world import Caller, World, created, event, problem


async def bind(world: World, number: str, kind: str = "trunk", by: Caller | None = None, **more: Any) -> httpx.Response:
    body = {"kind": kind, "user_id": str(uuid4()), **more}
    return await (by or world.admin).post(f"/numbers/{number}/bind", body)


async def change(world: World, number: str, by: Caller | None = None, **wanted: Any) -> httpx.Response:
    return await (by or world.admin)("PATCH", f"/numbers/{number}", json=wanted)


async def held(world: World, **given: Any) -> str:
    """A new number that the eastern organization holds."""
    (number,) = world.numbers(1)
    created(await world.add(number, **({"holder": world.east_org} | given)))
    return number


async def allow_external(world: World) -> Caller:
    """The eastern organization's admin, who may bring numbers from now on."""
    path = f"/licensing/organizations/{world.east_org}"
    created(await world.admin("PATCH", path, json={"allow_external_numbers": True}))
    await world.settle()
    return world.caller("org-admin", world.east_org)


# -- binding ----------------------------------------------------------------------------------------------------------


async def test_then_an_organization_binds_what_it_holds_and_what_it_is_assigned(world: World) -> None:
    """R5, P3: by its own admin, by its partner's, by the platform's; at most one of each kind."""
    org, east = world.caller("org-admin", world.east_org), world.caller("partner-admin", world.east)
    number, user = await held(world), str(uuid4())
    shown = created(await bind(world, number, by=org, user_id=user))
    assert [(b["kind"], b["user_id"], b["organization_id"]) for b in shown["bindings"]] == [
        ("trunk", user, world.east_org)
    ]
    again = await bind(world, number, by=east, user_id=user)
    assert created(again) == shown
    told = problem(await bind(world, number, by=org), 409, "binding-not-allowed")
    assert "serves a voice user already" in told["detail"]
    problem(await bind(world, number, "sms", by=org), 409, "binding-not-allowed")
    created(await east.post(f"/numbers/{number}/unbind", {"kind": "trunk", "remark": "left"}))
    created(await change(world, number, capabilities={"sms": True}))
    assert created(await bind(world, number, "sms", by=org))["bindings"][0]["kind"] == "sms"
    assigned = await held(world, holder=None)
    facts = {"product": "number", "number": assigned, "sku": "DID"}
    created(await world.bill(event("started", str(uuid4()), world.east_org, **facts)))
    await world.settle()
    assert created(await bind(world, assigned, by=org))["state"] == "assigned"
    assert created(await world.admin.get(f"/numbers/{assigned}/history"))["items"][-1]["event"] == "NumberBound"


async def test_then_a_number_that_is_not_the_organizations_serves_no_user(world: World) -> None:
    """R5: its partner's, the stock's, a reserved one; and the user of a PBX comes through the extension alone."""
    org = world.caller("org-admin", world.east_org)
    partners, stock, reserved = await held(world, holder=world.east), await held(world, holder=None), await held(world)
    created(await world.admin.post(f"/numbers/{reserved}/reserve", {"reserver_id": world.east_org, "remark": "r"}))
    for number in (partners, stock, reserved):
        told = problem(await bind(world, number, by=org), 409, "binding-not-allowed")
        assert "neither assigned to the organization nor available and held by it" in told["detail"]
    problem(await bind(world, await held(world), "pbx"), 422, "request-invalid")


async def test_then_what_serves_a_user_stays_where_it_is(world: World) -> None:
    """§3, R7, R8: neither locked, deleted, nor kept for another; the refusal says to unbind it."""
    number = await held(world)
    created(await bind(world, number))
    acts: dict[str, dict[str, Any]] = {
        "lock": {"remark": "r"},
        "delete": {"remark": "r", "reason": "other"},
        "reserve": {"remark": "r", "reserver_id": world.west_org},
    }
    for verb, body in acts.items():
        told = problem(await world.admin.post(f"/numbers/{number}/{verb}", body), 409, "number-has-binding")
        assert told["errors"][0]["instead"] == ["unbind"]
        assert told["detail"].endswith("what can be done: unbind.")
    problem(await change(world, number, voice_carrier="other"), 409, "number-has-binding")


async def test_then_an_external_number_is_added_and_bound_on_the_spot(world: World) -> None:
    """R6, R2: in one command, where the organization may; the number is its own from then on."""
    number = world.numbers(1)[0]
    external = {"country": "SG", "vendor": "Harbour Carrier"}
    forbidden = world.caller("org-admin", world.east_org)
    problem(await bind(world, number, by=forbidden, external=external), 403, "not-allowed")
    problem(await bind(world, number, by=forbidden), 404, "number-unknown")
    org = await allow_external(world)
    problem(await bind(world, number, by=org), 404, "number-unknown")
    shown = created(await bind(world, number, "sms", by=org, external=external))
    assert (shown["holder_id"], shown["uploader_id"]) == (world.east_org, world.east_org)
    assert (shown["capabilities"]["sms"], shown["sms_carrier"], shown["vendor"]) == (True, "default", "Harbour Carrier")
    history = created(await org.get(f"/numbers/{number}/history"))["items"]
    assert [item["event"] for item in history] == ["NumberAdded", "NumberBound"]
    created(await org.post(f"/numbers/{number}/unbind", {"kind": "sms"}))
    created(await bind(world, number, by=org, external=external))
    problem(await world.admin.post("/numbers/take-back", {"numbers": [number]}), 409)


async def test_then_on_the_spot_both_happen_or_neither(world: World) -> None:
    """R6, §9: what cannot be bound is not added; what cannot be a number is told so; a foreign one is there already."""
    org = await allow_external(world)
    number, foreign = world.numbers(1)[0], await held(world, holder=world.west_org)
    external = {"country": "SG", "vendor": "v"}
    told = problem(await bind(world, number, by=org, external=external | {"voice": False}), 409, "binding-not-allowed")
    assert "not capable of voice" in told["detail"]
    problem(await bind(world, number, by=org, external=external | {"country": "GB"}), 422, "number-unreadable")
    problem(await bind(world, number, by=org, external=external | {"country": "XX"}), 422, "country-unknown")
    problem(await world.admin.get(f"/numbers/{number}"), 404, "number-unknown")
    told = problem(await bind(world, foreign, by=org, external=external), 409, "number-present")
    assert told["detail"] == f"{foreign} is in the inventory already."
    elsewhere = external | {"organization_id": world.west_org}
    problem(await bind(world, number, by=org, external=elsewhere), 404, "holder-unknown")


async def test_then_partner_and_platform_say_whose_it_is_to_be(world: World) -> None:
    """R6, P3: an external number is an organization's."""
    east, number = world.caller("partner-admin", world.east), world.numbers(1)[0]
    external: dict[str, Any] = {"country": "SG", "vendor": "v"}
    problem(await bind(world, number, external=external), 422, "organization-missing")
    problem(await bind(world, number, by=east, external=external), 403, "not-allowed")
    problem(await bind(world, number, external=external | {"organization_id": world.east}), 422, "organization-missing")
    shown = created(await bind(world, number, by=east, external=external | {"organization_id": world.east_org}))
    assert (shown["holder_id"], shown["uploader_id"]) == (world.east_org, world.east)


async def test_then_a_trunks_legacy_form_comes_in_by_the_platforms_import_alone(world: World) -> None:
    """R9: `+CC<extension>`; it may be changed where it is, and never comes anew."""
    number, exact = await held(world), await held(world)
    org = world.caller("org-admin", world.east_org)
    problem(await bind(world, number, by=org, trunk_form="+651001"), 403, "not-allowed")
    for wrong in ("+1431234", "651001", "+65", "+65abc", "+65" + "1" * 14):
        told = problem(await bind(world, number, trunk_form=wrong), 422, "trunk-form-unreadable")
        assert told["errors"][0]["pointer"] == "#/trunk_form"
    problem(await bind(world, number, "sms", trunk_form="+651001"), 422, "trunk-form-not-of-sms")
    assert created(await bind(world, number, trunk_form="+651001"))["bindings"][0]["trunk_form"] == "+651001"
    changed = created(await change(world, number, trunk_form="+651002"))
    assert changed["bindings"][0]["trunk_form"] == "+651002"
    problem(await change(world, number, trunk_form="1002"), 422, "trunk-form-unreadable")
    created(await bind(world, exact))
    problem(await change(world, exact, trunk_form="+651003"), 409, "trunk-form-not-kept")
    assert created(await change(world, number, trunk_form=None))["bindings"][0]["trunk_form"] is None
    problem(await change(world, number, trunk_form="+651002"), 409, "trunk-form-not-kept")


# -- changing ---------------------------------------------------------------------------------------------------------


async def test_then_what_is_named_changes_and_the_rest_stays(world: World) -> None:
    """R8, R10, R2: capabilities, carriers, routing, domains, marks, SKU, vendor; null takes away what may be none."""
    number = await held(world, holder=None)
    wanted = {
        "routing": "sg-1",
        "golden": True,
        "ported_in": True,
        "sku": "DID-2",
        "vendor": "Other",
        "domains": ["A.example"],
    }
    shown = created(await change(world, number, capabilities={"sms": True}, voice_carrier="Harbour", **wanted))
    assert {name: shown[name] for name in wanted} == wanted | {"domains": ["a.example"]}
    assert shown["capabilities"] == {"voice": True, "sms": True, "fax": False}
    assert (shown["voice_carrier"], shown["sms_carrier"]) == ("Harbour", "default")
    assert created(await change(world, number, routing=None))["routing"] is None
    told = created(await world.admin.get(f"/numbers/{number}/history"))["items"]
    assert [item["event"] for item in told] == ["NumberAdded", "NumberChanged", "NumberChanged"]
    assert told[1]["data"]["changed"] == [
        "sku", "vendor", "sms", "voice_carrier", "sms_carrier", "routing", "golden", "ported_in", "domains",
    ]  # fmt: skip
    assert told[2]["data"]["changed"] == ["routing"]


async def test_then_the_same_again_is_no_change(world: World) -> None:
    """R8: nothing is recorded; neither is what names nothing."""
    number = await held(world)
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    for wanted in (
        {},
        {"golden": False},
        {"capabilities": {}},
        {"capabilities": {"voice": True}},
        {"remark": "just so"},
    ):
        created(await change(world, number, **wanted))
    assert end == world.deployment.runtimes["numbers"].store.end_of_log()


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"golden": None}, "#/golden"),
        ({"sku": ""}, "#/sku"),
        ({"vendor": "x" * 65}, "#/vendor"),
        ({"routing": "a\nb"}, "#/routing"),
        ({"domains": ["not a domain"]}, "#/domains/0"),
        ({"domains": None}, "#/domains"),
        ({"capabilities": {"video": True}}, "#/capabilities/video"),
        ({"country": "MY"}, "#/country"),
        ({"state": "assigned"}, "#/state"),
    ],
)
async def test_then_what_cannot_be_is_refused_with_its_place(world: World, wanted: Any, pointer: str) -> None:
    """§9: a field that is unknown, or that cannot be changed, too."""
    told = problem(await change(world, await held(world), **wanted), 422, "request-invalid")
    assert told["errors"][0]["pointer"] == pointer


async def test_then_a_partner_shows_its_numbers_on_its_own_portals(world: World) -> None:
    """R8, P2: other domains are neither its to name, nor shown to it, nor taken away by it."""
    east = world.caller("partner-admin", world.east)
    number, own = await held(world, holder=world.east), f"east-{world.name}.example"
    created(await change(world, number, domains=["top.example", own]))
    assert created(await east.get(f"/numbers/{number}"))["domains"] == [own]
    told = problem(await change(world, number, by=east, domains=[own, "top.example"]), 422, "domain-not-yours")
    assert told["errors"][0]["pointer"] == "#/domains/1"
    assert created(await change(world, number, by=east, domains=[]))["domains"] == []
    assert created(await world.admin.get(f"/numbers/{number}"))["domains"] == ["top.example"]


async def test_then_if_match_guards_a_change(world: World) -> None:
    """R8: another version than the one that was read is refused; a dry run changes nothing."""
    number = await held(world)
    etag = (await world.admin.get(f"/numbers/{number}")).headers["ETag"]
    dry = await world.admin("PATCH", f"/numbers/{number}", json={"golden": True}, params={"dry_run": "true"})
    assert created(dry)["golden"] is True
    guarded = {"json": {"golden": True}, "headers": {"If-Match": etag}}
    first = await world.admin("PATCH", f"/numbers/{number}", **guarded)
    assert created(first)["golden"] is True
    problem(await world.admin("PATCH", f"/numbers/{number}", **guarded), 412, "version-mismatch")


async def test_then_a_number_that_comes_into_sight_serves_who_waited(world: World) -> None:
    """R8, S6: a subscription that was refused a number of other portals gets it when it is shown on its own."""
    number, subscription = await held(world, holder=None), str(uuid4())
    created(await change(world, number, domains=[f"west-{world.name}.example"]))
    facts = {"product": "number", "number": number, "sku": "DID"}
    created(await world.bill(event("started", subscription, world.east_org, **facts)))
    await world.settle()
    waiting = created(await world.admin.get(f"/numbers/subscriptions/{subscription}"))
    assert waiting["refused"]["code"] == "number-not-visible"
    assert created(await change(world, number, domains=[]))["subscription_id"] == subscription
