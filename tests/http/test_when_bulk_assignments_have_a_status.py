"""When something is asked of a bulk assignment: what L6 lists for its status, by whom P4 lets, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.http.bulk import Office, rows
from tests.http.world import Caller, World, created, problem

ACTIONS: dict[str, tuple[str, str, Any]] = {
    "edit": ("PATCH", "", {"name": "Other"}),
    "add users": ("POST", "/users", b"Ext Key,User's Name,Number\n901,Zoe,\n"),
    "see users": ("GET", "/users", None),
    "preflight": ("GET", "/preflight", None),
    "assign": ("POST", "/assign", {}),
    "delete": ("DELETE", "", None),
    "report": ("GET", "/report", None),
    "duplicate": ("POST", "/duplicate", None),
    "show": ("GET", "", None),
    "progress": ("GET", "/progress", None),
}
ALLOWED = {
    "draft": {"edit", "add users", "see users", "preflight", "assign", "delete", "duplicate", "show", "progress"},
    "in_progress": {"see users", "report", "duplicate", "show", "progress"},
    "completed": {"report", "duplicate", "show", "progress"},
}


async def ask(by: Caller, one: str, action: str) -> int:
    method, where, body = ACTIONS[action]
    content = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
    headers = {"Content-Type": "text/csv"} if isinstance(body, bytes) else {}
    return (await by(method, one + where, headers=headers, **content)).status_code


async def office(world: World) -> Office:
    found = Office(world)
    await found.hire("Ada", "Bob")
    await found.buy()
    return found


@pytest.mark.parametrize("status", ["draft", "completed"])
async def test_then_each_status_has_its_actions(world: World, status: str) -> None:
    """L6: exactly these; the others are 409 and change nothing."""
    of = await office(world)
    for action in ACTIONS:
        one = await of.draft("101,Ada,," if status == "draft" else f"{len(action)}00,Nobody,,")
        if status == "completed":
            await of.assign(one)
        assert (await ask(of.admin, one, action) != 409) == (action in ALLOWED[status]), (status, action)


async def test_then_in_progress_one_can_look_and_duplicate(world: World) -> None:
    """L6: while numbers has not answered about a number; edit, delete and assign while running are refused."""
    of = await office(world)
    (number,) = await of.buy_numbers(1)
    one = await of.draft(f"101,Ada,{number},", "102,Bob,,")
    with world.deployment.runtimes["numbers"].store.locked():  # numbers can look, but not answer
        created(await of.admin.post(f"{one}/assign", {}))
        shown = created(await of.admin.get(one))
        assert (shown["status"], set(shown["actions"])) == ("in_progress", {"see users", "report", "duplicate"})
        for action in ACTIONS:
            assert (await ask(of.admin, one, action) != 409) == (action in ALLOWED["in_progress"]), action
        told = problem(await of.admin("DELETE", one), 409, "bulk-assignment-in-progress")
        assert told["detail"].endswith("to be looked at or duplicated, not for 'delete'.")
    assert (await of.completed(one))["succeeded"] == 2


async def test_then_two_who_press_assign_start_it_once(world: World) -> None:
    """L6, L13: at once; one is told that it runs already, and each person has one extension."""
    of = await office(world)
    one = await of.draft(*rows(["Ada", "Bob"]))
    second = world.caller("partner-admin", world.east)
    answers = await asyncio.gather(*(by.post(f"{one}/assign", {}) for by in (of.admin, second) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5
    assert (await of.completed(one))["succeeded"] == 2
    assert len(await of.extensions()) == 2
    again = {"Idempotency-Key": str(uuid4())}
    two = await of.draft("301,Nobody,,")
    pair = [await of.admin.post(f"{two}/assign", {}, headers=again) for _ in range(2)]
    assert [answer.status_code for answer in pair] == [202, 202]
    assert pair[0].content == pair[1].content


async def test_then_files_added_at_once_stand_one_behind_another(world: World) -> None:
    """L7, L9: by two administrators; each row once, in its file's order, and one file of the same bytes."""
    of = Office(world)
    one = await of.draft()
    second = world.caller("partner-admin", world.east)
    files = [rows([f"Person {n}{place}" for place in "abc"], 100 * n + 101) for n in range(4)]
    answers = await asyncio.gather(*(of.add(one, *file, by=by) for file in files for by in (of.admin, second)))
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 4
    shown = created(await of.admin.get(f"{one}/users"))["items"]
    assert [user["row"] for user in shown] == list(range(1, 13))
    assert sorted(user["user"] for user in shown) == sorted(f"Person {n}{place}" for n in range(4) for place in "abc")
    thirds = [[user["user"] for user in shown[n : n + 3]] for n in range(0, 12, 3)]
    assert all(third == sorted(third) and len({name[:-1] for name in third}) == 1 for third in thirds)


async def test_then_two_templates_share_the_last_units(world: World) -> None:
    """L4, L10: started at once, neither gets what the other has; together as many as there are."""
    of = Office(world)
    names = [f"Person {n}" for n in range(12)]
    await of.hire(*names)
    await of.buy(quantity=7)
    pair = [await of.draft(*rows(names[:6], 101)), await of.draft(*rows(names[6:], 201))]
    await asyncio.gather(*(of.admin.post(f"{one}/assign", {}) for one in pair))
    done = [await of.completed(one) for one in pair]
    assert sum(d["succeeded"] for d in done) == 7
    assert sum(d["failed"] for d in done) == 5
    assert {code for one in pair for code in await of.codes(one)} == {None, "NO_BASE_LICENSE"}
    assert await of.free() == 0


async def test_then_without_users_it_cannot_start(world: World) -> None:
    """L6."""
    of = Office(world)
    one = await of.draft()
    problem(await of.admin.post(f"{one}/assign", {}), 409, "no-users-yet")
    assert "assign" not in created(await of.admin.get(one))["actions"]


async def test_then_a_deleted_one_is_not_there(world: World) -> None:
    """L6, P2: nor are its people in the table any more."""
    of = await office(world)
    one = await of.draft("101,Ada,,")
    assert (await of.admin("DELETE", one)).status_code == 204
    for action in ACTIONS:
        assert await ask(of.admin, one, action) == 404
    store = world.deployment.runtimes["licensing"].store
    assert store.fetch("SELECT count(*) FROM bulk_rows WHERE bulk_id = %s", (one.rpartition("/")[2],)) == [(0,)]


async def test_then_changes_are_guarded(world: World) -> None:
    """§9: If-Match, a dry run, add-ons that do not exist, a name of spaces."""
    of = await office(world)
    one = await of.draft()
    first = (await of.admin.get(one)).headers["ETag"]
    created(await of.admin("PATCH", one, json={"name": "Annex"}, headers={"If-Match": first}))
    problem(await of.admin("PATCH", one, json={"name": "C"}, headers={"If-Match": first}), 412, "version-mismatch")
    problem(await of.admin("PATCH", one, json={"addons": ["teleport"]}), 422, "addon-unknown")
    problem(await of.admin("PATCH", one, json={"status": "completed"}), 422)
    created(await of.admin("PATCH", f"{one}?dry_run=true", json={"name": "Never"}))
    created(await of.admin("POST", f"{one}/users?dry_run=true", content=b"Ext Key,User's Name,Number\n101,Ada,\n"))
    shown = created(await of.admin.get(one))
    assert (shown["name"], shown["total"]) == ("Annex", 0)
    created(await of.add(one, "101,Ada,,"))
    assert (await of.admin.post(f"{one}/assign?dry_run=true", {})).status_code == 202
    assert created(await of.admin.get(one))["status"] == "draft"


async def test_then_roles_may_what_p4_says(world: World) -> None:
    """P4: owner and admin, the partner and the platform above; support looks; members do neither, others see none."""
    of = await office(world)
    one = await of.draft("101,Ada,,")
    chiefs = [("org-admin", world.east_org), ("partner-admin", world.east), ("platform-admin", None)]
    for role, party in chiefs:
        by = world.caller(role, party)
        assert await ask(by, one, "show") == 200
        assert await ask(by, one, "edit") == 200
        assert (await by.post(of.path, {"name": "Mine"})).status_code == 201
    support = world.caller("platform-support")
    assert (await ask(support, one, "show"), await ask(support, one, "edit")) == (200, 403)
    member = world.caller("member", world.east_org)
    for action in ACTIONS:
        assert await ask(member, one, action) == 403
        for foreign in (world.caller("org-admin", world.west_org), world.caller("partner-admin", world.west)):
            assert await ask(foreign, one, action) == 404
    elsewhere = one.replace(world.east_org, world.west_org)
    assert await ask(world.caller("org-admin", world.west_org), elsewhere, "show") == 404
