"""An organization with people, licenses and numbers, and what its administrator does with bulk assignments."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import uuid4

import httpx

from tests.http.world import Caller, Json, World, created, event

HEADER = "Ext Key,User's Name,Number,Subscription Reference"


class Office:
    """The eastern organization of a world, and its administrator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.org = world.east_org
        self.admin = world.caller("org-admin", self.org)
        self.path = f"/licensing/organizations/{self.org}/bulk-assignments"
        self.people: dict[str, str] = {}

    # -- what there is ----------------------------------------------------------------------------------------

    async def hire(self, *names: str) -> None:
        """Let people join."""
        path = f"/licensing/organizations/{self.org}/identities"
        for name in names:
            body = {"name": name, "email": "p@org.example", "role": "member"}
            self.people[name] = created(await self.admin.post(path, body))["identity_id"]

    async def buy(self, code: str = "phone_system", quantity: int = 10, reference: str | None = None) -> str:
        """Buy licenses."""
        key = str(uuid4())
        more = {} if reference is None else {"reference": reference}
        facts = {"product": "license", "license_code": code, "quantity": quantity, **more}
        created(await self.world.bill(event("started", key, self.org, **facts)))
        return key

    async def buy_numbers(self, count: int) -> list[str]:
        """Buy numbers: in the inventory, and assigned to the organization, as licensing knows by then."""
        numbers = self.world.numbers(count)
        body = {"numbers": numbers, "vendor": "v", "country": "SG", "sku": "DID", "holder_id": self.org}
        created(await self.world.admin.post("/numbers", body))
        facts = [{"product": "number", "number": number, "sku": "DID"} for number in numbers]
        created(await self.world.bill(*(event("started", str(uuid4()), self.org, **f) for f in facts)))
        await self.numbers_are(numbers, "assigned")
        return numbers

    async def numbers_are(self, numbers: Sequence[str], state: str, *, bound: bool = False) -> None:
        """Wait until licensing has heard that numbers are in a state, and whether they ring somewhere."""
        store = self.world.deployment.runtimes["licensing"].store
        sql = "SELECT count(*) FROM number_copy WHERE number = ANY(%b) AND state = %s AND bound = %b"
        for _ in range(600):
            if store.fetch(sql, (list(numbers), state, bound))[0][0] == len(numbers):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"licensing does not know that {numbers} are {state}")

    # -- what is done -----------------------------------------------------------------------------------------

    async def draft(self, *rows: str, header: str = HEADER, **body: Json) -> str:
        """A template with a file of rows; its path."""
        made = created(await self.admin.post(self.path, {"name": "Tower", **body}))
        one = f"{self.path}/{made['bulk_id']}"
        if rows:
            created(await self.add(one, *rows, header=header))
        return one

    async def add(self, one: str, *rows: str, header: str = HEADER, by: Caller | None = None) -> httpx.Response:
        """Add a file of rows."""
        return await self.send(one, "\n".join((header, *rows)).encode(), by=by)

    async def send(self, one: str, content: bytes, *, by: Caller | None = None, **more: str) -> httpx.Response:
        """Add a file as it is."""
        headers = {"Content-Type": "text/csv", **more}
        return await (by or self.admin)("POST", f"{one}/users", content=content, headers=headers)

    async def assign(self, one: str, **body: Json) -> Json:
        """Press assign and wait until it is completed: the progress then."""
        answer = await self.admin.post(f"{one}/assign", body)
        assert answer.status_code == 202, answer.text
        return await self.completed(one)

    async def completed(self, one: str) -> Json:
        """Wait until it is completed."""
        for _ in range(1200):
            progress = created(await self.admin.get(f"{one}/progress"))
            whole = progress["succeeded"] + progress["failed"] + progress["waiting"] + progress["pending"]
            assert whole == progress["total"]
            if progress["status"] == "completed":
                return progress
            await asyncio.sleep(0.05)
        raise AssertionError(f"still not completed: {progress}")

    async def report(self, one: str) -> list[Json]:
        """What became of each row."""
        return list(created(await self.admin.get(f"{one}/report?limit=500"))["items"])

    async def codes(self, one: str) -> list[str | None]:
        """The codes of all rows, in order; None: succeeded."""
        return [row["code"] for row in await self.report(one)]

    async def foreseen(self, one: str) -> list[str | None]:
        """The codes that preflight tells of all rows."""
        found = created(await self.admin.get(f"{one}/preflight"))
        codes = [row["code"] for row in found["rows"]]
        counted = Counter(code for code in codes if code is not None)
        assert found["codes"] == counted
        assert found["would_fail"] == sum(counted.values())
        assert found["would_succeed"] + found["would_fail"] == found["total"] == len(codes)
        return codes

    # -- what has come of it ----------------------------------------------------------------------------------

    async def extensions(self) -> list[Json]:
        """The organization's extensions, by key."""
        path = f"/licensing/organizations/{self.org}/extensions?limit=500"
        headers = {"Trunkline-Wait-For": self.position()}
        return list(created(await self.admin.get(path, headers=headers))["items"])

    async def free(self, code: str = "phone_system") -> int:
        """Units of a license that are free."""
        path = f"/licensing/organizations/{self.org}/licenses"
        headers = {"Trunkline-Wait-For": self.position()}
        items = created(await self.admin.get(path, headers=headers))["items"]
        return int(next(item["free"] for item in items if item["license_code"] == code))

    def position(self) -> str:
        """The end of licensing's log, as a header takes it."""
        return f"licensing/{self.world.deployment.runtimes['licensing'].store.end_of_log()}"


def rows(people: Iterable[str], start: int = 101) -> list[str]:
    """A row for each of some people, with consecutive keys, and nothing else."""
    return [f"{start + n},{name},," for n, name in enumerate(people)]
