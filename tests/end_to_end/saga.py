"""Licensing and numbers over two databases, joined by hand in both directions: a test decides what is heard, and when.

Beside the events each side says, numbers tells the newest document of its numbers, as its state topic does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from tests.end_to_end.pair import BY_HAND
from trunkline.contracts import billing, parties
from trunkline.contracts import numbers as said
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.contracts.cloudevents.message import Message
from trunkline.deadlines.deadlines import Deadlines
from trunkline.errors import Refused
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import read_page
from trunkline.messaging.records import IncomingRecord
from trunkline.service_definition import ServiceDefinition
from trunkline_licensing.application.extensions.provision import NewExtension, provision
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.extension.events import AnyEvent, BulkRow
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension, assign, give_up_number
from trunkline_licensing.domain.extension.number_request import request_number
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.directory import PARTY as DIRECTORY
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.message_handlers import billing_events
from trunkline_licensing.message_handlers.party_events import command, fact_of_data
from trunkline_licensing.replicas.number_replica import NumberReplica, read
from trunkline_licensing.wiring import service as licensing_service
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.bindings import binding
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.publishing import number_state
from trunkline_numbers.wiring import service as numbers_service

T = TypeVar("T")
TIMEOUT = timedelta(seconds=60)


class Side:
    """One service: what it says is read from its log, what it hears is given to its intake."""

    def __init__(self, url: str, service: ServiceDefinition, now: Callable[[], datetime]) -> None:
        self.service = service
        self.now = now
        self.store = Store(url, service.codec())
        self.intake = Inbox(self.store, service, now)
        self._said_up_to = 0
        self._offsets = 0

    def run(self, decide: Callable[[UnitOfWork], T]) -> T:
        return run(self.store, self.now, decide)[0]

    def says(self) -> list[IncomingRecord]:
        """What it has said since the last time, in log order."""
        records: list[IncomingRecord] = []
        while (page := read_page(self.store, self.service, self._said_up_to)) is not None:
            self._said_up_to = page.end
            records += [IncomingRecord("", o.topic, 0, 0, o.key, o.headers, o.value) for o in page.outgoing]
        return records

    def receive(self, records: Iterable[IncomingRecord], batch: int = 1000) -> None:
        """In this very order, as often as each is given; offsets are made anew."""
        mine: list[IncomingRecord] = []
        for r in records:
            if r.topic in self.intake.topics:
                self._offsets += 1
                mine.append(IncomingRecord("test", r.topic, 0, self._offsets, r.key, r.headers, r.value))
        for start in range(0, len(mine), batch):
            self.intake.accept(mine[start : start + batch])

    def state(self, decider: Any, key: str) -> Any:
        return UnitOfWork(self.store, self.now()).state(decider, key)


class Saga:
    """The pair. `now` is the clock of both, and only a test moves it."""

    def __init__(self, licensing_url: str, numbers_url: str, now: datetime) -> None:
        self.now = now
        self.licensing = Side(licensing_url, licensing_service(), lambda: self.now)
        self.numbers = Side(numbers_url, numbers_service(), lambda: self.now)
        self.to_numbers: list[IncomingRecord] = []
        self.to_licensing: list[IncomingRecord] = []
        self._changed: set[str] = set()
        self._clock = _Clock(self)

    def close(self) -> None:
        self.licensing.store.close()
        self.numbers.store.close()

    # -- what is done -----------------------------------------------------------------------------------------

    def register(self, *told: Any) -> None:
        """Register parties and people, given as the contracts of the intake topic."""

        def decide(uow: UnitOfWork) -> None:
            for data in told:
                decider = IDENTITY if hasattr(data, "identity_id") else DIRECTORY
                key = getattr(data, "identity_id", None) or getattr(data, "organization_id", None) or data.partner_id
                command(uow, decider, key, fact_of_data(data, self.now), BY_HAND)

        self.licensing.run(decide)

    def bill(self, *messages: Message) -> None:
        """Give licensing a batch of billing's messages."""
        self.licensing.run(lambda uow: billing_events.handle(uow, messages))

    def sell(self, organization_id: str, code: str, quantity: int) -> None:
        """The organization buys licenses."""
        key = str(uuid4())
        data = billing.LicenseStarted(
            subscription_id=key, organization_id=organization_id, license_code=code, quantity=quantity
        )
        self.bill(Message(str(uuid4()), "/billing", "billing.subscription.started", key, self.now, 1, None, None, data))

    def add(self, *numbers: str) -> None:
        """Put numbers into the inventory, visible to everybody."""
        listing = Listing(country="SG", sku="SG-LOCAL", vendor="Vendor")

        def decide(uow: UnitOfWork) -> None:
            for number in numbers:
                events = by_hand.add(uow.state(NUMBER, number), listing, None, None, DEFAULT, self.now)
                uow.record(NUMBER, number, events, BY_HAND)

        self.numbers.run(decide)

    def delete_number(self, number: str) -> None:
        """Take a number out of the inventory."""

        def decide(uow: UnitOfWork) -> None:
            events = by_hand.delete(uow.state(NUMBER, number), "faulty", "crackles", DEFAULT, self.now)
            uow.record(NUMBER, number, events, BY_HAND)

        self.numbers.run(decide)

    def provision(
        self, organization_id: str, rows: Sequence[NewExtension], timeout: timedelta = TIMEOUT
    ) -> list[Refused | None]:
        """Make extensions."""
        return self.licensing.run(
            lambda uow: provision(uow, organization_id, rows, Catalogue(), BY_HAND, answer_within=timeout)
        )

    def do(self, key: str, decide: Callable[[Extension], list[AnyEvent]]) -> None:
        """Decide something about an extension."""
        self.licensing.run(lambda uow: uow.record(EXTENSION, key, decide(uow.state(EXTENSION, key)), BY_HAND))

    def request(self, key: str, number: str) -> None:
        self.do(key, lambda x: request_number(x, number, self.now, self.now + TIMEOUT))

    def remove(self, key: str) -> None:
        self.do(key, lambda x: give_up_number(x, self.now, "by_hand"))

    def assign(self, key: str, user_id: str) -> None:
        self.do(key, lambda x: assign(x, user_id, self.now))

    def delete(self, *keys: str) -> None:
        self.licensing.run(lambda uow: withdraw(uow, keys, "by_hand", BY_HAND))

    def time_out(self) -> None:
        """Time passes until no request is worth waiting for; the timers of both run."""
        self.now += TIMEOUT
        for side in (self.licensing, self.numbers):
            deadlines = Deadlines(side.store, self._clock, side.service.settle)
            while deadlines.step():
                pass
            deadlines.resign()

    # -- between the two --------------------------------------------------------------------------------------

    def collect(self, *, states: bool = True) -> None:
        """What either has said, the newest documents of changed numbers among it, is on its way."""
        self.to_numbers += self.licensing.says()
        records = self.numbers.says()
        self.to_licensing += records
        self._changed |= {r.key.decode() for r in records if r.key and r.key[:1] == b"+"}
        if states:
            uow = UnitOfWork(self.numbers.store, self.now)
            uow.load((NUMBER, number) for number in self._changed)
            self.to_licensing += [self._document(uow.get(NUMBER, number)) for number in sorted(self._changed)]
            self._changed.clear()

    def document(self, number: str) -> IncomingRecord:
        """What the state topic says of a number now."""
        return self._document(UnitOfWork(self.numbers.store, self.now).get(NUMBER, number))

    def _document(self, loaded: Any) -> IncomingRecord:
        number, version = loaded.state.number, loaded.version
        is_ = number_state(msgspec.msgpack.encode(loaded.state), version)
        headers, value = encode(
            said.STATE,
            id=f"{number}-{version}",
            subject=number,
            time=self.now,
            sequence=version,
            correlation_id=None,
            causation_id=None,
            data=is_,
        )
        return IncomingRecord("", said.STATE.topic, 0, 0, number.encode(), headers, None if is_ is None else value)

    def talk(self) -> None:
        """In order, once, until nobody has anything to say."""
        while self._exchange(lambda records: records):
            pass

    def gossip(self, chance: Random) -> None:
        """In any order, some of it twice or three times, until nobody has anything to say."""
        while self._exchange(lambda records: shuffled(chance, records)):
            pass

    def some(self, chance: Random) -> None:
        """Some of what is on its way arrives on one of the two sides, in any order; some of that will come again."""
        self.collect(states=chance.random() < 0.7)
        waiting, side = chance.choice(((self.to_numbers, self.numbers), (self.to_licensing, self.licensing)))
        if not waiting:
            return
        arriving = chance.sample(range(len(waiting)), chance.randint(1, len(waiting)))
        records = [waiting[place] for place in arriving]
        again = set(chance.sample(arriving, len(arriving) // 4))
        waiting[:] = [r for place, r in enumerate(waiting) if place not in arriving or place in again]
        side.receive(records, batch=chance.choice((1, 2, 1000)))

    def _exchange(self, order: Callable[[list[IncomingRecord]], list[IncomingRecord]]) -> bool:
        self.collect()
        to_numbers, to_licensing = self.to_numbers, self.to_licensing
        self.to_numbers, self.to_licensing = [], []
        self.numbers.receive(order(to_numbers))
        self.licensing.receive(order(to_licensing))
        return bool(to_numbers or to_licensing)

    # -- how it stands ----------------------------------------------------------------------------------------

    def extension(self, key: str) -> Extension:
        return self.licensing.state(EXTENSION, key)  # type: ignore[no-any-return]

    def on(self, key: str) -> tuple[str, str] | None:
        """The extension's number and how it stands with it; None: no number, or no extension."""
        x = self.extension(key)
        on = x.facts.number if x.facts is not None and x.alive else None
        return (on.number, on.status) if on is not None else None

    def number(self, number: str) -> Number:
        return self.numbers.state(NUMBER, number)  # type: ignore[no-any-return]

    def rings_at(self, number: str) -> str | None:
        """The extension a number rings at."""
        has = binding(self.number(number), "pbx")
        return has.extension_id if has is not None else None

    def copy(self, number: str) -> NumberReplica | None:
        """What licensing knows of a number."""
        return read(self.licensing.store.fetch, [number]).get(number)

    def check_agreement(self, extensions: Iterable[str], numbers: Iterable[str]) -> None:
        """X5: neither says anything else than the other of who has which number, and licensing's copy is the number."""
        rings = {number: binding(self.number(number), "pbx") for number in numbers}
        for key in extensions:
            x = self.extension(key)
            on = x.facts.number if x.facts is not None and x.alive else None
            has = [(n, b.generation) for n, b in rings.items() if b is not None and b.extension_id == key]
            wanted = [(on.number, on.generation)] if on is not None and on.status in ("bound", "suspended") else []
            assert has == wanted, f"{key}: licensing says {on}, numbers {has}"
            assert on is None or on.status != "requested", f"{key} waits for an answer to {on}"
            if wanted and on is not None:
                kept = self.number(on.number).state == "reserved"
                assert (on.status == "suspended") == kept, f"{key}: {on}, and the number is kept: {kept}"
            b = rings[on.number] if wanted and on is not None else None
            assert b is None or (x.facts is not None and b.user_id == x.facts.user_id), f"{key}: {b} rings at another"
        for number in rings:
            copy, n = self.copy(number), self.number(number)
            assert copy is None or (copy.state, copy.bound) == (n.state, bool(n.bindings)), f"{number}: {copy}, {n}"


class _Clock:
    def __init__(self, saga: Saga) -> None:
        self._saga = saga

    def now(self) -> datetime:
        return self._saga.now


def shuffled(chance: Random, items: list[Any]) -> list[Any]:
    """The items in any order, some of them twice or three times."""
    again = [chance.choice(items) for _ in range(chance.randrange(5))] if items else []
    return chance.sample([*items, *again], len(items) + len(again))


def world_of(organization_id: str, partner_id: str) -> tuple[Any, ...]:
    """A partner and its customer, as told to the directory."""
    return (
        parties.PartnerRegistered(
            partner_id=partner_id, name="P", owner_email="o@p.example", support_email="s@p.example"
        ),
        parties.OrganizationRegistered(
            organization_id=organization_id, partner_id=partner_id, name="O", billing_email="b@o.example"
        ),
    )


__all__ = ["BulkRow", "NewExtension", "Saga", "world_of"]
