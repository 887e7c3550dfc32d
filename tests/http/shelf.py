"""Some numbers of every kind, made over HTTP, and what each filter of a search should leave of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.http.world import Caller, Json, World, created, event

Filter = tuple[dict[str, Any], Callable[[Json], bool]]
ROUTE = "north"


class Shelf:
    """24 numbers of one vendor: of the platform, two partners and their organizations, in every state."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vendor = f"=cmd|'-{world.name}"
        self.numbers = world.numbers(22)
        self.subscription = str(uuid4())
        self.east_domain, self.west_domain = f"east-{world.name}.example", f"west-{world.name}.example"
        self.askers: dict[str, Caller] = {
            "platform": world.admin,
            "support": world.caller("platform-support"),
            "east": world.caller("partner-admin", world.east),
            "west": world.caller("partner-admin", world.west),
            "east_org": world.caller("org-admin", world.east_org),
            "west_org": world.caller("org-admin", world.west_org),
        }

    async def fill(self) -> None:
        """Add them, say what they are, and let something happen to most of them."""
        world = self.world
        created(await world.add(*self.numbers))
        for partner in ("east", "west"):
            (own,) = world.numbers(1)
            created(await world.add(own, by=self.askers[partner]))
            self.numbers.append(own)
        for place, number in enumerate(self.numbers):
            created(await world.admin("PATCH", f"/numbers/{number}", json=self._listing(place)))
        await self._allocate()
        await self._bill()
        for number in self.numbers[8:12]:
            whose = world.west_org if number == self.numbers[11] else world.east_org
            await self._act(number, "reserve", reserver_id=whose, remark="r")
        for number in self.numbers[12:14]:
            await self._act(number, "bind", kind="trunk", user_id=str(uuid4()))
        await self._act(self.numbers[21], "delete", reason="other", remark="r")
        await self._act(self.numbers[19], "lock", remark="r")
        last = await self._act(self.numbers[20], "lock", remark="r")
        await world.admin.get("/numbers", headers={"Trunkline-Wait-For": last.headers["Trunkline-Position"]})

    def _domains(self, index: int) -> list[str]:
        """Whom a number is shown to; whoever it is kept for, or serves, must be able to see it."""
        return [] if 8 <= index < 19 else ([], [self.east_domain], [self.west_domain])[index % 3]

    def _listing(self, index: int) -> Json:
        return {
            "vendor": self.vendor,
            "sku": ("+DID", "GOLD", "PLAIN")[index % 3],
            "routing": ROUTE if index % 2 else None,
            "golden": index % 4 == 0,
            "ported_in": index % 5 == 0,
            "domains": self._domains(index),
            "capabilities": {"voice": index % 7 != 0, "sms": index % 2 == 0, "fax": index % 3 == 0},
        }

    async def _allocate(self) -> None:
        world, numbers = self.world, self.numbers
        for holder, some in ((world.east, numbers[2:4]), (world.east_org, numbers[4:6]), (world.west, numbers[6:7])):
            created(await world.admin.post("/numbers/allocate", {"numbers": some, "holder_id": holder}))

    async def _bill(self) -> None:
        facts = [(n, self.world.west_org if n in self.numbers[17:19] else self.world.east_org)
                 for n in self.numbers[12:19]]  # fmt: skip
        first = iter([self.subscription])
        said = [event("started", next(first, str(uuid4())), org, product="number", number=n, sku="X")
                for n, org in facts]  # fmt: skip
        created(await self.world.bill(*said))
        await self.world.settle()

    async def _act(self, number: str, verb: str, **body: Json) -> Any:
        answer = await self.world.admin.post(f"/numbers/{number}/{verb}", body)
        created(answer)
        return answer

    async def seen_by(self, caller: Caller) -> list[Json]:
        """Each number as its own door shows it, in order; without those that are unknown there."""
        answers = [await caller.get(f"/numbers/{number}") for number in sorted(self.numbers)]
        return [answer.json() for answer in answers if answer.status_code == 200]

    def filters(self, seen: list[Json]) -> dict[str, Filter]:
        """Each filter as query parameters, and as a question about a number as shown."""
        world = self.world
        free = sorted(n["since"] for n in seen if n["state"] == "available")
        since = datetime.fromisoformat(free[len(free) // 2]).astimezone(UTC)
        prefix, tail = self.numbers[5][:-1], self.numbers[5][-2:]
        found: dict[str, Filter] = {
            state: ({"state": state}, lambda n, state=state: n["state"] == state)  # type: ignore[misc]
            for state in ("available", "reserved", "assigned", "locked", "deleted")
        }
        marks = (("golden", True), ("golden", False), ("ported_in", True), ("ported_in", False))
        found |= {
            f"{mark} {yes}": ({mark: yes}, lambda n, mark=mark, yes=yes: n[mark] is yes)  # type: ignore[misc]
            for mark, yes in marks
        }
        found |= {
            capability: ({"capability": capability}, lambda n, c=capability: n["capabilities"][c])  # type: ignore[misc]
            for capability in ("voice", "fax", "sms")
        }
        return found | {
            "two states": ({"state": ["available", "locked"]}, lambda n: n["state"] in ("available", "locked")),
            "two capabilities": (
                {"capability": ["voice", "sms"]},
                lambda n: n["capabilities"]["voice"] and n["capabilities"]["sms"],
            ),
            "sku": ({"sku": "+DID"}, lambda n: n["sku"] == "+DID"),
            "country": ({"country": "SG"}, lambda n: n["country"] == "SG"),
            "routing": ({"routing": ROUTE}, lambda n: n["routing"] == ROUTE),
            "begins": ({"pattern": prefix}, lambda n: n["number"].startswith(prefix)),
            "ends": ({"pattern": f"*{tail}"}, lambda n: n["number"].endswith(tail)),
            "within": ({"pattern": f"*{tail}*"}, lambda n: tail in n["number"]),
            "domain": (
                {"domain": self.east_domain},
                lambda n: self._domains(self.numbers.index(n["number"])) in ([], [self.east_domain]),
            ),
            "subscription": (
                {"subscription": self.subscription},
                lambda n: n["subscription_id"] == self.subscription,
            ),
            "owner": (
                {"owner": world.east_org},
                lambda n: world.east_org in (n["organization_id"], n["reserver_id"]),
            ),
            "holder": ({"holder": world.east}, lambda n: n["holder_id"] == world.east),
            "uploader": ({"uploader": world.east}, lambda n: n["uploader_id"] == world.east),
            "bound": ({"bound": True}, lambda n: bool(n["bindings"])),
            "not bound": ({"bound": False}, lambda n: not n["bindings"]),
            "available since": (
                {"available_since": since.isoformat()},
                lambda n: n["state"] == "available" and datetime.fromisoformat(n["since"]) <= since,
            ),
            "available for longer than 0 days": ({"available_for_days": 0}, lambda n: n["state"] == "available"),
        }
