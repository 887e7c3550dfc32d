"""What one partner has, by the names that requests use for it, so that another one can ask for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from tests.http.asked import Asked
from tests.http.world import Caller, World, created, event

FREE = {"causation_id", "correlation_id", "event_id"}
"""Fields that end like an id and name nothing of anybody's."""
EVENTS = "/licensing/billing-events"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Estate:
    """What a partner and its organization have: ids, names and numbers."""

    def __init__(self, world: World, side: str) -> None:
        self.world = world
        self.partner, self.org = (world.east, world.east_org) if side == "east" else (world.west, world.west_org)
        self.subscription, self.identity, self.upload = str(uuid4()), "", ""
        self.license, self.extension, self.bulk = str(uuid4()), "", ""
        (self.number, self.reserved) = world.numbers(2)
        self.secret = f"secret-{uuid4().hex}"

    async def build(self) -> Estate:
        """Bring all of it about."""
        world, org = self.world, f"/licensing/organizations/{self.org}"
        person = {"name": self.secret, "email": "ada@org.example", "role": "owner"}
        self.identity = created(await world.admin.post(f"{org}/identities", person))["identity_id"]
        created(await world.admin("PATCH", org, json={"name": self.secret}))
        created(await world.add(self.number, self.reserved, holder=self.org))
        self.upload = created(await world.admin("POST", "/numbers/uploads", **self.file()))["upload_id"]
        facts = {"product": "number", "number": self.number, "sku": self.secret}
        created(await world.bill(event("started", self.subscription, self.org, reference="ref", **facts)))
        await self._provision(org)
        await world.settle()
        await self._answered(f"{org}/extensions/{self.extension}")
        return self

    async def _answered(self, extension: str) -> None:
        """Until numbers has said whether the extension has its number, and licensing has heard it."""
        runtime = self.world.deployment.runtimes["licensing"]
        while created(await self.world.admin.get(extension))["number"]["status"] == "requested":
            await runtime.commit_signal.after(runtime.commit_signal.count, 0.05)

    async def _provision(self, org: str) -> None:
        """An extension that serves somebody, and a template."""
        world = self.world
        bought = {"product": "license", "license_code": "phone_system", "quantity": 2}
        created(await world.bill(event("started", self.license, self.org, **bought)))
        body = {"count": 1, "start_from": "101", "user_ids": [self.identity]}
        (x,) = created(await world.admin.post(f"{org}/extensions", body))["extensions"]
        self.extension = x["extension_id"]
        named = {"directory_name": self.secret, "number": self.number}
        created(await world.admin("PATCH", f"{org}/extensions/{self.extension}", json=named))
        template = {"name": self.secret, "addons": []}
        self.bulk = created(await world.admin.post(f"{org}/bulk-assignments", template))["bulk_id"]

    def file(self) -> dict[str, Any]:
        """A file of numbers for the organization."""
        rows = f"Country Code,Phone Number,Voice,SMS,Fax\nSG,{self.reserved},TRUE,FALSE,FALSE\n"
        return {
            "content": rows.encode(),
            "headers": {"Content-Type": "text/csv"},
            "params": {"holder_id": self.org, "file_name": self.secret},
        }

    @property
    def kept(self) -> tuple[str, ...]:
        """What no answer to an outsider may hold unless the outsider named it."""
        return (
            *(self.partner, self.org, self.subscription, self.identity, self.secret),
            *(self.number, self.reserved, self.upload, self.license, self.extension, self.bulk),
        )

    @property
    def named(self) -> dict[str, Any]:
        """By the name of a place in a path, a query or a body: what is there."""
        own = (self.partner, self.org, self.identity, self.subscription, self.upload, self.extension, self.bulk)
        return _names(*own, self.number, self.reserved, self.secret)


def nothing(world: World) -> dict[str, Any]:
    """The same places, each with what nobody has ever heard of."""
    return _names(*(str(uuid4()) for _ in range(7)), *world.numbers(2), f"secret-{uuid4().hex}")


def _names(
    partner: str,
    org: str,
    identity: str,
    subscription: str,
    upload: str,
    extension: str,
    bulk: str,
    number: str,
    reserved: str,
    secret: str,
) -> dict[str, Any]:
    parties = {"partner_id": partner, "organization_id": org, "holder_id": org, "reserver_id": org}
    asked = {"owner": org, "holder": org, "uploader": org, "user": identity, "extension": extension}
    text = {"q": secret, "search": secret, "sku": secret, "vendor": secret, "domain": f"{secret}.example"}
    people = {"identity_id": identity, "user_id": identity, "user_ids": [identity]}
    things = {"subscription_id": subscription, "subscription": subscription, "upload_id": upload, "bulk_id": bulk}
    extensions = {"extension_id": extension, "extension_ids": [extension]}
    numbers = {"number": number, "numbers": [number, reserved], "old_number": number, "new_number": reserved}
    ranges = {"first": number, "last": number, "pattern": number, "layout": "name"}
    operators = {"parked_id": 1, "quarantined_id": 1, "token_id": "nobody's"}
    return parties | asked | text | people | things | extensions | numbers | ranges | operators


class Door:
    """One operation, and the places in its request where something of somebody's can be named."""

    def __init__(self, spec: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> None:
        self.method, self.path = method, path
        self._spec, self._operation = spec, operation
        self._in_path = re.findall(r"{(\w+)}", path)
        queries = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
        fields = Asked(spec, {}).fields(operation) if path != EVENTS else ["subscription_id", "organization_id"]
        known = _names(*("" for _ in range(10)))
        for name in (*self._in_path, *queries, *fields):
            what = f"{method} {path}: tests/http/estate.py does not know what {name} names"
            assert name in known or name in FREE or not name.endswith(("_id", "_ids", "number")), what
        self._asked = [name for name in queries if name in known]
        self.slots = [name for name in (*self._in_path, *self._asked, *fields) if name in known and name != "layout"]
        self.dry = "dry_run" in queries

    def __str__(self) -> str:
        """As a failing test shows it."""
        return f"{self.method} {self.path}"

    def request(self, values: Mapping[str, Any], *, bare: bool = False) -> tuple[str, dict[str, Any]]:
        """The path and the rest of a request that names these; `bare`: only what must be, of the query."""
        made = Asked(self._spec, values).request(self._operation)
        if not bare:
            made["params"] |= {name: values[name] for name in self._asked}
        if self.dry:
            made["params"]["dry_run"] = "true"
        if self.path == EVENTS:
            told = event("expired", values["subscription_id"], values["organization_id"])
            made |= {"json": told, "headers": {"Content-Type": "application/cloudevents+json"}}
        in_path = {name: values.get(name, "1") for name in self._in_path}  # of operators' things: nobody's
        return self.path.format(**in_path), made

    def mixtures(self, mine: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Requests that name all of the other's, or one of it among one's own: the place, and the values."""
        yield "all of it", dict(other)
        if len(self.slots) > 1:
            for slot in self.slots:
                yield slot, {**mine, slot: other[slot]}


def plain(text: str, request_id: str, values: Mapping[str, Any], slots: list[str]) -> str:
    """An answer without what differs from one request to the next, and with a mark for what was asked for."""
    text = text.replace(request_id, "<request>")
    for slot in slots:
        for value in values[slot] if isinstance(values[slot], list) else [values[slot]]:
            text = text.replace(value, f"<{slot}>")
    return _INSTANT.sub("<instant>", _UUID.sub("<id>", text))


def outsiders(world: World) -> Iterator[tuple[str, Caller]]:
    """Everybody with a token of the west."""
    every = ("billing:write", "projections:read", "operate")
    for role, party in (
        ("partner-admin", world.west),
        ("org-admin", world.west_org),
        ("member", world.west_org),
        ("machine", world.west),
        ("machine", world.west_org),
    ):
        yield f"{role} of {party}", world.caller(role, party, every)
    for role in ("org-admin", "partner-admin"):
        yield f"{role} of nowhere", world.caller(role, str(uuid4()), every)
