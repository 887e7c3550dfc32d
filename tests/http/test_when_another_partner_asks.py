"""When somebody outside the branch asks: every door × every role, generated from the OpenAPI document (P2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.http.asked import Asked, operations
from tests.http.world import Caller, World, created, event

QUESTIONS = {"/numbers/lookup"}
"""A POST that only asks: outside the branch it finds nothing, as a GET does."""


class Estate:
    """What the eastern partner has, to be kept from the western one: ids, names and numbers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.subscription, self.identity, self.upload = str(uuid4()), "", ""
        self.license, self.extension, self.bulk = str(uuid4()), "", ""
        (self.number, self.reserved) = world.numbers(2)
        self.secret = f"secret-{uuid4().hex}"

    async def build(self) -> None:
        world = self.world
        people = f"/licensing/organizations/{world.east_org}/identities"
        person = {"name": self.secret, "email": "ada@org.example", "role": "owner"}
        self.identity = created(await world.admin.post(people, person))["identity_id"]
        named = {"name": self.secret}
        created(await world.admin("PATCH", f"/licensing/organizations/{world.east_org}", json=named))
        created(await world.add(self.number, self.reserved, holder=world.east_org))
        self.upload = created(await world.admin("POST", "/numbers/uploads", **self._file()))["upload_id"]
        facts = {"product": "number", "number": self.number, "sku": self.secret}
        created(await world.bill(event("started", self.subscription, world.east_org, reference="ref", **facts)))
        await self._provision(f"/licensing/organizations/{world.east_org}")
        await world.settle()

    async def _provision(self, org: str) -> None:
        """An extension that serves somebody, and a template."""
        world = self.world
        bought = {"product": "license", "license_code": "phone_system", "quantity": 2}
        created(await world.bill(event("started", self.license, world.east_org, **bought)))
        body = {"count": 1, "start_from": "101", "user_ids": [self.identity]}
        (x,) = created(await world.admin.post(f"{org}/extensions", body))["extensions"]
        self.extension = x["extension_id"]
        named = {"directory_name": self.secret, "number": self.number}
        created(await world.admin("PATCH", f"{org}/extensions/{self.extension}", json=named))
        template = {"name": self.secret, "addons": []}
        self.bulk = created(await world.admin.post(f"{org}/bulk-assignments", template))["bulk_id"]

    def _file(self) -> dict[str, Any]:
        """A file of numbers for the east."""
        rows = f"Country Code,Phone Number,Voice,SMS,Fax\nSG,{self.reserved},TRUE,FALSE,FALSE\n"
        return {
            "content": rows.encode(),
            "headers": {"Content-Type": "text/csv"},
            "params": {"holder_id": self.world.east_org, "file_name": self.secret},
        }

    @property
    def kept(self) -> tuple[str, ...]:
        """What no answer to an outsider may hold unless the outsider named it."""
        world = self.world
        return (
            *(world.east, world.east_org, self.subscription, self.identity),
            *(self.secret, self.number, self.reserved, self.upload, self.license, self.extension, self.bulk),
        )

    @property
    def parameters(self) -> dict[str, str]:
        world = self.world
        return {
            "partner_id": world.east,
            "organization_id": world.east_org,
            "identity_id": self.identity,
            "subscription_id": self.subscription,
            "number": self.number,
            "upload_id": self.upload,
            "extension_id": self.extension,
            "bulk_id": self.bulk,
            "layout": "name",
        }

    def outsiders(self) -> Iterator[tuple[str, Caller]]:
        """Everybody with a token and another branch."""
        world = self.world
        every = ("billing:write", "projections:read", "operate")
        for role, party in (
            ("partner-admin", world.west),
            ("org-admin", world.west_org),
            ("member", world.west_org),
            ("machine", world.west),
            ("machine", world.west_org),
            ("org-admin", str(uuid4())),
            ("partner-admin", str(uuid4())),
        ):
            yield f"{role} of {party}", world.caller(role, party, every)

    def request(self, method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
        """What the operation takes, naming the east wherever it can be named."""
        world = self.world
        if path == "/licensing/billing-events":
            told = event("expired", self.subscription, world.east_org)
            return {"json": told, "headers": {"Content-Type": "application/cloudevents+json"}}
        if (method, path) == ("POST", "/numbers/uploads"):
            return self._file()
        named = {
            **self.parameters,
            "numbers": [self.number, self.reserved],
            "old_number": self.number,
            "new_number": self.reserved,
            "holder_id": world.east_org,
            "reserver_id": world.east_org,
            "user_id": self.identity,
            "user_ids": [self.identity],
            "extension_ids": [self.extension],
        }
        if method == "POST":  # a new one of its kind is nobody's yet
            own = {"/licensing/partners": "partner_id", "/licensing/organizations": "organization_id"}
            named.pop(own.get(path, ""), None)
        return Asked(world.app.openapi(), named).request(operation)


async def test_no_door_tells_or_does_anything(world: World) -> None:
    """P2: outside the branch is 404 (403 where the role may nowhere), never a success, never a trace of it."""
    estate = Estate(world)
    await estate.build()
    end = {name: node.store.end_of_log() for name, node in world.deployment.nodes.items()}
    asked = 0
    for method, path, operation in operations(world.app.openapi()):
        if "/operate" in path:
            continue
        named = re.findall(r"{(\w+)}", path)
        where = path.format(**{name: estate.parameters[name] for name in named})
        request = estate.request(method, path, operation)
        sent = f"{where} {json.dumps([request.get('json'), request.get('params')])}"
        for who, caller in estate.outsiders():
            answer = await caller(method, where, **request)
            asked += 1
            told = f"{method} {where} by {who}: {answer.status_code} {answer.text}"
            if named:
                # a role that reads nothing anywhere may be told so; whether there is something it is not told
                assert answer.status_code == 404 or (answer.status_code == 403 and "member" in who), told
            elif method != "GET" and path not in QUESTIONS:
                assert answer.status_code in (403, 404, 422), told
            else:
                assert answer.status_code in (200, 403, 404), told
            for secret in estate.kept:
                assert secret in sent or secret not in answer.text, told
    assert asked > 100
    assert end == {name: node.store.end_of_log() for name, node in world.deployment.nodes.items()}


async def test_what_is_outside_and_what_does_not_exist_are_told_alike(world: World) -> None:
    """P2: nobody learns by comparing that there is something."""
    estate = Estate(world)
    await estate.build()
    nothing = {name: str(uuid4()) for name in estate.parameters} | {"number": world.numbers(1)[0], "layout": "name"}
    for method, path, operation in operations(world.app.openapi()):
        named = re.findall(r"{(\w+)}", path)
        if not named or "/operate" in path:
            continue
        request = estate.request(method, path, operation)
        for who, caller in estate.outsiders():
            answers = []
            for values in (estate.parameters, nothing):
                where = path.format(**{name: values[name] for name in named})
                answer = await caller(method, where, **request)
                text = answer.text.replace(answer.headers["trunkline-request-id"], "")
                for name in named:
                    text = text.replace(values[name], f"<{name}>")
                answers.append((answer.status_code, text))
            assert answers[0] == answers[1], f"{method} {path} by {who}"


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
