"""Extensions that want numbers, on a world where services die: what is done to them, and what must come of it.

Every round has parties, numbers and extensions of its own. Nothing in a round is contested, so what must come of it is
known: two runs differ by their faults only.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from tests.faults.topics import Saying
from tests.faults.world import World
from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.contracts.contract import Contract
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_licensing.application.extensions.provision import NewExtension, provision
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.extension.events import BulkRow
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension, give_up_number
from trunkline_licensing.domain.extension.number_request import request_number
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.replicas.number_replica import read
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.bindings import binding
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.policy import DEFAULT

CAUSE = Causation("test", "test", "test")
_rounds = count(1)


class Round:
    """One organization with as many numbers as extensions; each place goes its own way."""

    def __init__(self, world: World, size: int = 60) -> None:
        self.world = world
        self.number_of_round = next(_rounds)
        self.size = size
        self.org = str(uuid4())
        self.numbers = [f"+4931{self.number_of_round:04}{n:04}" for n in range(size)]
        self.subscriptions = [str(uuid4()) for _ in range(size)]
        self.extensions = [str(uuid4()) for _ in range(size)]
        self.begins = max(part.clock.now() for part in world.parts.values())

    # -- what is done -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """The organization, its licenses, and a subscription on each number that has one: two of three."""
        listing = Listing(country="DE", sku="DID", vendor="Vendor")

        def add(uow: UnitOfWork) -> None:
            uow.load((NUMBER, key) for key in self.numbers)
            for key in self.numbers:
                events = by_hand.add(uow.state(NUMBER, key), listing, None, None, DEFAULT, self.begins)
                uow.record(NUMBER, key, events, CAUSE)

        run(self.world.numbers.store, lambda: self.begins, add)
        org = parties.OrganizationRegistered(
            organization_id=self.org, partner_id=None, name="Org", billing_email="b@org.test"
        )
        self._say(parties.CONTRACTS["party.organization.registered"], self.org, org)
        licenses = billing.LicenseStarted(
            subscription_id=(key := str(uuid4())),
            organization_id=self.org,
            license_code="phone_system",
            quantity=2 * self.size,
        )
        self._say(billing.CONTRACTS["billing.subscription.started"], key, licenses)
        for n in range(self.size):
            if n % 3:
                self.fact(n, "started", billing.NumberStarted, number=self.numbers[n], sku="DID")
        self.world.until_quiet()

    def fact(self, n: int, what: str, kind: Any, **fields: Any) -> None:
        """Billing says something of a number's subscription."""
        data = kind(subscription_id=self.subscriptions[n], organization_id=self.org, **fields)
        self._say(billing.CONTRACTS[f"billing.subscription.{what}"], self.subscriptions[n], data)

    def _say(self, contract: Contract, key: str, data: Any) -> None:
        headers, value = encode(
            contract,
            id=str(uuid4()),
            source="/billing",
            subject=key,
            time=self.world.licensing.clock.now(),
            sequence=None,
            correlation_id=None,
            causation_id=None,
            data=data,
        )
        saying = Saying(contract.topic, key.encode(), value, headers)
        self.world.topics.send([saying, saying])

    def provision(self, patience: timedelta = timedelta(days=1)) -> None:
        """An extension for each number; every second one is a row's. A number without subscription is refused."""
        bulk_id = str(uuid4())
        rows = [
            NewExtension(
                extension_id=key,
                ext_key=str(1000 + n),
                number=self.numbers[n],
                bulk=BulkRow(bulk_id, n) if n % 2 else None,
            )
            for n, key in enumerate(self.extensions)
        ]

        def decide(uow: UnitOfWork) -> None:
            outcomes = provision(uow, self.org, rows, Catalogue(), CAUSE, answer_within=patience)
            assert outcomes == [None] * self.size

        self._licensing(decide)

    def change(self) -> None:
        """Of those that have their number one of five is deleted, one gives it up, one wants another and comes back."""
        now = self.world.licensing.clock.now()

        def decide(uow: UnitOfWork) -> None:
            withdraw(uow, [self.extensions[n] for n in self.going("deleted")], "by_hand", CAUSE)
            for n in self.going("removed"):
                x = uow.state(EXTENSION, self.extensions[n])
                uow.record(EXTENSION, x.id, give_up_number(x, now, "by_hand"), CAUSE)
            for n in self.going("again"):
                for number in (self.numbers[0], self.numbers[n]):  # one it cannot have, and back
                    x = uow.state(EXTENSION, self.extensions[n])
                    uow.record(EXTENSION, x.id, request_number(x, number, now, now + timedelta(days=1)), CAUSE)

        self._licensing(decide)

    def end(self) -> None:
        """Of the rest some subscriptions end, some expire."""
        for n in self.going("terminated"):
            self.fact(n, "terminated", billing.Terminated)
        for n in self.going("expired"):
            self.fact(n, "expired", billing.Expired)

    def _licensing(self, decide: Any) -> None:
        run(self.world.licensing.store, self.world.licensing.clock.now, decide)

    # -- what must come of it ---------------------------------------------------------------------------------

    WAYS = ("deleted", "removed", "again", "terminated", "expired")

    def going(self, way: str) -> list[int]:
        """The places that go this way."""
        return [n for n in range(self.size) if n % 3 and self.WAYS[n % 5] == way]

    def status(self, n: int) -> str | None:
        """How the extension stands with its number; `gone` where there is no extension."""
        x = self.extension(n)
        if not x.alive or x.facts is None:
            return "gone"
        on = x.facts.number
        return on.status if on is not None else None

    def extension(self, n: int) -> Extension:
        uow = UnitOfWork(self.world.licensing.store, self.begins)
        return uow.state(EXTENSION, self.extensions[n])

    def number(self, n: int) -> Number:
        return UnitOfWork(self.world.numbers.store, self.begins).state(NUMBER, self.numbers[n])

    def check(self, expected: dict[str, str | None]) -> None:
        """X5, L12: every place is where its way leads; both services and the pool agree; nothing is said twice."""
        wanted = {
            n: expected[self.WAYS[n % 5]] if n % 3 else ("gone" if n % 2 else "refused") for n in range(self.size)
        }
        assert {n: self.status(n) for n in range(self.size)} == wanted
        rings = {n: has for n in range(self.size) if (has := binding(self.number(n), "pbx")) is not None}
        assert {n for n, status in wanted.items() if status in ("bound", "suspended")} == rings.keys()
        for n, has in rings.items():
            x = self.extension(n)
            assert has.extension_id == x.id
            assert x.facts is not None
            assert x.facts.number is not None
            assert has.generation == x.facts.number.generation
        pool = UnitOfWork(self.world.licensing.store, self.begins).state(POOL, pool_key(self.org, "phone_system"))
        assert pool.allocated == sum(status != "gone" for status in wanted.values())
        copies = read(self.world.licensing.store.fetch, self.numbers)
        for n, key in enumerate(self.numbers):
            assert (copies[key].state, copies[key].bound) == (self.number(n).state, n in rings), key
        self.check_once()

    def check_once(self) -> None:
        """X3: no request has two answers, and no answer is taken twice."""
        for part, keys, names in (
            (self.world.numbers, self.numbers, ("numbers.NumberBound",)),
            (self.world.licensing, self.extensions, ("licensing.ExtensionNumberBound", "licensing.ExtensionDeleted")),
        ):
            kind = "number" if part is self.world.numbers else "extension"
            rows = part.store.fetch(
                "SELECT originator_id, topic, convert_from(state, 'UTF8')::jsonb #>> '{data,generation}', count(*)"
                " FROM stored_events WHERE originator_id = ANY(%s) AND topic = ANY(%s)"
                " GROUP BY 1, 2, 3 HAVING count(*) > 1",
                ([f"{kind}/{key}" for key in keys], list(names)),
            )
            assert rows == []
