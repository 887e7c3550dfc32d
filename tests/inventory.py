"""Numbers on a real database and a clock that only a test moves; nothing runs unless a test steps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from trunkline.clock import DAY, FixedClock
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.decider import Event
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.log_subscriber import LogSubscriber
from trunkline.eventstore.recorded_event import Causation, RecordedEvent, recorded
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.mail.outbox import MailRow, list_mail
from trunkline.projections.rebuild import Rebuild
from trunkline.projections.runner import ProjectionRunner
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, PartyReceived
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.reactors import notice_mails
from trunkline_numbers.wiring import service

START = datetime(2026, 3, 1, tzinfo=UTC)
ORG = "0a9e0000-0000-4000-8000-000000000001"
PARTNER = "9a270000-0000-4000-8000-000000000001"
ACME = Party(ORG, "organization", PARTNER)
RESELLER = Party(PARTNER, "partner", PARTNER)
BY_HAND = Causation("user:test", "test", "test")

Decide = Callable[[Number, datetime], Sequence[Event]]


def number(index: int) -> str:
    """The n-th number of the tests."""
    return f"+6562{index:06d}"


def prepare(url: str) -> None:
    """The tables of numbers."""
    migrate(url, [*read_migrations(files("trunkline.eventstore") / "migrations"), *service().migrations])


class Inventory:
    """The service's parts, each to be stepped by hand."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = FixedClock(START)
        self.service = service()
        self.store = self.open_store()
        self.projector = ProjectionRunner(self.store, self.service.views)
        self.projector.prepare()
        self.rebuild = Rebuild(self.projector, self.clock.now)
        self.deadlines = self.poller()
        self.notices = LogSubscriber(
            self.store, self.clock, notice_mails.FOLLOWER, notice_mails.NAMES, notice_mails.handle
        )
        self._open: list[Store] = [self.store]

    def open_store(self) -> Store:
        """One more way to the same store, as another copy of the service has it."""
        return Store(self.url, self.service.codec())

    def poller(self) -> Deadlines:
        """A poller of deadlines, as each copy of the service has one."""
        return Deadlines(self.store, self.clock, self.service.settle)

    def close(self) -> None:
        """Let the database go."""
        self.projector.resign()
        self.deadlines.resign()
        self.notices.resign()
        self.store.close()

    # -- what people do ---------------------------------------------------------------------------------------

    def do(self, numbers: Iterable[str], decide: Decide) -> None:
        """Decide on some numbers and commit it together."""
        keys = list(numbers)

        def work(uow: UnitOfWork) -> None:
            uow.load((NUMBER, key) for key in keys)
            for key in keys:
                uow.record(NUMBER, key, decide(uow.state(NUMBER, key), uow.now), BY_HAND)

        run(self.store, self.clock.now, work)

    def add(self, *numbers: str, uploader_id: str | None = None) -> None:
        listing = Listing(country="SG", sku="did", vendor="acme")
        self.do(numbers, lambda n, now: by_hand.add(n, listing, uploader_id, None, DEFAULT, now))

    def reserve(self, *numbers: str, party: Party = ACME) -> None:
        self.do(numbers, lambda n, now: by_hand.reserve(n, party, "kept", DEFAULT, now))

    def release(self, *numbers: str) -> None:
        self.do(numbers, lambda n, now: by_hand.release(n, "not needed", DEFAULT, now))

    def lock(self, *numbers: str) -> None:
        self.do(numbers, lambda n, now: by_hand.lock(n, "checked", DEFAULT, now))

    def delete(self, *numbers: str) -> None:
        self.do(numbers, lambda n, now: by_hand.delete(n, "faulty", "crackles", DEFAULT, now))

    def introduce(self) -> None:
        """The platform, a partner and its organization are known."""
        told = {
            PLATFORM: PartyReceived(
                at=START, sequence=1, kind="platform", name="Top", support_email="help@top.example"
            ),
            PARTNER: PartyReceived(
                at=START,
                sequence=1,
                kind="partner",
                name="Resell",
                owner_email="owner@resell.example",
                support_email="help@resell.example",
            ),
            ORG: PartyReceived(
                at=START,
                sequence=1,
                kind="organization",
                name="Acme",
                partner_id=PARTNER,
                billing_email="billing@acme.example",
            ),
        }

        def work(uow: UnitOfWork) -> None:
            for key, heard in told.items():
                uow.record(PARTY, key, [heard], BY_HAND)

        run(self.store, self.clock.now, work)

    # -- what the service does --------------------------------------------------------------------------------

    def wait(self, days: float) -> None:
        """Let time pass."""
        self.clock.advance(days * DAY)

    def settle(self, limit: int = 1000) -> None:
        """Settle everything that is due."""
        while self.deadlines.step(limit):
            pass

    def tell(self) -> None:
        """Write the mails of every notice."""
        while self.notices.step():
            pass

    def project(self) -> None:
        """Bring the views up to the log."""
        while self.projector.step():
            pass

    # -- what is to be seen -----------------------------------------------------------------------------------

    def log(self, after: int = 0) -> list[RecordedEvent]:
        return [recorded(self.store.codec, row) for row in self.store.read_log(after, 100_000)]

    def story(self, *numbers: str) -> list[tuple[str, str, datetime]]:
        """(event, number, instant) in the order of the log."""
        return [
            (type(r.event).__name__, r.key, r.event.at)
            for r in self.log()
            if r.stream_id.startswith("number/") and (not numbers or r.key in numbers)
        ]

    def state(self, key: str) -> Number:
        return UnitOfWork(self.store, self.clock.now()).state(NUMBER, key)

    def due(self) -> dict[str, datetime]:
        return dict(self.store.fetch("SELECT key, due_at FROM deadlines"))

    def mails(self) -> list[MailRow]:
        """All mails, by key."""
        return sorted(list_mail(self.store, 10_000), key=lambda m: m.key)


@pytest.fixture
def inventory(new_database: Callable[..., str]) -> Iterable[Inventory]:
    """An empty inventory."""
    made = Inventory(new_database(prepare))
    yield made
    made.close()
