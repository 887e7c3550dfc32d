"""One history played on the product in one order: its ids and numbers, what is under way, and who knows what when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from tests.model.convergence.facts import DAY, Act, Fact, Hours
from tests.model.convergence.histories import LETTERS, History, Step
from trunkline.contracts import billing
from trunkline.contracts.cloudevents.message import Message
from trunkline.messaging.records import IncomingRecord

START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


def instant(hours: Hours) -> datetime:
    """An instant of a history as the product has it."""
    return START + timedelta(hours=hours)


def hours(at: datetime | None) -> Hours | None:
    """The other way round; whoever compares wants to see where it is not a whole hour."""
    return None if at is None else (at - START) // timedelta(hours=1)


_numbers, _ids = count(60_000_000), count(1)


def new_id() -> str:
    """A UUID that no other test has."""
    return str(UUID(int=(0xABCD << 112) + next(_ids)))


@dataclass(eq=False)
class World:
    """One history played in one order, on numbers and subscriptions of its own.

    Attributes:
        learned: what numbers came to know, in order, with the clock at which it did.
        acted: each act with the code of its refusal, None where it was done.
        pending: what licensing published and numbers has not got yet: subscription, facts in it, record.
    """

    history: History
    steps: Sequence[Step]
    seed: int
    learned: list[tuple[Hours, tuple[Fact | Act, ...]]] = field(default_factory=list)
    acted: dict[Act, str | None] = field(default_factory=dict)
    pending: list[tuple[str, int, IncomingRecord]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give everything in it an id."""
        self.chance = Random(self.seed)
        self.numbers = {letter: f"+65{next(_numbers)}" for letter in LETTERS}
        self.letters = {number: letter for letter, number in self.numbers.items()}
        self.ids = {name: new_id() for name in self.history.sold}
        self.names = {id_: name for name, id_ in self.ids.items()}
        self.billed: dict[str, list[Fact]] = {name: [] for name in self.ids}
        self._ahead: list[Fact] = []
        self._known = dict.fromkeys(self.ids, 0)
        self._event_ids = {fact.id: new_id() for fact in self.history.facts}

    def event_id(self, fact: int) -> str:
        """The id under which billing publishes a fact."""
        return self._event_ids[fact]

    def bill(self, fact: Fact, now: Hours) -> None:
        """Licensing has received a fact, which counts from its own instant on (D10.14)."""
        (self.billed[fact.subscription] if fact.at <= now else self._ahead).append(fact)

    def fall_due(self, now: Hours) -> None:
        """The instants of facts that were received before have come."""
        for fact in [fact for fact in self._ahead if fact.at <= now]:
            self._ahead.remove(fact)
            self.billed[fact.subscription].append(fact)

    def parcels(self, now: Hours) -> list[list[IncomingRecord]]:
        """What numbers gets next: all that is pending, in any order, some of it twice, in one batch or one by one."""
        again = [self.chance.choice(self.pending) for _ in range(self.chance.randrange(3))] if self.pending else []
        parcels = self.chance.sample([*self.pending, *again], len(self.pending) + len(again))
        self.pending = []
        for name, upto, _ in parcels:
            if new := self.billed[name][self._known[name] : upto]:
                self.learned.append((now, tuple(new)))
                self._known[name] = upto
        records = [record for _, _, record in parcels]
        return [records] if self.chance.random() < 0.3 else [[record] for record in records]

    def message(self, fact: Fact, organizations: dict[str, str]) -> Message:
        """A fact as billing publishes it."""
        subscription = self.ids[fact.subscription]
        about = {
            "subscription_id": subscription,
            "organization_id": organizations[self.history.sold[fact.subscription].organization],
        }
        more: dict[str, Any] = {}
        kind: Any = None
        match fact.kind:
            case "started" if fact.product == "number":
                kind, more = billing.NumberStarted, {"number": self.numbers[fact.number], "sku": "SG-LOCAL"}
            case "started":
                kind, more = billing.DidReservationStarted, {"quantity": fact.quantity, "plan_days": fact.plan // DAY}
            case "renewed":
                kind, more = billing.Renewed, {"renewed_until": instant(fact.until)}
            case "quantity_changed":
                kind, more = billing.QuantityChanged, {"quantity": fact.quantity}
            case "swapped":
                kind = billing.NumberSwapped
                more = {"old_number": self.numbers[fact.old], "new_number": self.numbers[fact.number]}
            case _:
                kind = getattr(billing, fact.kind.capitalize())
        return Message(
            id=self._event_ids[fact.id],
            source="/billing",
            type=f"billing.subscription.{'number_swapped' if fact.kind == 'swapped' else fact.kind}",
            subject=subscription,
            time=instant(fact.at),
            sequence=fact.sequence,
            correlation_id=None,
            causation_id=None,
            data=kind(**about, **more),
        )
