"""When parties are registered, changed and read over HTTP (P0)."""

from __future__ import annotations

from uuid import uuid4

from tests.http.world import World, created, problem


async def test_the_platform_is_put_and_changed_in_place(world: World) -> None:
    """P0: one resource; put again, it is the same."""
    body = {"name": "Platform", "owner_email": "o@platform.example", "support_email": "s@platform.example"}
    first = await world.admin("PUT", "/licensing/platform", json=body)
    assert created(first) == body | {"domains": []}
    created(await world.admin("PUT", "/licensing/platform", json=body | {"name": "Renamed"}))
    assert created(await world.admin.get("/licensing/platform"))["name"] == "Renamed"
    partner = world.caller("partner-admin", world.east)
    problem(await partner.get("/licensing/platform"), 404)
    problem(await partner("PUT", "/licensing/platform", json=body), 404)


async def test_a_change_carries_only_what_changes(world: World) -> None:
    """P0: what is not named stays; a change that names nothing changes nothing."""
    path = f"/licensing/partners/{world.east}"
    before = created(await world.admin.get(path))
    after = created(await world.admin("PATCH", path, json={"support_email": "new@east.example"}))
    assert after == before | {"support_email": "new@east.example"}
    unchanged = await world.admin("PATCH", path, json={})
    assert unchanged.headers["ETag"] == '"2"'
    problem(await world.admin("PATCH", path, json={"name": None}), 422)
    problem(await world.admin("PATCH", path, json={"partner_id": str(uuid4())}), 422)


async def test_an_organization_has_one_owner(world: World) -> None:
    """§1: the second is refused; a person who has left is gone."""
    path = f"/licensing/organizations/{world.east_org}/identities"
    owner = created(await world.admin.post(path, {"name": "Ada", "email": "ada@org.example", "role": "owner"}))
    second = {"name": "Bob", "email": "bob@org.example", "role": "owner"}
    problem(await world.admin.post(path, second), 409, "owner-present")
    one = f"{path}/{owner['identity_id']}"
    assert created(await world.admin.get(one)) == owner
    removed = await world.admin("DELETE", one)
    assert (removed.status_code, removed.content) == (204, b"")
    problem(await world.admin.get(one), 404, "identity-unknown")
    created(await world.admin.post(path, second))
    problem(await world.admin.get(f"/licensing/organizations/{world.west_org}/identities/{uuid4()}"), 404)


async def test_lists_are_paged_and_bounded_by_the_branch(world: World) -> None:
    """P2: a cursor neither skips nor repeats; the total counts what the asker may see."""
    partner = world.caller("partner-admin", world.east)
    for number in range(5):
        body = {"name": f"org {number}", "billing_email": "b@org.example"}
        last = await partner.post("/licensing/organizations", body)
        assert created(last)["partner_id"] == world.east
    position = {"Trunkline-Wait-For": last.headers["Trunkline-Position"]}
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 2, "sort": "-name"}
    while True:
        page = created(await partner.get("/licensing/organizations", params=params, headers=position))
        seen += [item["name"] for item in page["items"]]
        assert page["total"] == 6
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert seen == ["org 4", "org 3", "org 2", "org 1", "org 0", "org"]
    assert created(await partner.get("/licensing/partners", headers=position))["total"] == 1
    other = world.caller("partner-admin", world.west)
    problem(await other.get("/licensing/organizations", params=params), 422, "cursor-unreadable")
    assert created(await other.get("/licensing/organizations", headers=position))["total"] == 1
    people = await world.admin.get(f"/licensing/organizations/{world.east_org}/identities", headers=position)
    assert created(people)["total"] == 0


async def test_each_role_does_what_its_row_says(world: World) -> None:
    """P3, P4: inside the branch 403 with a sentence, outside 404."""
    partner = world.caller("partner-admin", world.east)
    org = world.caller("org-admin", world.east_org)
    member = world.caller("member", world.east_org)
    support = world.caller("platform-support")
    path = f"/licensing/organizations/{world.east_org}"
    allow, move = {"allow_external_numbers": True}, {"partner_id": world.west}
    created(await org("PATCH", path, json={"name": "ours"}))
    problem(await org("PATCH", path, json=allow), 403, "not-allowed")
    problem(await org("PATCH", path, json=move), 403, "not-allowed")
    created(await partner("PATCH", path, json=allow))
    problem(await partner("PATCH", path, json=move), 403, "not-allowed")
    problem(await partner("PATCH", f"/licensing/partners/{world.east}", json={"name": "x"}), 403, "not-allowed")
    problem(await partner.post("/licensing/organizations", _org(partner_id=world.west)), 422, "party-above-unknown")
    problem(await partner.post("/licensing/organizations", _org(partner_id=str(uuid4()))), 422, "party-above-unknown")
    problem(await partner.post("/licensing/organizations", _org(partner_id=None)), 403, "not-allowed")
    problem(await support("PATCH", path, json={"name": "x"}), 403, "not-allowed")
    created(await support.get(path))
    problem(await member.get(path), 403, "not-allowed")
    problem(await member.get(f"/licensing/organizations/{world.west_org}"), 404)
    problem(await world.caller("machine").get(path), 403, "scope-missing")
    created(await world.caller("machine", scopes=("projections:read",)).get(path))
    created(await world.admin("PATCH", path, json=move))


def _org(**more: str | None) -> dict[str, str | None]:
    return {"name": "o", "billing_email": "b@org.example", **more}


async def test_wrong_facts_are_refused_by_name(world: World) -> None:
    """§9: what, where and why."""
    body = {"name": "\x00", "owner_email": "nobody", "support_email": "a@b\r\nBcc: x@y", "domains": ["a b"]}
    told = problem(await world.admin.post("/licensing/partners", body), 422, "request-invalid")
    pointers = [e["pointer"] for e in told["errors"]]
    assert pointers == ["#/name", "#/owner_email", "#/support_email", "#/domains/0"]
    taken = {"name": "x", "owner_email": "a@b.example", "support_email": "a@b.example"}
    domain = f"east-{world.name}.example"
    problem(await world.admin.post("/licensing/partners", taken | {"domains": [domain]}), 409, "domain-taken")
    again = {"partner_id": world.east, **taken}
    problem(await world.admin.post("/licensing/partners", again), 409, "already-registered")
