"""When the platform's administrators look at the policy and apply another one (N15, P3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.http.world import World, created, problem

PATH = "/numbers/policy"


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def built_in(world: World) -> AsyncIterator[None]:
    """Other tests count on the periods that are built in."""
    yield
    created(await world.admin("PUT", PATH, json={"policy": {}}))


async def test_what_is_applied_is_in_force_and_on_record(world: World) -> None:
    """N15: whole, with who, when and why; what is left out is as built in; the same again says nothing."""
    before = created(await world.admin.get(PATH))
    asked = {"policy": {"expired_days": 60, "quarantine_days": {"SG": 30}}, "remark": "agreed\nin March"}
    answer = await world.admin("PUT", PATH, json=asked)
    told = created(answer)
    assert answer.headers["Trunkline-Position"].startswith("numbers/")
    assert answer.headers["ETag"] == f'"{before["version"] + 1}"'
    assert told["outcome"] == "applied"
    assert [(c["name"], c["before"], c["after"]) for c in told["changes"]] == [
        ("expired_days", 56, 60),
        ("quarantine_days", {}, {"SG": 30}),
    ]
    shown = await world.admin.get(PATH)
    now = created(shown)
    assert shown.headers["ETag"] == answer.headers["ETag"]
    assert now["policy"] == before["policy"] | {"expired_days": 60, "quarantine_days": {"SG": 30}}
    assert now["applied_by"].startswith("user:")
    assert now["remark"] == "agreed\nin March"
    again = created(await world.admin("PUT", PATH, json=asked))
    assert (again["outcome"], again["version"], again["changes"]) == ("in force already", now["version"], [])


async def test_every_version_can_be_read(world: World) -> None:
    """N15: from the built-in one on; paged either way."""
    for days in (40, 41):
        created(await world.admin("PUT", PATH, json={"policy": {"lock_days": days}}))
    versions = created(await world.admin.get(f"{PATH}/history", params={"limit": 500}))
    assert [v["version"] for v in versions["items"]] == list(range(versions["total"]))
    assert versions["items"][0]["applied_by"] is None
    newest = created(await world.admin.get(f"{PATH}/history", params={"limit": 1, "sort": "-version"}))
    rest = created(await world.admin.get(f"{PATH}/history", params={"sort": "-version", "cursor": newest["next"]}))
    found = [v["policy"]["lock_days"] for v in newest["items"] + rest["items"][:1]]
    assert found == [41, 40]


async def test_a_dry_run_tells_and_changes_nothing(world: World) -> None:
    """N15: what `policy check` shows."""
    before = created(await world.admin.get(PATH))
    told = created(await world.admin("PUT", PATH, params={"dry_run": True}, json={"policy": {"notice_days": 3}}))
    assert [c["name"] for c in told["changes"]] == ["notice_days"]
    assert created(await world.admin.get(PATH)) == before


async def test_a_document_made_from_another_version_is_refused(world: World) -> None:
    """N15: by the version in the document, and by If-Match; two administrators never undo each other unseen."""
    version = created(await world.admin("PUT", PATH, json={"policy": {"lock_days": 20}}))["version"]
    stale = {"policy": {"lock_days": 30, "version": version - 1}}
    told = problem(await world.admin("PUT", PATH, json=stale), 409, "policy-outdated")
    assert told["errors"][0]["pointer"] == "#/policy/version"
    headers = {"If-Match": f'"{version - 1}"'}
    problem(await world.admin("PUT", PATH, json={"policy": {}}, headers=headers), 412, "version-mismatch")
    fresh = {"policy": {"lock_days": 30, "version": version}}
    assert (
        created(await world.admin("PUT", PATH, json=fresh, headers={"If-Match": f'"{version}"'}))["version"] > version
    )


WRONG: list[tuple[str, Any, str]] = [
    ("expired_day", 60, "expired_day"),
    ("expired_days", -1, "expired_days"),
    ("expired_days", 36_501, "expired_days"),
    ("expired_days", "60", "expired_days"),
    ("expired_days", True, "expired_days"),
    ("expired_days", 1.5, "expired_days"),
    ("expired_days", None, "expired_days"),
    ("manual_days", 0, "manual_days"),
    ("lock_days", 0, "lock_days"),
    ("voice_carrier", "", "voice_carrier"),
    ("sms_carrier", "a\x00b", "sms_carrier"),
    ("golden_only_from_reserved", "no", "golden_only_from_reserved"),
    ("quarantine_days", {"XX": 3}, "quarantine_days/XX"),
    ("quarantine_days", {"sg": 3}, "quarantine_days/sg"),
    ("quarantine_days", {"SG": -3}, "quarantine_days/SG"),
    ("quarantine_days", 3, "quarantine_days"),
    ("special_periods", [{"property": "silver", "cause": "manual", "days": 3}], "special_periods/0/property"),
    ("special_periods", [{"property": "golden", "cause": "lost", "days": 3}], "special_periods/0/cause"),
    ("special_periods", [{"property": "golden", "cause": "manual", "days": -3}], "special_periods/0/days"),
    ("special_periods", [{"property": "golden", "cause": "manual", "days": 3, "hours": 1}], "special_periods/0/hours"),
    ("special_periods", [{"property": "golden", "cause": "manual", "days": d} for d in (3, 4)], "special_periods"),
    ("version", -1, "version"),
]


@pytest.mark.parametrize(("name", "value", "place"), WRONG)
async def test_a_wrong_value_is_refused_with_its_place(world: World, name: str, value: Any, place: str) -> None:
    """N15, §9: unknown keys, negative days, unknown countries; nothing of the document comes into force."""
    before = created(await world.admin.get(PATH))
    body = {"policy": {"swapped_days": 2, name: value}}
    told = problem(await world.admin("PUT", PATH, json=body), 422, "request-invalid")
    assert [e["pointer"].removesuffix("/[key]") for e in told["errors"]] == [f"#/policy/{place}"]
    assert told["errors"][0]["detail"]
    assert created(await world.admin.get(PATH)) == before


@pytest.mark.parametrize("remark", ["", "a\x07b", "x" * 1001])
async def test_a_remark_that_cannot_be_read_is_refused(world: World, remark: str) -> None:
    """§9: with its place."""
    told = problem(await world.admin("PUT", PATH, json={"policy": {}, "remark": remark}), 422, "request-invalid")
    assert told["errors"][0]["pointer"] == "#/remark"


async def test_policies_are_the_platform_administrators_alone(world: World) -> None:
    """P3: nobody else reads or changes them, or learns what they are."""
    others = [
        world.caller("platform-support", scopes=("operate",)),
        world.caller("partner-admin", world.east),
        world.caller("org-admin", world.east_org),
        world.caller("member", world.east_org),
        world.caller("machine", scopes=("billing:write", "projections:read", "operate")),
    ]
    for caller in others:
        for method, path in (("GET", PATH), ("GET", f"{PATH}/history"), ("PUT", PATH)):
            body = {"policy": {"lock_days": 1}} if method == "PUT" else None
            problem(await caller(method, path, json=body), 403, "not-allowed")
