"""When each role does each thing to each kind of number: the rows of DOMAIN P3, over HTTP, in dry runs (P2, P3)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.http.world import Caller, World, created, problem

USER = str(uuid4())
VERBS: dict[str, dict[str, Any]] = {
    "see": {},
    "history": {},
    "reserve": {"remark": "kept"},
    "release": {"remark": "free"},
    "lock": {"remark": "checked"},
    "unlock": {"remark": "checked"},
    "delete": {"reason": "faulty", "remark": "crackles"},
    "recover": {"remark": "repaired"},
    "change": {"golden": True},
    "bind": {"kind": "trunk", "user_id": USER},
    "unbind": {"kind": "trunk"},
    "allocate": {},
    "take-back": {},
    "legacy lock": {"remark": "imported", "legacy": True},
    "legacy bind": {"kind": "trunk", "user_id": USER, "trunk_form": "+651001"},
}

# Whose: brought in by the eastern organization; by the eastern partner; the platform's, nobody's; the platform's,
# held by the eastern organization; held by the western one. Who may: platform admin and support, partner and
# organization admin (of the east), machine with all scopes. What the number itself refuses is another matter (409).
TABLE = """
verb        | org's upload | partner's upload | stock | held by org | foreign
see         | a s p o x    | a s p o x        | aspox | a s p o x   | a s x
history     | a s p o x    | a s p o x        | aspox | a s p o x   | a s x
reserve     | a s p        | a s p            | a s p | a s p       | a s
release     | a s p        | a s p            | a s p | a s p       | a s
lock        | a s p        | a s p            | a s   | a s         | a s
unlock      | a s p        | a s p            | a s   | a s         | a s
delete      | a p o        | p                | a     | a           | a
recover     | a p o        | a p              | a     | a           | a
change      | a            | a p              | a     | a           | a
bind        | a p o        | a o              | a o   | a p o       | a
unbind      | a p o        | a o              | a o   | a p o       | a
allocate    | a p          | a p              | a p   | a p         | a
take-back   | a p          | a p              | a p   | a p         | a
legacy lock | a            | a                | a     | a           | a
legacy bind | a            | a                | a     | a           | a
"""
REFUSED = {403, 404}


class Scene:
    """The numbers of the table's columns, and who asks."""

    def __init__(self, world: World) -> None:
        self.world = world
        every = ("billing:write", "projections:read", "operate")
        self.askers: dict[str, Caller] = {
            "a": world.admin,
            "s": world.caller("platform-support"),
            "p": world.caller("partner-admin", world.east),
            "o": world.caller("org-admin", world.east_org),
            "m": world.caller("member", world.east_org),
            "x": world.caller("machine", None, every),
        }
        self.columns = [name.strip() for name in TABLE.strip().splitlines()[0].split("|")[1:]]
        self.numbers = dict(zip(self.columns, world.numbers(len(self.columns)), strict=True))

    async def build(self) -> None:
        world, n = self.world, self.numbers
        path = f"/licensing/organizations/{world.east_org}"
        created(await world.admin("PATCH", path, json={"allow_external_numbers": True}))
        await world.settle()
        created(await world.add(n["org's upload"], by=self.askers["o"]))
        created(await world.add(n["partner's upload"], by=self.askers["p"]))
        created(await world.add(n["stock"]))
        created(await world.add(n["held by org"], holder=world.east_org))
        created(await world.add(n["foreign"], holder=world.west_org))

    async def ask(self, who: str, verb: str, number: str) -> httpx.Response:
        principal, world = self.askers[who], self.world
        path = f"/numbers/{number}"
        if verb in ("see", "history"):
            return await principal.get(path if verb == "see" else f"{path}/history")
        body, dry = VERBS[verb], {"dry_run": "true"}
        match verb:
            case "change":
                return await principal("PATCH", path, json=body, params=dry)
            case "allocate":
                holder = world.west_org if number == self.numbers["foreign"] else world.east_org
                return await principal.post(f"/numbers/{verb}", {"numbers": [number], "holder_id": holder}, params=dry)
            case "take-back":
                return await principal.post(f"/numbers/{verb}", {"numbers": [number]}, params=dry)
            case "reserve":
                return await principal.post(f"{path}/{verb}", {**body, "reserver_id": world.east_org}, params=dry)
            case _:
                return await principal.post(f"{path}/{verb.removeprefix('legacy ')}", body, params=dry)


def rows() -> list[tuple[str, dict[str, set[str]]]]:
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    return [(verb, {c: set(cell) - {" "} for c, cell in zip(head[1:], cells, strict=True)}) for verb, *cells in lines]


def test_then_the_table_has_every_verb() -> None:
    """P3: row by row."""
    assert [verb for verb, _ in rows()] == list(VERBS)


@pytest.mark.parametrize(("verb", "may"), rows(), ids=[verb for verb, _ in rows()])
async def test_then_it_may_what_its_row_says_and_nothing_else(
    world: World, verb: str, may: dict[str, set[str]]
) -> None:
    """P3, P2, R7: in its branch 403 for what the role may not do, outside of it 404; nothing is recorded."""
    scene = Scene(world)
    await scene.build()
    end = world.deployment.runtimes["numbers"].store.end_of_log()
    for column, number in scene.numbers.items():
        allowed: set[str] = set()
        for who in scene.askers:
            answer = await scene.ask(who, verb, number)
            told = f"{verb} {column} by {who}: {answer.status_code} {answer.text}"
            assert answer.status_code in REFUSED | {200, 409}, told
            if answer.status_code not in REFUSED and "not-yours-to-delete" not in answer.text:
                allowed.add(who)
            elif column == "foreign" and who in "pom" and verb not in ("allocate", "take-back"):
                assert answer.status_code == 404, told
        assert allowed == may[column], (verb, column)
    assert end == world.deployment.runtimes["numbers"].store.end_of_log()


async def test_then_a_reservation_is_made_and_ended_only_for_the_branch(world: World) -> None:
    """P3, P2: a partner reserves for itself and its organizations; a foreign reserver is as unknown as none."""
    east, org = world.caller("partner-admin", world.east), world.caller("org-admin", world.east_org)
    mine, theirs = world.numbers(2)
    created(await world.add(mine, theirs))
    for reserver in (world.west, world.west_org, str(uuid4())):
        body = {"reserver_id": reserver, "remark": "kept"}
        told = problem(await east.post(f"/numbers/{mine}/reserve", body), 404, "holder-unknown")
        assert told["errors"][0]["pointer"] == "#/reserver_id"
    created(await world.admin.post(f"/numbers/{theirs}/reserve", {"reserver_id": world.west_org, "remark": "kept"}))
    problem(await east.post(f"/numbers/{theirs}/release", {"remark": "mine now"}), 404, "number-unknown")
    created(await east.post(f"/numbers/{mine}/reserve", {"reserver_id": world.east, "remark": "kept"}))
    problem(await org.post(f"/numbers/{mine}/release", {"remark": "no"}), 404)
    assert created(await east.post(f"/numbers/{mine}/release", {"remark": "sold"}))["state"] == "available"
