"""An organization with people and licenses, to provision extensions in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.http.world import Caller, World, created, event

Json = Any


class Licensed:
    """The eastern organization of a world, its administrator, people, and what it has bought."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.org = world.east_org
        self.admin = world.caller("org-admin", self.org)
        self.root = f"/licensing/organizations/{self.org}"
        self.path = f"{self.root}/extensions"

    async def person(self, name: str = "Ada", role: str = "member") -> str:
        """Register somebody; the id."""
        body = {"name": name, "email": f"{uuid4().hex[:8]}@org.example", "role": role}
        found: str = created(await self.admin.post(f"{self.root}/identities", body))["identity_id"]
        return found

    async def buy(self, code: str = "phone_system", quantity: int = 3, **more: Json) -> str:
        """Start a subscription for some units of a license; its id."""
        subscription = str(uuid4())
        told = event("started", subscription, self.org, product="license", license_code=code, quantity=quantity, **more)
        created(await self.world.bill(told))
        return subscription

    async def bill(self, kind: str, subscription: str, at: str = "2026-01-05T00:00:00Z", **data: Json) -> None:
        """Something else about a subscription."""
        created(await self.world.bill(event(kind, subscription, self.org, at, **data)))

    async def provision(self, count: int = 1, start: str = "101", by: Caller | None = None, **more: Json) -> list[Json]:
        """Make extensions; they must be made."""
        body = {"count": count, "start_from": start, **more}
        found: list[Json] = created(await (by or self.admin).post(self.path, body))["extensions"]
        return found

    async def seen(self, path: str, by: Caller | None = None, **params: Json) -> Json:
        """Read something that has seen all that was done here."""
        return created(await self.get(path, by, **params))

    async def get(self, path: str, by: Caller | None = None, **params: Json) -> httpx.Response:
        """Ask for something that has seen all that was done here."""
        end = self.world.deployment.runtimes["licensing"].store.end_of_log()
        headers = {"Trunkline-Wait-For": f"licensing/{end}"}
        return await (by or self.admin).get(path, params=params, headers=headers)

    async def patch(self, extension_id: str, **said: Json) -> Json:
        """Change an extension; it must be changed."""
        return created(await self.admin("PATCH", f"{self.path}/{extension_id}", json=said))

    async def licenses(self) -> dict[str, Json]:
        """The overview, by code."""
        return {item["license_code"]: item for item in (await self.seen(f"{self.root}/licenses"))["items"]}
