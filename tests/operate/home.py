"""Two running services that can be asked as the command asks them, and tampered with as nobody should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from tests.http.licensed import Licensed
from tests.http.world import InProcess, World, created, event
from trunkline.application import Application
from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.reconcile.difference import Difference
from trunkline.cli.reconcile.fetch import Remotes
from trunkline.cli.reconcile.retry_until_settled import Report, reconcile
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import Causation
from trunkline.messaging.records import IncomingRecord
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.settings import Settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.domain.number.events import NumberReleased, NumberReserved
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Number
from trunkline_numbers.wiring import service as numbers

T = TypeVar("T")
BEHIND_ITS_BACK = Causation("test", "test", "test")
_ext_keys = iter(range(200, 999))


class Served(InProcess):
    """Both services in this process, for callers in it and for commands, which come over HTTP."""

    async def _serve(self) -> None:
        await super()._serve()
        await Application._serve(self)


class Home(World):
    """A world in which numbers serve a customer, and both services can be asked as the command asks them."""

    def __init__(self, deployment: Served) -> None:
        super().__init__(deployment)
        self.customer = Licensed(self)
        self.licensing, self.inventory = deployment.runtimes["licensing"], deployment.runtimes["numbers"]

    async def buy(self, *numbers: str) -> list[str]:
        """A subscription for each number."""
        keys = [str(uuid4()) for _ in numbers]
        facts = [{"product": "number", "number": number, "sku": "DID"} for number in numbers]
        told = [event("started", key, self.east_org, **each) for key, each in zip(keys, facts, strict=True)]
        created(await self.bill(*told))
        return keys

    async def sold(self, count: int) -> list[tuple[str, str]]:
        """So many numbers, each with the subscription that it serves."""
        some = self.numbers(count)
        created(await self.add(*some))
        keys = await self.buy(*some)
        await self.quiet()
        return list(zip(some, keys, strict=True))

    async def line(self, number: str) -> str:
        """An extension where a number rings."""
        (x,) = await self.customer.provision(start=str(next(_ext_keys)))
        await self.customer.patch(x["extension_id"], number=number)
        await self.quiet()
        return str(x["extension_id"])

    @property
    def now(self) -> datetime:
        """What time it is for both."""
        return self.inventory.clock.now()

    async def happens(self, kind: str, subscription: str, **data: Any) -> None:
        """Something else that billing says."""
        created(await self.bill(event(kind, subscription, self.east_org, self.now.isoformat(), **data)))

    async def ask(self, ask: Callable[[Remotes], T], patience: float = 60.0) -> T:
        """Something of both services, as the command asks it."""

        def asked() -> T:
            urls = dict.fromkeys(("licensing", "numbers"), self.deployment.address)
            remote = ApiClient(urls, self.tokens.issue("platform-admin", scopes=("operate",)))
            return ask(Remotes(remote, patience=patience))

        return await asyncio.to_thread(asked)

    async def quiet(self) -> None:
        """Until all that follows from what was done has been heard: a request, its answer, what the answer brings."""
        for _ in range(2):
            await self.ask(Remotes.exchange)

    async def compared(self, patience: float = 60.0) -> Report:
        """Both, with what explains each difference."""

        def compare(remotes: Remotes) -> Report:
            report = reconcile(remotes)
            return replace(report, differences=remotes.explained(report.differences))

        return await self.ask(compare, patience)

    def tamper(self, number: str, decide: Callable[[Number], Sequence[Event]]) -> None:
        """Append to a number's stream what no door would."""
        self.inventory.run(lambda uow: uow.record(NUMBER, number, decide(uow.state(NUMBER, number)), BEHIND_ITS_BACK))


@asynccontextmanager
async def at_home(folder: Path, licensing_url: str, numbers_url: str, **more: Any) -> AsyncIterator[Home]:
    """Two partners with an organization each; the eastern one has licenses."""
    urls = {"licensing_database_url": SecretStr(licensing_url), "numbers_database_url": SecretStr(numbers_url)}
    settings = Settings(home=folder, sandbox=True, http_port=0, **urls, **more)
    async with Served(settings, [licensing(), numbers()]) as deployment:
        found = Home(deployment)
        await found.fill()
        await found.customer.buy(quantity=20)
        yield found


def lose(
    patch: pytest.MonkeyPatch,
    runtime: ServiceRuntime,
    lost: Callable[[IncomingRecord], bool],
    value: bytes | None = None,
) -> None:
    """From now on a service does not hear some of what is said to it; with a value it hears that instead."""
    accept = runtime.intake.accept

    def receive(records: Sequence[IncomingRecord]) -> int:
        if value is not None:
            return accept([replace(r, value=value) if lost(r) else r for r in records])
        return accept([r for r in records if not lost(r)])

    patch.setattr(runtime.intake, "accept", receive)


def keyed(*keys: str) -> Callable[[IncomingRecord], bool]:
    return lambda record: (record.key or b"").decode() in keys


def named(found: Sequence[Difference]) -> set[tuple[str, str]]:
    return {(each.kind, each.key) for each in found}


def released(n: Number) -> list[Event]:
    """A number that is assigned, as if somebody had released it."""
    assert isinstance(n.life, Assigned)
    life = n.life
    return [
        NumberReleased(
            at=life.since, cause="by_hand", reserver_id=life.organization_id, subscription_id=life.subscription_id
        )
    ]


def kept_as_if_expired(n: Number) -> list[Event]:
    """A number that is assigned, as if its subscription had expired at once."""
    assert isinstance(n.life, Assigned)
    life, end = n.life, n.life.since + timedelta(days=9_000)
    return [
        NumberReserved(
            at=life.since,
            reserver_id=life.organization_id,
            reserver_kind="organization",
            cause="expired",
            subscription_id=life.subscription_id,
            ends_at=end,
            free_ends_at=end,
        )
    ]
