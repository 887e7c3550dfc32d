"""When something is begun, and who began it loses the right to it before it goes on (P2, P3, R6)."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.http.asked import operations
from tests.http.bulk import Office
from tests.http.estate import Door, Estate
from tests.http.test_when_numbers_are_uploaded import file_of, lines, send, until_ended
from tests.http.world import Caller, World, created, problem
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.server_sent_events import event_stream
from trunkline.security.principal import Principal
from trunkline_licensing.api.bulk_assignments.runs import _snapshot
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, start
from trunkline_licensing.tables.bulk_rows import mark_running
from trunkline_numbers.application.imports.run import start_upload

FIRST = ("/release", "/unbind", "/reserve", "/extend")
"""Commands on a number that another one would make impossible come first."""


async def _move(world: World, organization: str, partner: str | None) -> None:
    created(await world.admin("PATCH", f"/licensing/organizations/{organization}", json={"partner_id": partner}))
    await world.settle()


def _keyed(world: World) -> list[Door]:
    """Every operation that can be repeated under a key."""
    spec = world.app.openapi()
    found = [
        Door(spec, method, path, operation)
        for method, path, operation in operations(spec)
        if "/operate" not in path and any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", ()))
    ]
    return sorted(found, key=lambda door: not door.path.endswith(FIRST))


class _Step:
    """One request under a key."""

    def __init__(self, door: Door, estate: Estate, names: dict[str, Any]) -> None:
        self.door, self._key = door, str(uuid4())
        self._where, self._request = door.request(names, bare=True)
        self._request["params"].pop("dry_run", None)
        if door.path == "/numbers/uploads":
            self._request = estate.file()
        self.sent = f"{self._where} {json.dumps([self._request.get('json'), self._request.get('params')])}"
        headers = self._request.pop("headers", {})
        self._request["headers"] = {**headers, "Idempotency-Key": self._key}

    async def __call__(self, by: Caller) -> httpx.Response:
        return await by(self.door.method, self._where, **self._request)


async def test_no_kept_answer_is_given_to_who_has_lost_the_right(world: World) -> None:
    """P2: every operation with a key, asked by a partner, and again when the organization is another partner's."""
    estate = await Estate(world, "east").build()
    east = world.caller("partner-admin", world.east)
    created(await world.admin("PATCH", f"/licensing/organizations/{world.east_org}", json={"name": "org"}))
    names = estate.named | {"number": estate.reserved, "numbers": [estate.reserved], "pattern": estate.reserved}
    names |= {"first": world.numbers(1)[0]}
    names["last"] = names["first"]
    steps: list[tuple[_Step, httpx.Response]] = []
    for door in _keyed(world):
        own = dict(names)
        if door.path == "/numbers":
            own["numbers"] = world.numbers(1)
        if door.path == "/licensing/organizations":
            own |= {"organization_id": str(uuid4()), "partner_id": world.east}
        if door.path.endswith("/identities"):
            own["identity_id"] = str(uuid4())
        step = _Step(door, estate, own)
        steps.append((step, await step(east)))
        again = await step(east)
        assert (again.status_code, again.content) == (steps[-1][1].status_code, steps[-1][1].content), str(door)
    done = Counter(first.is_success for _, first in steps)
    assert done[True] >= 12, [(str(step.door), first.status_code, first.text[:200]) for step, first in steps]
    await _move(world, world.east_org, world.west)
    for step, first in steps:
        answer = await step(east)
        told = f"{step.door}: {answer.status_code} {answer.text}"
        about_org = world.east_org in step.sent or estate.reserved in step.sent
        if first.is_success and about_org and step.door.path != "/numbers/lookup":
            assert answer.status_code in (403, 404), told
        if answer.is_success:
            assert not [s for s in estate.kept if s in answer.text and s != world.east], told


async def test_no_cursor_leads_out_of_the_branch(world: World) -> None:
    """P2: a second page is bounded by the branch of its own moment."""
    east, org = world.caller("partner-admin", world.east), world.east_org
    path = f"/licensing/organizations/{org}"
    for name in ("a", "b"):
        person = {"name": name, "email": f"{name}@o.example", "role": "member"}
        created(await world.admin.post(f"{path}/identities", person))
        created(await world.admin.post(f"{path}/bulk-assignments", {"name": name, "addons": []}))
    numbers = world.numbers(2)
    await world.add(*numbers, holder=org)
    lists = {
        "/numbers": {"holder": org},
        f"/numbers/{numbers[0]}/history": {},
        f"{path}/identities": {},
        f"{path}/bulk-assignments": {},
        "/licensing/organizations": {},
    }
    created(await world.admin.post("/licensing/organizations", _organization(world.east)))
    cursors = {}
    for where, params in lists.items():
        service = "numbers" if where.startswith("/numbers") else "licensing"
        end = world.deployment.runtimes[service].store.end_of_log()
        headers = {"Trunkline-Wait-For": f"{service}/{end}"}
        cursors[where] = created(await east.get(where, params=params | {"limit": 1}, headers=headers))["next"]
    assert {where for where, cursor in cursors.items() if cursor} >= {"/numbers", f"{path}/identities"}
    await _move(world, org, world.west)
    for where, cursor in cursors.items():
        service = "numbers" if where.startswith("/numbers") else "licensing"
        headers = {"Trunkline-Wait-For": f"{service}/{world.deployment.runtimes[service].store.end_of_log()}"}
        answer = await east.get(where, params=lists[where] | {"limit": 1, "cursor": cursor or ""}, headers=headers)
        assert not answer.is_success or org not in answer.text, f"{where}: {answer.text}"


def _organization(partner: str) -> dict[str, str]:
    return {"partner_id": partner, "name": "one more", "billing_email": "b@o.example"}


async def test_a_previewed_upload_is_held_against_the_present(world: World) -> None:
    """P2, R6: its holder has moved, or lost allow external numbers, before it is run."""
    east = world.caller("partner-admin", world.east)
    moved, stays = world.numbers(2)
    upload = created(await send(east, file_of(*lines(moved)), holder_id=world.east_org))
    await _move(world, world.east_org, world.west)
    for by in (east, world.admin):
        problem(await by.post(f"/numbers/uploads/{upload['upload_id']}/run"), 404, "holder-unknown")
    west_org = world.caller("org-admin", world.west_org)
    allowed = f"/licensing/organizations/{world.west_org}"
    created(await world.admin("PATCH", allowed, json={"allow_external_numbers": True}))
    await world.settle()
    upload = created(await send(west_org, file_of(*lines(stays))))
    created(await world.admin("PATCH", allowed, json={"allow_external_numbers": False}))
    await world.settle()
    for by in (west_org, world.admin):
        problem(await by.post(f"/numbers/uploads/{upload['upload_id']}/run"), 403, "not-allowed")
    problem(await world.admin.get(f"/numbers/{stays}"), 404, "number-unknown")


async def test_an_upload_that_runs_stops_writing_when_the_right_is_gone(world: World) -> None:
    """P2: each chunk asks anew; the rows that are left are refused, each with the reason."""
    runtime = world.deployment.runtimes["numbers"]
    east = world.caller("partner-admin", world.east)
    (number,) = world.numbers(1)
    upload = created(await send(east, file_of(*lines(number)), holder_id=world.east_org))
    await _move(world, world.east_org, world.west)
    key, by = upload["upload_id"], "user:test"
    runtime.run(lambda uow: start_upload(uow, key, by, Causation(by, key, key)))  # as if it had begun before the move
    ended = (await until_ended(world.admin, key))[-1]
    assert (ended["status"], ended["added"], ended["refused"]) == ("completed", 0, 1)
    report = await world.admin.get(f"/numbers/uploads/{key}/report", params={"format": "json"})
    assert "holder-unknown" in report.text
    problem(await world.admin.get(f"/numbers/{number}"), 404, "number-unknown")


@pytest.mark.parametrize("lost", ["moved", "left", "demoted"])
async def test_who_let_an_upload_run_is_held_against_the_present(world: World, lost: str) -> None:
    """P2, P3: not only who sent the file: whoever let it run may be somebody else, and lose the right meanwhile."""
    runtime = world.deployment.runtimes["numbers"]
    allowed = f"/licensing/organizations/{world.east_org}"
    created(await world.admin("PATCH", allowed, json={"allow_external_numbers": True}))
    person = {"name": "Ada", "email": "ada@o.example", "role": "admin"}
    ada = created(await world.admin.post(f"{allowed}/identities", person))["identity_id"]
    await world.settle()
    (number,) = world.numbers(1)
    key = created(await send(world.caller("org-admin", world.east_org), file_of(*lines(number))))["upload_id"]
    began = Causation("user:e", key, key, "partner-admin", world.east)
    if lost == "moved":
        await _move(world, world.east_org, world.west)
    else:
        began = Causation(f"user:{ada}", key, key, "org-admin", world.east_org, ada)
        change = {"json": {"role": "member"}} if lost == "demoted" else {}
        created(await world.admin("PATCH" if change else "DELETE", f"{allowed}/identities/{ada}", **change))
        await world.settle()
    runtime.run(lambda uow: start_upload(uow, key, began.actor, began))  # as if it had begun before
    ended = (await until_ended(world.admin, key))[-1]
    assert (ended["status"], ended["added"], ended["refused"]) == ("completed", 0, 1)
    problem(await world.admin.get(f"/numbers/{number}"), 404, "number-unknown")


async def test_a_template_that_runs_stops_when_the_right_is_gone(world: World) -> None:
    """P2, P4: each batch asks anew; the rows that are left fail, each with the reason."""
    office = Office(world)
    await office.hire("Ada", "Bob")
    await office.buy()
    one = await office.draft("101,Ada,,", "102,Bob,,")
    await _move(world, world.east_org, world.west)
    runtime = world.deployment.runtimes["licensing"]
    key = one.rpartition("/")[2]
    east = Causation("user:e", key, key, "partner-admin", world.east)

    def begin(uow: UnitOfWork) -> None:  # as if it had begun before the move
        uow.record(BULK, key, start(uow.state(BULK, key), False, uow.now), east)
        mark_running(uow, key)

    runtime.run(begin)
    ended = await office.completed(one)
    assert (ended["succeeded"], ended["failed"]) == (0, 2)
    assert await office.codes(one) == ["RIGHT_LOST", "RIGHT_LOST"]
    assert await office.extensions() == []


async def test_a_template_is_run_by_who_may_then(world: World) -> None:
    """P4: made by a partner for an organization that has moved since: neither run, nor watched, nor reported."""
    east, path = world.caller("partner-admin", world.east), f"/licensing/organizations/{world.east_org}"
    bulk = created(await east.post(f"{path}/bulk-assignments", {"name": "b", "addons": []}))["bulk_id"]
    one = f"{path}/bulk-assignments/{bulk}"
    rows = b"Ext Key,User's Name,Number\n101,Ada,\n"
    created(await east("POST", f"{one}/users", content=rows, headers={"Content-Type": "text/csv"}))
    await _move(world, world.east_org, world.west)
    for step in ("assign", "duplicate"):
        problem(await east.post(f"{one}/{step}", {}), 404)
    for step in ("preflight", "watch", "progress", "report", "users"):
        problem(await east.get(f"{one}/{step}"), 404)


async def test_a_stream_that_is_watched_ends_with_the_right(world: World) -> None:
    """P4: who watches a template run is authorized at every look."""
    path = f"/licensing/organizations/{world.east_org}"
    bulk = created(await world.admin.post(f"{path}/bulk-assignments", {"name": "b", "addons": []}))["bulk_id"]
    east = Principal("e", "partner-admin", world.east)
    runtime = world.deployment.runtimes["licensing"]
    watched = event_stream(partial(_snapshot, runtime, east, UUID(world.east_org), UUID(bulk)), runtime.troubles)
    events = aiter(watched.body_iterator)
    assert b"event: progress" in await anext(events)
    await _move(world, world.east_org, world.west)
    assert [event async for event in events] == []
