"""A bulk assignment on a world where services die, and what must come of each row: known before it begins."""

from __future__ import annotations

from collections.abc import Iterator
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
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk, File, add_users, create, start
from trunkline_licensing.domain.bulk_assignment.rows import Row
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.tables.bulk_rows import add_rows, mark_running, page_of_rows
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.bindings import binding
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.policy import DEFAULT

CAUSE = Causation("test", "test", "test")
_rounds = count(1)


class Assignment:
    """One organization, a template of `size` rows, and licenses for most of the good ones."""

    def __init__(self, world: World, size: int = 1_200) -> None:
        self.world = world
        self.size = size
        self.org, self.id = str(uuid4()), str(uuid4())
        self.people = [str(uuid4()) for _ in range(size)]
        self._round = next(_rounds)
        self.begins = max(part.clock.now() for part in world.parts.values())
        self.units = size // 2
        self.rows = [self._row(place) for place in range(1, size + 1)]

    def number(self, index: int) -> str:
        """The number of a row; of one row in seven there is none in the inventory."""
        return f"+4930{self._round:04}{index:05}"

    def _row(self, index: int) -> Row:
        number = self.number(index) if index % 7 == 0 or index % 2 else ""
        person = f"Nobody {index}" if index % 11 == 0 else f"Person {index}"
        key = "10001" if index % 13 == 0 else str(10_000 + index)
        return Row(index, 0, index + 1, key, person, "name", number, "", ("team_chat",) if index % 3 == 0 else ())

    def expected(self) -> Iterator[str | None]:
        """The code of each row, as if each had waited for the one before it."""
        left = self.units
        for row in self.rows:
            if row.place % 13 == 0:
                yield "EXT_DUPLICATE"  # the first row has that key
            elif row.place % 11 == 0:
                yield "USER_UNKNOWN"
            elif row.place % 7 == 0:
                yield "NUMBER_UNAVAILABLE" if left else "NO_BASE_LICENSE"
            elif left:
                left -= 1
                yield None
            else:
                yield "NO_BASE_LICENSE"

    # -- what is done -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """People, licenses, numbers with a subscription, the template; all of it known everywhere."""
        listing = Listing(country="DE", sku="DID", vendor="Vendor")
        numbers = [row.number for row in self.rows if row.number and row.place % 7]

        def add(uow: UnitOfWork) -> None:
            uow.load((NUMBER, key) for key in numbers)
            for key in numbers:
                events = by_hand.add(uow.state(NUMBER, key), listing, None, None, DEFAULT, self.begins)
                uow.record(NUMBER, key, events, CAUSE)

        run(self.world.numbers.store, lambda: self.begins, add)
        self.world.topics.send([*self._parties(), *self._bought(numbers)])
        self.world.until_quiet()
        run(self.world.licensing.store, self.world.licensing.clock.now, self._draft)

    def _parties(self) -> Iterator[Saying]:
        org = parties.OrganizationRegistered(
            organization_id=self.org, partner_id=None, name="Org", billing_email="b@org.test"
        )
        yield self._saying(parties.CONTRACTS["party.organization.registered"], self.org, org)
        for place, key in enumerate(self.people, 1):
            person = parties.IdentityRegistered(
                identity_id=key, organization_id=self.org, name=f"Person {place}", email="p@org.test", role="member"
            )
            yield self._saying(parties.CONTRACTS["party.identity.registered"], key, person)

    def _bought(self, numbers: list[str]) -> Iterator[Saying]:
        started = billing.CONTRACTS["billing.subscription.started"]
        for code, quantity in (("phone_system", self.units), ("team_chat", self.size)):
            of = {"subscription_id": (key := str(uuid4())), "organization_id": self.org, "license_code": code}
            yield self._saying(started, key, billing.LicenseStarted(**of, quantity=quantity))
        for number in numbers:
            of = {"subscription_id": (key := str(uuid4())), "organization_id": self.org, "number": number}
            yield self._saying(started, key, billing.NumberStarted(**of, sku="DID"))

    def _saying(self, contract: Contract, key: str, data: Any) -> Saying:
        named = {"id": str(uuid4()), "source": "/billing", "subject": key, "time": self.begins, "sequence": None}
        headers, value = encode(contract, **named, correlation_id=None, causation_id=None, data=data)
        return Saying(contract.topic, key.encode(), value, headers)

    def _draft(self, uow: UnitOfWork) -> None:
        uow.record(BULK, self.id, create(uow.state(BULK, self.id), self.org, "Everybody", (), uow.now), CAUSE)
        file = File("people.csv", "digest", "name", self.size)
        uow.record(BULK, self.id, add_users(uow.state(BULK, self.id), file, uow.now), CAUSE)
        add_rows(uow, self.id, self.rows)

    def press(self) -> None:
        """Assign."""

        def decide(uow: UnitOfWork) -> None:
            uow.record(BULK, self.id, start(uow.state(BULK, self.id), False, uow.now), CAUSE)
            mark_running(uow, self.id)

        run(self.world.licensing.store, self.world.licensing.clock.now, decide)

    # -- what must come of it ---------------------------------------------------------------------------------

    @property
    def state(self) -> Bulk:
        """The template as it is."""
        return UnitOfWork(self.world.licensing.store, self.begins).state(BULK, self.id)

    def check(self) -> None:
        """L10-L13: each row once and none lost; counts, units, extensions and bindings agree to the last one."""
        expected = list(self.expected())
        uow = UnitOfWork(self.world.licensing.store, self.begins)
        found = page_of_rows(uow.fetch, self.state, 0, self.size + 1)
        assert [row.code for row in found] == expected
        good = expected.count(None)
        b = self.state
        assert (b.status, b.succeeded, b.failed) == ("completed", good, self.size - good)
        assert uow.state(POOL, pool_key(self.org, "phone_system")).allocated == good
        alive = [row for row in found if row.code is None]
        hung = sum(row.row.place % 3 == 0 for row in alive)
        assert uow.state(POOL, pool_key(self.org, "team_chat")).allocated == hung
        self._check_extensions({row.extension_id: row.row for row in alive if row.extension_id})
        assert uow.fetch("SELECT count(*) FROM bulk_running WHERE bulk_id = %s", (self.id,)) == [(0,)]

    def _check_extensions(self, alive: dict[str, Row]) -> None:
        store = self.world.licensing.store
        rows = store.fetch(
            "SELECT originator_id, topic, count(*) FROM stored_events WHERE originator_id LIKE 'extension/%%'"
            " AND convert_from(state, 'UTF8')::jsonb #>> '{data,bulk,bulk_id}' = %s GROUP BY 1, 2",
            (self.id,),
        )
        assert all(times == 1 for _, _, times in rows), "no row runs twice"
        claims = store.fetch("SELECT stream_id FROM claims WHERE starts_with(claim, %s)", (f"ext:{self.org}/",))
        assert {stream for (stream,) in claims} == {f"extension/{key}" for key in alive}
        numbers = {row.number: key for key, row in alive.items() if row.number}
        uow = UnitOfWork(self.world.numbers.store, self.begins)
        uow.load((NUMBER, row.number) for row in self.rows if row.number)
        for row in self.rows:
            if row.number:
                has = binding(uow.state(NUMBER, row.number), "pbx")
                assert (has.extension_id if has else None) == numbers.get(row.number), row
