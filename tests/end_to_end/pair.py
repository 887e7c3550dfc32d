"""Both services on two databases, joined by hand: a test decides in which order, and how often, each thing is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import uuid4

from trunkline.contracts import billing
from trunkline.contracts import licensing as said
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import read_page
from trunkline.messaging.records import IncomingRecord
from trunkline.service_definition import ServiceDefinition
from trunkline_licensing.domain.party.directory import PARTY as DIRECTORY
from trunkline_licensing.message_handlers import billing_events
from trunkline_licensing.message_handlers.party_events import command, fact_of_data
from trunkline_licensing.wiring import service as licensing_service
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Available, Number, Reserved
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.reactors.deadlines import handle as settle_due
from trunkline_numbers.wiring import service as numbers_service

BY_HAND = Causation("test", "test", "test")


def prepare_licensing(url: str) -> None:
    """The tables of licensing."""
    _prepare(url, licensing_service())


def prepare_numbers(url: str) -> None:
    """The tables of numbers."""
    _prepare(url, numbers_service())


def _prepare(url: str, service: ServiceDefinition) -> None:
    migrate(url, [*read_migrations(files("trunkline.eventstore") / "migrations"), *service.migrations])


class Pair:
    """Licensing and numbers. `now` is the clock of both and only a test moves it; that of numbers is `skew` ahead."""

    def __init__(self, licensing_url: str, numbers_url: str, now: datetime) -> None:
        self.now = now
        self.skew = timedelta()
        self.licensing_service, self.numbers_service = licensing_service(), numbers_service()
        self.licensing = Store(licensing_url, self.licensing_service.codec())
        self.numbers = Store(numbers_url, self.numbers_service.codec())
        self.intake = Inbox(self.numbers, self.numbers_service, lambda: self.now + self.skew)
        self._heard_up_to = 0
        self._offsets = 0

    def close(self) -> None:
        """Let both databases go."""
        self.licensing.close()
        self.numbers.close()

    # -- what licensing hears ---------------------------------------------------------------------------------

    def bill(self, messages: Sequence[Message]) -> None:
        """Give licensing a batch of billing's messages."""
        run(self.licensing, lambda: self.now, lambda uow: billing_events.handle(uow, messages))

    def register(self, *parties: Any) -> None:
        """Register parties with licensing, given as the contracts of the intake topic."""

        def decide(uow: UnitOfWork) -> None:
            for data in parties:
                key = getattr(data, "organization_id", None) or data.partner_id
                command(uow, DIRECTORY, key, fact_of_data(data, self.now), BY_HAND)

        run(self.licensing, lambda: self.now, decide)

    # -- between the two --------------------------------------------------------------------------------------

    def said(self) -> list[IncomingRecord]:
        """What licensing has said since the last time, as records of its topics, in log order."""
        records: list[IncomingRecord] = []
        while (page := read_page(self.licensing, self.licensing_service, self._heard_up_to)) is not None:
            self._heard_up_to = page.end
            records += [
                IncomingRecord(f"test/{o.topic}", o.topic, 0, o.position, o.key, o.headers, o.value)
                for o in page.outgoing
            ]
        return [r for r in records if r.topic in self.intake.topics]

    def receive(self, records: Iterable[IncomingRecord], batch: int = 500) -> None:
        """Give numbers records in this very order, as often as they are given; offsets are made anew."""
        fresh: list[IncomingRecord] = []
        for record in records:
            self._offsets += 1
            fresh.append(
                IncomingRecord("test", record.topic, 0, self._offsets, record.key, record.headers, record.value)
            )
        for start in range(0, len(fresh), batch):
            self.intake.accept(fresh[start : start + batch])

    def talk(self) -> None:
        """In order, once."""
        self.receive(self.said())

    # -- numbers ----------------------------------------------------------------------------------------------

    def add(self, *numbers: str) -> None:
        """Put numbers into the inventory, visible to everybody."""
        listing = Listing(country="SG", sku="SG-LOCAL", vendor="Vendor")
        self.act(*numbers, decide=lambda n: by_hand.add(n, listing, None, None, DEFAULT, self.now))

    def act(self, *numbers: str, decide: Callable[[Number], list[Any]]) -> None:
        """Do something to numbers by hand, with all that follows."""

        def work_it(uow: UnitOfWork) -> None:
            load_settled(uow, ((NUMBER, number) for number in numbers))
            for number in numbers:
                uow.record(NUMBER, number, decide(uow.state(NUMBER, number)), BY_HAND)
            serve_waiting(uow, BY_HAND)

        run(self.numbers, lambda: self.now, work_it)

    def pass_to(self, now: datetime) -> None:
        """Let time pass; whatever falls due in numbers is settled in due order."""
        self.now = now
        self._settle(self.numbers, now + self.skew, settle_due)

    def licensing_due(self) -> None:
        """Let licensing settle what is due there."""
        self._settle(self.licensing, self.now, self.licensing_service.settle)

    def _settle(self, store: Store, now: datetime, settle: Callable[[UnitOfWork, list[str]], None]) -> None:
        while rows := store.fetch(
            "SELECT key FROM deadlines WHERE due_at <= %s ORDER BY due_at, key LIMIT 1000", (now,)
        ):
            ids = [key for (key,) in rows]
            run(store, lambda: now, lambda uow, ids=ids: settle(uow, ids))  # type: ignore[misc]

    def number(self, number: str) -> Number:
        """The number as it is."""
        return UnitOfWork(self.numbers, self.now).state(NUMBER, number)

    def picture(self, number: str, names: dict[str, str]) -> tuple[Any, ...]:
        """Where a number is, with ids replaced by the names a test gave them, so that two worlds can be compared."""
        life = self.number(number).life
        match life:
            case Assigned():
                return ("assigned", names.get(life.subscription_id))
            case Reserved():
                mine = names.get(life.subscription_id or "")
                return ("reserved", mine, life.cause, life.ends_at, life.notice_at)
            case Available():
                return ("available",)
            case _:
                return (type(life).__name__.lower(),)

    def refused(self, subscription_id: str) -> str | None:
        """The code of the refusal that the subscription waits on."""
        state = UnitOfWork(self.numbers, self.now).state(SUBSCRIPTION, subscription_id)
        return state.refused.code if state.refused else None


class Billing:
    """What billing says of one subscription; each fact has its own id and, if wanted, a sequence."""

    def __init__(self, organization_id: str, *, sequenced: bool = True) -> None:
        self.subscription_id = str(uuid4())
        self.organization_id = organization_id
        self._sequenced = sequenced
        self._sequence = 0

    def started(self, at: datetime, number: str) -> Message:
        """It starts with a number."""
        return self._say("started", at, billing.NumberStarted, number=number, sku="SG-LOCAL")

    def renewed(self, at: datetime) -> Message:
        """It is renewed."""
        return self._say("renewed", at, billing.Renewed, renewed_until=at)

    def expired(self, at: datetime) -> Message:
        """It expires."""
        return self._say("expired", at, billing.Expired)

    def reactivated(self, at: datetime) -> Message:
        """It is reactivated."""
        return self._say("reactivated", at, billing.Reactivated)

    def terminated(self, at: datetime) -> Message:
        """It is terminated."""
        return self._say("terminated", at, billing.Terminated)

    def swapped(self, at: datetime, old: str, new: str) -> Message:
        """Its number is swapped."""
        return self._say("number_swapped", at, billing.NumberSwapped, old_number=old, new_number=new)

    def _say(self, fact: str, at: datetime, data: Any, **fields: Any) -> Message:
        self._sequence += 1
        return Message(
            id=str(uuid4()),
            source="/billing",
            type=f"billing.subscription.{fact}",
            subject=self.subscription_id,
            time=at.astimezone(UTC),
            sequence=self._sequence if self._sequenced else None,
            correlation_id=None,
            causation_id=None,
            data=data(subscription_id=self.subscription_id, organization_id=self.organization_id, **fields),
        )


__all__ = ["Billing", "Pair", "prepare_licensing", "prepare_numbers", "said"]
