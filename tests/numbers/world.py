"""Numbers with parties and subscriptions around them, in memory or on a real database: one way to tell either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Protocol, TypeVar

from tests.numbers.facts import ACME, KEY, LISTING, OTHER_PARTNER, PARTNER, SUB, Tale, day
from trunkline.clock import FixedClock
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.decider import Decider
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Causation, RecordedEvent, recorded
from trunkline.eventstore.schema import migrate, read_migrations
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.testing import Memory
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Assigned, Available, Number, Reserved
from trunkline_numbers.domain.party_replica import PLATFORM
from trunkline_numbers.domain.policy import CURRENT, POLICY, Policy, apply_policy
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION, Subscription
from trunkline_numbers.message_handlers import party_events, subscription_events
from trunkline_numbers.reactors import deadlines
from trunkline_numbers.wiring import service

T = TypeVar("T")
BY_HAND = Causation("user:test", "test", "test")


class Place(Protocol):
    """Where work is done: `Memory`, or a store."""

    clock: FixedClock

    def run(self, decide: Callable[[UnitOfWork], T]) -> T:
        """Do one piece of work."""

    def state(self, decider: Decider[Any], key: str) -> Any:
        """The state of one stream."""

    def due(self) -> list[str]:
        """The streams that are due, in due order."""


class Database:
    """A store on a real PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.clock = FixedClock(day(0))
        self.store = Store(url, service().codec())

    def run(self, decide: Callable[[UnitOfWork], T]) -> T:
        return run(self.store, self.clock.now, decide)[0]

    def state(self, decider: Decider[Any], key: str) -> Any:
        return UnitOfWork(self.store, self.clock.now()).state(decider, key)

    def due(self) -> list[str]:
        rows = self.store.fetch("SELECT key FROM deadlines WHERE due_at <= %s ORDER BY due_at", (self.clock.now(),))
        return [key for (key,) in rows]

    def log(self) -> list[RecordedEvent]:
        return [recorded(self.store.codec, row) for row in self.store.read_log(0, 100_000)]

    def awaited(self) -> set[tuple[str, str]]:
        return {(a, w) for a, w in self.store.fetch("SELECT awaited, waiter FROM awaited")}


def prepare(url: str) -> None:
    """The tables of numbers."""
    migrate(url, [*read_migrations(files("trunkline.eventstore") / "migrations"), *service().migrations])


class World:
    """What is heard and done; `on` is always the day it happens, and the clock moves there."""

    def __init__(self, location: Place) -> None:
        self.place = location

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self.place.state(POLICY, CURRENT).policy  # type: ignore[no-any-return]

    def applies(self, policy: Policy) -> World:
        """The platform puts another policy in force."""

        def act(uow: UnitOfWork) -> None:
            uow.record(POLICY, CURRENT, apply_policy(uow.state(POLICY, CURRENT), policy, None, uow.now), BY_HAND)

        self.place.run(act)
        return self

    def knows(self, *parties: str, partner_id: str | None = PARTNER) -> World:
        """Organizations of a partner, or without one; a partner by its own id; the platform."""
        for party in parties:
            self.hears_of(party, partner_id=partner_id)
        return self

    def hears_of(self, party: str, *, partner_id: str | None = PARTNER, sequence: int = 1, **own: Any) -> None:
        data: Any
        if party == PLATFORM:
            data = licensing.Platform(
                name="Top", support_email="a@t.example", owner_email="b@t.example", **{"domains": (), **own}
            )
        elif party in {PARTNER, OTHER_PARTNER}:
            data = licensing.Partner(
                partner_id=party,
                name="P",
                owner_email="o@p.example",
                support_email="s@p.example",
                **{"domains": (), **own},
            )
        else:
            data = licensing.Organization(
                organization_id=party,
                partner_id=partner_id,
                name="O",
                billing_email="b@o.example",
                allow_external_numbers=False,
            )
        kind = f"{type(data).__name__}Registered"
        message = self._message(kind, party, self.place.clock.now(), sequence, data)
        self.place.run(lambda uow: party_events.handle(uow, [message]))

    def hears(self, *facts: Message) -> World:
        """One batch of what licensing says of subscriptions."""
        self.place.run(lambda uow: subscription_events.handle(uow, facts))
        return self

    @staticmethod
    def _message(kind: str, subject: str, at: datetime, sequence: int, data: Any) -> Message:
        identity = f"{kind}-{subject}-{sequence}"
        return Message(identity, licensing.SOURCE, kind, subject, at, sequence, identity, None, data)

    def by_hand(self, decide: Callable[[Number, datetime], Sequence[Any]], *numbers: str) -> World:
        """Something done to numbers, with all that follows."""

        def act(uow: UnitOfWork) -> None:
            load_settled(uow, ((NUMBER, number) for number in numbers))
            for number in numbers:
                uow.record(NUMBER, number, decide(uow.state(NUMBER, number), uow.now), BY_HAND)
            serve_waiting(uow, BY_HAND)

        self.place.run(act)
        return self

    def adds(self, *numbers: str) -> World:
        return self.by_hand(lambda n, now: by_hand.add(n, LISTING, None, None, self.policy, now), *numbers)

    def locks(self, *numbers: str) -> World:
        return self.by_hand(lambda n, now: by_hand.lock(n, "checked", self.policy, now), *numbers)

    def unlocks(self, *numbers: str) -> World:
        return self.by_hand(lambda n, now: by_hand.unlock(n, "checked", self.policy, now), *numbers)

    def passes_to(self, n: float) -> World:
        """The clock moves to that day, and the timer runs."""
        self.moves_to(n)
        while due := self.place.due():
            self.place.run(lambda uow, due=due: deadlines.handle(uow, due))  # type: ignore[misc]
        return self

    def moves_to(self, n: float) -> World:
        """The clock moves to that day; the timer is late."""
        self.place.clock.advance(day(n) - self.place.clock.now())
        return self

    def number(self, number: str = KEY) -> Number:
        return self.place.state(NUMBER, number)  # type: ignore[no-any-return]

    def subscription(self, subscription_id: str = SUB) -> Subscription:
        return self.place.state(SUBSCRIPTION, subscription_id)  # type: ignore[no-any-return]

    def waits_for(self, subscription_id: str = SUB) -> str | None:
        """The code of the refusal that a subscription waits on."""
        refused = self.subscription(subscription_id).refused
        return refused.code if refused else None

    def picture(self, number: str = KEY) -> tuple[Any, ...]:
        """Where a number is: what two worlds are compared by."""
        match self.number(number).life:
            case Assigned() as a:
                return ("assigned", a.subscription_id)
            case Reserved() as r:
                return ("reserved", r.subscription_id, r.cause, r.ends_at, r.notice_at)
            case Available():
                return ("available",)
            case life:
                return (type(life).__name__.lower(),)


def in_memory(*, on: float = 0) -> World:
    """An empty world where the partner and the organization of most tests are known."""
    return World(Memory(FixedClock(day(on)))).knows(PARTNER, ACME.id)


class Licensing:
    """What licensing says of one number subscription: each word carries the state after it."""

    def __init__(self, subscription_id: str = SUB, organization_id: str = ACME.id) -> None:
        self.id, self.organization_id = subscription_id, organization_id
        self.sequence = 0
        self.state: dict[str, Any] = {"swapped_out": (), "gaps": (), "expired_at": None, "terminated_at": None}

    def started(self, on: float, number: str = KEY) -> Message:
        return self._say("SubscriptionActivated", on, number=number, started_at=day(on), status="active")

    def renewed(self, on: float) -> Message:
        return self._say("SubscriptionRenewed", on)

    def expired(self, on: float) -> Message:
        return self._say("SubscriptionExpired", on, expired_at=day(on), status="expired")

    def reactivated(self, on: float) -> Message:
        gaps = self.state["gaps"]
        if self.state["expired_at"] is not None:
            gaps = (*gaps, licensing.Gap(expired_at=self.state["expired_at"], reactivated_at=day(on)))
        return self._say("SubscriptionReactivated", on, expired_at=None, status="active", gaps=gaps)

    def terminated(self, on: float) -> Message:
        return self._say("SubscriptionTerminated", on, terminated_at=day(on), status="terminated")

    def swapped(self, on: float, new: str, *, old: str | None = None) -> Message:
        """To another number; `old` where billing names another one than it had."""
        assert old is None or old != self.state["number"], "then it is as usual"
        out = (*self.state["swapped_out"], licensing.SwappedOut(number=self.state["number"], at=day(on)))
        return self._say("SubscriptionNumberSwapped", on, number=new, swapped_out=out)

    def unswapped(self, on: float, number: str) -> Message:
        """A swap turned out not to count: the state knows nothing of it."""
        return self._say("SubscriptionRenewed", on, number=number, swapped_out=self.state["swapped_out"][:-1])

    def _say(self, kind: str, on: float, **after: Any) -> Message:
        self.sequence += 1
        self.state |= after
        data = licensing.SubscriptionFact(
            subscription_id=self.id,
            organization_id=self.organization_id,
            product="number",
            reference=None,
            license_code=None,
            quantity=None,
            plan_days=None,
            renewed_until=None,
            **self.state,
        )
        return World._message(kind, self.id, day(on), self.sequence, data)


__all__ = ["Database", "Licensing", "Tale", "World", "in_memory", "prepare"]
