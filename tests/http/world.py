"""Both services in this process with all their doors, and a small world of two partners to ask about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from trunkline.application import Application, all_migrations
from trunkline.eventstore.schema import migrate
from trunkline.http.app import create_app
from trunkline.operations.routes import operate_router
from trunkline.runtime.status import RELAY
from trunkline.security.tokens import Tokens
from trunkline.settings import Settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.wiring import service as numbers

Json = Any
_fresh = count(1)


def prepare_licensing(url: str) -> None:
    migrate(url, all_migrations(licensing()))


def prepare_numbers(url: str) -> None:
    migrate(url, all_migrations(numbers()))


class InProcess(Application):
    """Everything but the socket: requests go straight into the application."""

    app: FastAPI

    async def _serve(self) -> None:
        self.app = create_app(self.runtimes, operate_router)


class Caller:
    """Somebody with a token."""

    def __init__(self, app: FastAPI, token: str | None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://trunkline", headers=headers
        )

    async def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await self.client.request(method, path, **request)

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.client.get(path, **request)

    async def post(self, path: str, body: Json = None, **request: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **request)


class World:
    """A platform, partners `east` and `west`, an organization of each, and callers of every role.

    Every world has parties and numbers of its own; the services under it serve many.
    """

    def __init__(self, deployment: InProcess) -> None:
        self.deployment = deployment
        self.tokens = Tokens.of(deployment.settings)
        self.name = uuid4().hex[:8]
        self.east, self.west = str(uuid4()), str(uuid4())
        self.east_org, self.west_org = str(uuid4()), str(uuid4())
        self.admin = self.caller("platform-admin", scopes=("operate",))

    @property
    def app(self) -> FastAPI:
        return self.deployment.app

    def caller(self, role: Any, party: str | None = None, scopes: tuple[str, ...] = (), **more: Any) -> Caller:
        return Caller(self.app, self.tokens.issue(role, party_id=party, scopes=scopes, **more))

    def nobody(self) -> Caller:
        return Caller(self.app, None)

    def numbers(self, count: int) -> list[str]:
        """So many numbers of Singapore that no other world has."""
        return [f"+6531{next(_fresh):06}" for _ in range(count)]

    async def settle(self) -> None:
        """Until all that licensing has said has been heard by numbers."""
        runtime = self.deployment.runtimes["licensing"]
        while runtime.store.positions(RELAY).get(RELAY, 0) < runtime.store.end_of_log():
            await runtime.commit_signal.after(runtime.commit_signal.count, 0.05)

    async def fill(self) -> None:
        """Register the parties."""
        for partner, name in ((self.east, f"east-{self.name}"), (self.west, f"west-{self.name}")):
            body = {"partner_id": partner, "name": name, "domains": [f"{name}.example"]}
            body |= {"owner_email": f"owner@{name}.example", "support_email": f"help@{name}.example"}
            created(await self.admin.post("/licensing/partners", body))
        for org, partner in ((self.east_org, self.east), (self.west_org, self.west)):
            body = {"organization_id": org, "partner_id": partner, "name": "org", "billing_email": "b@org.example"}
            created(await self.admin.post("/licensing/organizations", body))
        await self.settle()

    async def add(self, *numbers: str, holder: str | None = None, by: Caller | None = None) -> httpx.Response:
        """Add numbers of Singapore."""
        body: dict[str, Json] = {"numbers": list(numbers), "vendor": "v", "country": "SG", "sku": "DID"}
        return await (by or self.admin).post("/numbers", body | ({"holder_id": holder} if holder else {}))

    async def bill(self, *events: Json, by: Caller | None = None) -> httpx.Response:
        """Publish billing events as a batch."""
        caller = by or self.admin
        return await caller(
            "POST",
            "/licensing/billing-events",
            json=list(events),
            headers={"Content-Type": "application/cloudevents-batch+json"},
        )


def event(kind: str, subscription: str, organization: str, at: str = "2026-01-01T00:00:00Z", **data: Json) -> Json:
    """One CloudEvent of billing."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/billing",
        "type": f"billing.subscription.{kind}",
        "subject": subscription,
        "time": at,
        "data": {"subscription_id": subscription, "organization_id": organization, **data},
    }


def created(answer: httpx.Response) -> Json:
    """The body of an answer that must be a success."""
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def problem(answer: httpx.Response, status: int, code: str | None = None) -> Json:
    """The body of an answer that must be a problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["request_id"] == answer.headers["trunkline-request-id"]
    assert code is None or body["code"] == code, body
    return body


@asynccontextmanager
async def running(home: Path, licensing_url: str, numbers_url: str) -> AsyncIterator[InProcess]:
    """Both services, on two databases."""
    settings = Settings(
        home=home,
        licensing_database_url=SecretStr(licensing_url),
        numbers_database_url=SecretStr(numbers_url),
        sandbox=True,
    )
    async with InProcess(settings, [licensing(), numbers()]) as deployment:
        yield deployment


def later(seconds: float) -> datetime:
    """An instant some seconds from now."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds, UTC)
