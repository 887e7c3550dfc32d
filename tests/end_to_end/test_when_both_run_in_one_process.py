"""When both services run in one process, without a broker: asked over HTTP, answered by the other (X5, X1, L19)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.http.world import Caller, InProcess, created, prepare_licensing, prepare_numbers, running
from trunkline.security.tokens import Tokens
from trunkline_licensing.replicas.number_replica import NumberReplica, read

Json = Any
PATIENCE = 60.0
"""Seconds after which a test gives up."""


class Office:
    """A customer with Phone System licenses and numbers, and the administrator who serves it."""

    def __init__(self, deployment: InProcess) -> None:
        self.deployment = deployment
        self.org = str(uuid4())
        token = Tokens.of(deployment.settings).issue("platform-admin", scopes=("operate", "billing:write"))
        self.admin = Caller(deployment.app, token)
        self.path = f"/licensing/organizations/{self.org}/extensions"

    async def open(self, *numbers: str) -> None:
        acme = {"organization_id": self.org, "partner_id": None, "name": "Acme", "billing_email": "b@acme.example"}
        created(await self.admin.post("/licensing/organizations", acme))
        await self.bill("started", str(uuid4()), product="license", license_code="phone_system", quantity=20)
        if numbers:
            body = {"numbers": list(numbers), "vendor": "v", "country": "SG", "sku": "DID"}
            created(await self.admin.post("/numbers", body))

    async def bill(self, what: str, subscription: str, **data: Json) -> None:
        event = {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "/billing",
            "type": f"billing.subscription.{what}",
            "subject": subscription,
            "time": datetime.now(UTC).isoformat(),
            "data": {"subscription_id": subscription, "organization_id": self.org, **data},
        }
        kind = {"Content-Type": "application/cloudevents+json"}
        created(await self.admin("POST", "/licensing/billing-events", json=event, headers=kind))

    async def buy(self, number: str) -> str:
        """A subscription on a number; waits until licensing knows that it has it."""
        subscription = str(uuid4())
        await self.bill("started", subscription, product="number", number=number, sku="DID")
        await self.until(lambda: self.copy(number).organization_id == self.org)
        return subscription

    async def extension(self, number: str | None = None) -> str:
        made = created(await self.admin.post(self.path, {"count": 1, "start_from": str(next(_keys))}))
        extension: str = made["extensions"][0]["extension_id"]
        if number is not None:
            await self.change(extension, number=number)
        return extension

    async def change(self, extension: str, **facts: Json) -> None:
        answer = await self.admin("PATCH", f"{self.path}/{extension}", json=facts)
        assert answer.status_code == 200, answer.text

    async def shows(self, extension: str, status: str | None) -> None:
        """Wait until the extension shows its number so."""
        await self.until(lambda: self.status(extension) == status)

    def status(self, extension: str) -> str | None:
        rows = self.store("licensing").fetch("SELECT number_status FROM extension_view WHERE key = %s", (extension,))
        found: str | None = rows[0][0] if rows else None
        return found

    def copy(self, number: str) -> NumberReplica:
        return read(self.store("licensing").fetch, [number]).get(number, NumberReplica(number, 0))

    def store(self, service: str) -> Any:
        return self.deployment.runtimes[service].store

    async def until(self, condition: Callable[[], bool]) -> None:
        runtime = self.deployment.runtimes["licensing"]
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await runtime.commit_signal.after(runtime.commit_signal.count, 0.05)


_keys = iter(range(200, 999))


@pytest.fixture
def urls(databases: Any) -> Any:
    found = databases.create(prepare_licensing), databases.create(prepare_numbers)
    yield found
    for url in found:
        databases.drop(url)


@pytest_asyncio.fixture
async def office(urls: tuple[str, str], tmp_path: Path) -> AsyncIterator[Office]:
    async with running(tmp_path / "home", *urls) as deployment:
        yield Office(deployment)


async def test_then_a_number_is_asked_for_bound_suspended_and_lost(office: Office) -> None:
    """X5: over HTTP, the same code on both sides of no broker."""
    one, two = "+6531700001", "+6531700002"
    await office.open(one, two)
    subscription = await office.buy(one)
    extension = await office.extension(one)
    await office.shows(extension, "bound")
    await office.until(lambda: office.copy(one).extension_id == extension)
    refused = await office.extension(two)
    await office.shows(refused, "refused")
    shown = (await office.admin.get(f"{office.path}/{refused}")).json()
    assert "is not available to this organization" in str(shown)
    await office.bill("expired", subscription)
    await office.shows(extension, "suspended")
    await office.bill("terminated", subscription)
    await office.shows(extension, "lost")


async def test_then_a_number_without_a_binding_is_offered_until_it_has_one(office: Office) -> None:
    """L16, L19: taken off the extension it stays assigned, and is there for another."""
    number = "+6531700003"
    await office.open(number)
    await office.buy(number)
    extension = await office.extension(number)
    await office.shows(extension, "bound")
    await office.until(lambda: office.copy(number).bound)
    await office.change(extension, number=None)
    await office.until(lambda: not office.copy(number).bound)
    await office.shows(extension, None)
    assert office.copy(number).state == "assigned"
    other = await office.extension(number)
    await office.shows(other, "bound")


async def test_then_a_deleted_number_is_gone_from_the_copy_until_it_is_recovered(office: Office) -> None:
    """X1: a tombstone has its version too."""
    number = "+6531700004"
    await office.open(number)
    await office.until(lambda: office.copy(number).state == "available")
    path = f"/numbers/{number}"
    answer = await office.admin.post(f"{path}/delete", {"reason": "faulty", "remark": "crackles"})
    assert answer.status_code == 200, answer.text
    await office.until(lambda: office.copy(number).state is None)
    assert (await office.admin.post(f"{path}/recover", {"remark": "repaired"})).status_code == 200
    await office.until(lambda: office.copy(number).state == "available")


async def test_then_an_empty_copy_is_filled_again(urls: tuple[str, str], tmp_path: Path) -> None:
    """X1: at the next start, from the first document on."""
    numbers = [f"+65318{n:05}" for n in range(30)]
    async with running(tmp_path / "home", *urls) as deployment:
        office = Office(deployment)
        await office.open(*numbers)
        await office.until(lambda: all(office.copy(n).state == "available" for n in numbers))
        with office.store("licensing").connection() as conn:
            conn.execute(b"TRUNCATE number_copy")
    async with running(tmp_path / "home", *urls) as deployment:
        office = Office(deployment)
        await office.until(lambda: all(office.copy(n).state == "available" for n in numbers))


async def test_then_silence_counts_only_after_all_answers_were_heard(office: Office) -> None:
    """X5: an answer was given, and licensing has not come to hear it when it falls due."""
    number = "+6531700005"
    await office.open(number)
    await office.buy(number)
    extension = await office.extension()
    licensing, numbers = office.deployment.runtimes["licensing"], office.store("numbers")
    async with licensing.turn:  # it hears nothing
        await office.change(extension, number=number)
        answered = "SELECT 1 FROM stored_events WHERE topic = 'numbers.NumberBound'"
        await office.until(lambda: bool(numbers.fetch(answered)))
        clock: Any = licensing.clock
        clock.advance(timedelta(hours=1))
        put_off = "SELECT 1 FROM deadlines WHERE key = %s AND due_at > %s"
        long_after = (f"extension/{extension}", clock.now() - timedelta(minutes=30))
        await office.until(lambda: bool(licensing.store.fetch(put_off, long_after)))
    await office.shows(extension, "bound")
    refused = "SELECT 1 FROM stored_events WHERE topic = 'licensing.ExtensionNumberRefused'"
    assert not licensing.store.fetch(refused)


async def test_then_real_silence_is_a_refusal(office: Office) -> None:
    """X5: numbers hears nothing; the request is withdrawn, and what it hears later is over."""
    number = "+6531700006"
    await office.open(number)
    await office.buy(number)
    extension = await office.extension()
    licensing, numbers = office.deployment.runtimes["licensing"], office.deployment.runtimes["numbers"]
    async with numbers.turn:
        await office.change(extension, number=number)
        clock: Any = licensing.clock
        clock.advance(timedelta(hours=1))
        await office.shows(extension, "refused")
    heard = "SELECT 1 FROM stored_events WHERE topic = 'numbers.BindingWithdrawn'"
    await office.until(lambda: bool(numbers.store.fetch(heard)))
    await office.change(extension, number=number)
    await office.shows(extension, "bound")
