"""When somebody outside the branch asks: every door × every role, generated from the OpenAPI document (P2, F7)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from tests.http.asked import operations
from tests.http.estate import Door, Estate, nothing, outsiders, plain
from tests.http.world import World

QUESTIONS = {"/numbers/lookup"}
"""A POST that only asks: outside the branch it finds nothing, as a GET does."""

TAKEN = {
    "POST /numbers": {"numbers"},
    "POST /numbers/ranges": {"first", "last"},
    "POST /licensing/partners": {"partner_id"},
    "POST /licensing/organizations": {"organization_id"},
    "POST /licensing/organizations/{organization_id}/identities": {"identity_id"},
}
"""Where something new is made, that its number or id is taken is told to whoever makes it, and nothing else (N14)."""

WAITS = {"POST /licensing/billing-events": {"subscription_id"}}
"""What billing says of a subscription that nobody knows yet waits for it (S7); another's is not there, and 404."""


PAST_THE_GATE = {"column-unknown", "no-number-added", "party-unknown", "number-unknown"}
"""What the platform is told of files without rows, numbers that are there, itself, and a number at an older instant."""


def doors(world: World) -> list[Door]:
    """Every operation but the operators'."""
    spec = world.app.openapi()
    return [Door(spec, *found) for found in operations(spec) if "/operate" not in found[1]]


def ends(world: World) -> dict[str, int]:
    return {name: runtime.store.end_of_log() for name, runtime in world.deployment.runtimes.items()}


async def test_no_door_tells_or_does_anything(world: World) -> None:
    """P2: outside the branch is 404 (403 where the role may nowhere), never a success, never a trace of it."""
    estate = await Estate(world, "east").build()
    end = ends(world)
    for door in doors(world):
        where, request = door.request(estate.named, bare=True)
        request["params"].pop("dry_run", None)
        if (door.method, door.path) == ("POST", "/numbers/uploads"):
            request = estate.file()
        own = TAKEN.get(str(door), set()) if door.path.startswith("/licensing") else set()
        for name in own:  # a new one of its kind is nobody's yet
            request["json"].pop(name, None)
        sent = f"{where} {json.dumps([request.get('json'), request.get('params')])}"
        for who, caller in outsiders(world):
            answer = await caller(door.method, where, **request)
            told = f"{door.method} {where} by {who}: {answer.status_code} {answer.text}"
            if "{" in door.path:
                # a role that reads nothing anywhere may be told so; whether there is something it is not told
                assert answer.status_code == 404 or (answer.status_code == 403 and "member" in who), told
            elif door.method != "GET" and door.path not in QUESTIONS:
                assert answer.status_code in (403, 404, 422), told
            else:
                assert answer.status_code in (200, 403, 404), told
            for secret in estate.kept:
                assert secret in sent or secret not in answer.text, told
    assert end == ends(world)


async def test_what_is_outside_and_what_does_not_exist_are_told_alike(world: World) -> None:
    """P2: nobody learns by comparing that there is something, named alone or among what is one's own."""
    estate, mine = await Estate(world, "east").build(), await Estate(world, "west").build()
    unknown, end = nothing(world), ends(world)
    asked: Counter[str] = Counter()
    for door in doors(world):
        if not door.slots:
            continue
        mixtures = list(zip(door.mixtures(mine.named, estate.named), door.mixtures(mine.named, unknown), strict=True))
        for who, caller in outsiders(world):
            for (slot, foreign), (_, no) in mixtures if "nowhere" not in who else mixtures[:1]:
                answers = [await _answer(caller, door, values) for values in (foreign, no)]
                asked[str(door)] += 2
                told = f"{door} by {who}, {slot}: {answers}"
                between = {estate.number, estate.reserved} if slot in ("first", "last") else set()
                named = json.dumps(foreign)
                assert not [s for s in estate.kept if s not in named and s in answers[0][1] and s not in between], told
                assert all(status < 500 for status, _ in answers), told
                taken = (TAKEN | WAITS).get(str(door), set())
                assert answers[0] == answers[1] or slot in taken or (taken and slot == "all of it"), told
    assert end == ends(world)
    assert sum(asked.values()) >= 2_000, asked
    print(f"F7: {sum(asked.values())} requests at {len(asked)} doors, nothing told")


async def _answer(caller: Any, door: Door, values: dict[str, Any]) -> tuple[int, str]:
    where, request = door.request(values)
    answer = await caller(door.method, where, **request)
    return answer.status_code, plain(answer.text, answer.headers["trunkline-request-id"], values, door.slots)


async def test_whose_it_is_gets_an_answer_about_the_thing_itself(world: World) -> None:
    """P2: what is asked above is well made: the platform, asking the same, meets what it names."""
    estate = await Estate(world, "east").build()
    done: Counter[int] = Counter()
    for door in doors(world):
        if door.path.endswith("/watch"):
            continue
        where, request = door.request(estate.named, bare=True)
        answer = await world.admin(door.method, where, **(estate.file() if door.path.endswith("/users") else request))
        told = f"{door.method} {where} {request}: {answer.status_code} {answer.text}"
        code = answer.json().get("code") if answer.headers["content-type"] == "application/problem+json" else ""
        assert answer.status_code in (200, 201, 202, 204, 207, 409) or code in PAST_THE_GATE, told
        done[answer.status_code] += 1
    assert done[200] > 40, done


async def test_operators_doors_open_to_nobody_else(world: World) -> None:
    """P6: the scope `operate`, and a token of the platform's."""
    callers = [("platform-admin", None, ()), ("platform-support", None, ("billing:write",)), ("machine", None, ())]
    callers += [(role, party, ("operate",)) for role, party in _of_a_branch(world)]
    asked = 0
    for method, path, operation in operations(world.app.openapi()):
        if "/operate" not in path:
            continue
        where = re.sub(r"{(\w+)(:path)?}", "1", path)
        wants_body = "requestBody" in operation
        for role, party, scopes in callers:
            answer = await world.caller(role, party, scopes)(method, where, json={} if wants_body else None)
            asked += 1
            assert answer.status_code == 403, f"{method} {where} by {role}: {answer.status_code} {answer.text}"
    assert asked > 50


def _of_a_branch(world: World) -> list[tuple[str, str]]:
    return [
        ("partner-admin", world.west),
        ("org-admin", world.west_org),
        ("member", world.west_org),
        ("machine", world.west),
    ]
