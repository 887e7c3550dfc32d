"""A store of licensing's own, and what billing and the directory say to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from trunkline.clock import FixedClock
from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.envelope import Message
from trunkline.eventstore.decider import Decider
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import RecordedEvent, recorded
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_licensing.wiring import service

_CONTRACTS = billing.CONTRACTS | parties.CONTRACTS
START = datetime(2026, 3, 1, tzinfo=UTC)


def _prepare(url: str) -> None:
    migrate(url, [*read_migrations(files("trunkline.eventstore") / "migrations"), *service().migrations])


class Licensing:
    """The service on a real database, without transport: batches go straight to its reactions."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FixedClock(START + timedelta(days=100))
        self._react = {topic: handler.handle for handler in service().message_handlers for topic in handler.topics}

    def receive(self, *messages: Message) -> None:
        """One batch, committed whole: parties before billing, as the intake gives them."""

        def decide(uow: UnitOfWork) -> None:
            for topic, handle in self._react.items():
                if mine := [m for m in messages if _CONTRACTS[m.type].topic == topic]:
                    handle(uow, mine)

        run(self.store, self.clock.now, decide)

    def do(self, decide: Callable[[UnitOfWork], Any]) -> Any:
        """A command."""
        return run(self.store, self.clock.now, decide)[0]

    def state(self, decider: Decider[Any], key: str) -> Any:
        return UnitOfWork(self.store, self.clock.now()).state(decider, key)

    def log(self, after: int = 0) -> list[RecordedEvent]:
        return [recorded(self.store.codec, row) for row in self.store.read_log(after, 10_000)]

    def names(self, after: int = 0) -> list[str]:
        """The names of the events in the log."""
        return [type(row.event).__name__ for row in self.log(after)]

    def awaited(self) -> set[tuple[str, str]]:
        """Who waits for whom, as (awaited, waiter)."""
        return {(a, w) for a, w in self.store.fetch("SELECT awaited, waiter FROM awaited")}

    def claims(self) -> dict[str, str]:
        return dict(self.store.fetch("SELECT claim, stream_id FROM claims"))

    def quarantined(self) -> list[Sequence[Any]]:
        return self.store.fetch("SELECT source, event_id, subject FROM quarantined ORDER BY id")


@pytest.fixture
def licensing(new_database: Callable[..., str]) -> Iterator[Licensing]:
    store = Store(new_database(_prepare), service().codec())
    yield Licensing(store)
    store.close()


@pytest.fixture(scope="session")
def say() -> Callable[..., Message]:
    """`say(type, subject, day, **data)`: a message as billing or the directory would send it, checked by its contract.

    `id`, `source` and `sequence` may be given; the organization is the one of every test unless it is.
    """

    def make(
        kind: str,
        subject: str,
        day: float = 0,
        *,
        id: str | None = None,  # noqa: A002 - the attribute's own name
        source: str = "/billing",
        sequence: int | None = None,
        **data: Any,
    ) -> Message:
        contract = _CONTRACTS[kind]
        whole = {contract.key: subject, **data}
        if contract.topic == billing.TOPIC:
            whole.setdefault("organization_id", ORG)
        return Message(
            id or f"{kind}-{subject}-{day}",
            source,
            kind,
            subject,
            START + timedelta(days=day),
            sequence,
            None,
            None,
            contract.read(msgspec.json.encode(whole)),
        )

    return make


ORG = "0a9e0000-0000-4000-8000-000000000001"


@pytest.fixture(scope="session")
def registered(say: Callable[..., Message]) -> Message:
    """The organization of every test is registered, as the platform's own."""
    return say(
        "party.organization.registered",
        ORG,
        partner_id=None,
        name="Acme",
        billing_email="billing@acme.example",
    )
