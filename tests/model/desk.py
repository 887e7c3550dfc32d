"""Numbers behind all its doors, and nothing that runs by itself: time passes and timers run when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.http.world import Caller
from trunkline.application import all_migrations
from trunkline.clock import FixedClock
from trunkline.contracts.cloudevents.message import Message
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.schema import migrate
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.files.export_slots import ExportSlots
from trunkline.http.app import create_app
from trunkline.operations.routes import operate_router
from trunkline.projections.runner import ProjectionRunner
from trunkline.roles import Role
from trunkline.security.tokens import Tokens
from trunkline.service_definition import ServiceContext, ServiceDefinition
from trunkline.settings import Settings
from trunkline_numbers.domain.party_replica import PARTY, PartyReceived
from trunkline_numbers.message_handlers import subscription_events
from trunkline_numbers.wiring import service

T = TypeVar("T")
TOLD = Causation("/trunkline/licensing", "test", "test")


def prepare(url: str) -> None:
    """The tables of numbers."""
    migrate(url, all_migrations(service()))


class Still:
    """A node whose loops do not run: what its doors need of it."""

    def __init__(self, store: Store, clock: FixedClock, settings: Settings) -> None:
        self.service: ServiceDefinition = service()
        self.store, self.clock, self.settings = store, clock, settings
        self.exports = ExportSlots()
        self.projector = ProjectionRunner(store, self.service.views)
        self.projector.prepare()

    def run(self, decide: Callable[[UnitOfWork], T]) -> tuple[T, int]:
        return run(self.store, self.clock.now, decide)

    def wait_for_views(self, position: int, at_most: float, /) -> bool:
        while self.projector.step():
            pass
        return True

    def measure(self) -> None: ...

    def troubles(self) -> list[str]:
        return []

    def close(self) -> None:
        self.projector.resign()
        self.store.close()


class Desk:
    """One inventory and everybody who may come to it. Answers are whole: status and body."""

    def __init__(self, url: str, home: Path, clock: FixedClock) -> None:
        settings = Settings(home=home, sandbox=True)
        self.clock = clock
        self.node: ServiceContext = Still(Store(url, service().codec()), clock, settings)
        self._deadlines = Deadlines(self.node.store, clock, self.node.service.settle)
        self._tokens = Tokens.of(settings)
        self._app = create_app({"numbers": self.node}, operate_router, self._tokens)
        self._loop = asyncio.Runner()

    def close(self) -> None:
        """Let everything go."""
        self._loop.close()
        self._deadlines.resign()
        assert isinstance(self.node, Still)
        self.node.close()

    def caller(self, role: Role, party: str | None = None, **more: Any) -> Callable[..., httpx.Response]:
        """Somebody who asks: `caller(method, path, json)`."""
        ask = self.asking(role, party, **more)

        def asked(method: str, path: str, body: Any = None, **request: Any) -> httpx.Response:
            return self._loop.run(ask(method, path, json=body, **request))

        return asked

    def asking(self, role: Role, party: str | None = None, **more: Any) -> Caller:
        """The same for a test with a loop of its own."""
        return Caller(self._app, self._tokens.issue(role, party_id=party, ttl=timedelta(days=1), **more))

    def work(self, decide: Callable[[UnitOfWork], T]) -> T:
        """One piece of work that no door does."""
        return self.node.run(decide)[0]

    def knows(self, *parties: tuple[str, PartyReceived]) -> None:
        """What licensing has said of parties."""

        def receive(uow: UnitOfWork) -> None:
            for key, said in parties:
                uow.record(PARTY, key, [said], TOLD)

        self.work(receive)

    def hears(self, messages: Sequence[Message]) -> None:
        """A batch of what licensing says of subscriptions."""
        self.work(partial(subscription_events.handle, messages=messages))

    def timers_run(self) -> None:
        """All that is due by the clock is settled."""
        while self._deadlines.step():
            pass
