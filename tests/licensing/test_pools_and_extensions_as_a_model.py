"""When people, billing and bulk rows do anything in any order: the books are right (L1, L2, L3, L4, S5).

Two organizations on a real store against an oracle in plain Python: lists of units for each subscription, extensions as
dictionaries. After each step both must agree, and what the streams say must explain every unit's use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from trunkline.deadlines.deadlines import Deadlines
from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.change import Changing
from trunkline_licensing.application.extensions.provision import NewExtension, provision
from trunkline_licensing.application.extensions.provision_range import ProvisionWhole
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.application.pools import allocate
from trunkline_licensing.domain.extension.extension import EXTENSION
from trunkline_licensing.domain.pool.catalogue import BASE, Catalogue
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.wiring import service

CODES = (BASE, "team_chat", "device_ip_phone", "license_center")
FACTS = ("expired", "reactivated", "quantity_changed", "quantity_changed")
ADDONS = st.sampled_from(
    [[], [], ["team_chat"], ["device_ip_phone"], ["device_ip_phone", "license_center"], ["license_center"]]
)
KEYS = st.integers(100, 108).map(str)
BY = Causation("user:test", "test", "test")
KNOWN = Catalogue()
DONE: Counter[str] = Counter()
ATTEMPTS = 5
"""Hypothesis leaves out some rules in each example, so that chance alone may leave one out of all."""


@dataclass
class Bought:
    """A subscription, as the oracle has it; `users` are extensions in the order of allocation."""

    org: str
    code: str
    quantity: int
    since: tuple[int, str]
    reference: str | None
    status: str = "active"
    users: list[str] = field(default_factory=list)

    @property
    def spare(self) -> int:
        return max(0, self.covers - len(self.users))

    @property
    def covers(self) -> int:
        return self.quantity if self.status == "active" else 0


@dataclass
class Line:
    """An extension, as the oracle has it."""

    org: str
    key: str
    user: str | None
    licenses: dict[str, str]


class Model(RuleBasedStateMachine):
    """What people and billing do. `licensing` and `say` come from the test's fixtures."""

    licensing: Any
    say: Callable[..., Any]
    people = Bundle("people")

    @initialize(target=people)
    def two_organizations(self) -> Any:
        self.day = 0
        self.deadlines = Deadlines(self.licensing.store, self.licensing.clock, service().settle)
        self.bought: dict[str, Bought] = {}
        self.lines: dict[str, Line] = {}
        self.left: set[str] = set()
        self.orgs = [str(uuid4()), str(uuid4())]
        told = {"partner_id": None, "name": "o", "billing_email": "b@o.example"}
        self.licensing.receive(*(self.say("party.organization.registered", org, **told) for org in self.orgs))
        self.home = {str(uuid4()): self.orgs[place % 2] for place in range(6)}
        told = {"name": "p", "email": "p@o.example", "role": "member"}
        staff = [
            self.say("party.identity.registered", person, organization_id=org, **told)
            for person, org in self.home.items()
        ]
        self.licensing.receive(*staff)
        for code in (BASE, *CODES):
            self.buy_some(self.orgs[0], code, 2, None)
        self.buy_some(self.orgs[1], BASE, 2, None)
        self.provision_by_hand(0, 2, "100", ["team_chat", "device_ip_phone"], None, [staff[0].subject])
        return multiple(*self.home)

    def teardown(self) -> None:
        if hasattr(self, "deadlines"):
            self.deadlines.resign()

    # -- what happens -----------------------------------------------------------------------------------------

    @rule(
        org=st.integers(0, 1),
        code=st.sampled_from(CODES),
        quantity=st.integers(1, 4),
        reference=st.sampled_from([None, "PO7"]),
    )
    def buy(self, org: int, code: str, quantity: int, reference: str | None) -> None:
        self.buy_some(self.orgs[org], code, quantity, reference)

    def buy_some(self, org: str, code: str, quantity: int, reference: str | None) -> None:
        key = str(uuid4())
        told = {"product": "license", "license_code": code, "quantity": quantity, "reference": reference}
        self.receive("billing.subscription.started", key, organization_id=org, **told)
        self.bought[key] = Bought(org, code, quantity, (self.day, key), reference)

    @rule(place=st.integers(0, 30), what=st.sampled_from(FACTS), quantity=st.integers(1, 4))
    def bill(self, place: int, what: str, quantity: int) -> None:
        """S5: what billing says of one that was bought, the most used ones more often than others."""
        ranked = sorted(self.bought, key=lambda key: (-len(self.bought[key].users), self.bought[key].since))
        self.say_of(ranked[place % len(ranked)] if place > 10 else ranked[place % 2], what, quantity)

    @rule(place=st.integers(0, 9), quantity=st.integers(1, 2))
    def shrink(self, place: int, quantity: int) -> None:
        """L4: one that is in use covers less."""
        used = [key for key, b in self.bought.items() if len(b.users) > quantity]
        if used:
            self.say_of(used[place % len(used)], "quantity_changed", quantity)

    @rule(place=st.integers(0, 9))
    def end(self, place: int) -> None:
        """S5: one that is in use is terminated; another one is bought in its place."""
        used = [key for key, b in self.bought.items() if b.users]
        if used:
            bought = self.bought[used[place % len(used)]]
            self.say_of(used[place % len(used)], "terminated", 0)
            self.buy_some(bought.org, bought.code, 2, None)

    def say_of(self, key: str, what: str, quantity: int) -> None:
        own = {"quantity": quantity} if what == "quantity_changed" else {}
        self.receive(f"billing.subscription.{what}", key, organization_id=self.bought[key].org, **own)
        bought = self.bought[key]
        match what, bought.status:
            case "expired", "active":
                DONE["suspended"] += len(bought.users)
                bought.status = "expired"
            case "reactivated", "expired":
                bought.status = "active"
            case "quantity_changed", "active" | "expired":
                bought.quantity = quantity
                DONE["suspended"] += len(beyond(bought))
            case "terminated", "active" | "expired":
                bought.status = "terminated"
                DONE["withdrawn"] += len(bought.users)
                self.withdraw_users(bought)

    @rule(org=st.integers(0, 1), count=st.integers(1, 3), start=KEYS, addons=ADDONS,
          reference=st.sampled_from([None, None, "PO7"]), users=st.lists(people, max_size=1))  # fmt: skip
    def provision_by_hand(
        self, org: int, count: int, start: str, addons: list[str], reference: str | None, users: list[str]
    ) -> None:
        """L1: all or none."""
        keys = [str(int(start) + n) for n in range(count)]
        users = users[:count]
        rows = [(key, users[n] if n < len(users) else None) for n, key in enumerate(keys)]
        expected = self.after_all(self.orgs[org], rows, addons, reference)

        def decide(uow: UnitOfWork) -> list[str]:
            command = ProvisionWhole(uow, self.orgs[org], KNOWN, BY)
            return command.provision(count, start, users, addons, reference)

        made = self.do(decide)
        assert (made is None) == (expected is None)
        for extension_id, line in zip(made or (), expected or (), strict=True):
            self.take(extension_id, line)

    @rule(org=st.integers(0, 1), rows=st.lists(st.tuples(KEYS, people), min_size=1, max_size=4), addons=ADDONS)
    def provision_rows(self, org: int, rows: list[tuple[str, str]], addons: list[str]) -> None:
        """L10: row by row, in order; rows that fail take nothing."""
        wanted = [
            NewExtension(extension_id=str(uuid4()), ext_key=key, user_id=user, addons=tuple(addons))
            for key, user in rows
        ]
        outcomes = self.do(lambda uow: provision(uow, self.orgs[org], wanted, KNOWN, BY)) or []
        for row, outcome in zip(wanted, outcomes, strict=True):
            made = self.after_all(self.orgs[org], [(row.ext_key, row.user_id)], addons, None)
            assert (outcome is None) == (made is not None), outcome
            if made is not None:
                self.take(row.extension_id, made[0])

    @rule(place=st.integers(0, 20), key=st.none() | KEYS, user=st.none() | people, addons=st.none() | ADDONS)
    def change(self, place: int, key: str | None, user: str | None, addons: list[str] | None) -> None:
        """L15: key, person and add-ons in one command, or nothing."""
        if not self.lines:
            return
        extension_id = self.one_of(place)
        line = self.lines[extension_id]
        given = {"ext_key": key, "user_id": user, "addons": addons}
        said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        freed = self.do(lambda uow: Changing(uow, line.org, extension_id, KNOWN, BY).change(said))
        possible = self.may_change(extension_id, line, said)
        assert (freed is not None) == possible
        if not possible:
            return
        line.key, line.user = said.get("ext_key", line.key), said.get("user_id", line.user)
        if "addons" in said:
            self.hang(extension_id, line, said["addons"])

    @rule(place=st.integers(0, 20))
    def delete(self, place: int) -> None:
        """L15: everything is given back."""
        if self.lines:
            extension_id = self.one_of(place)
            self.do(lambda uow: withdraw(uow, [extension_id], "by_hand", BY))
            self.give_back(extension_id)

    def one_of(self, index: int) -> str:
        """An extension, counted in the order of their making."""
        return list(self.lines)[index % len(self.lines)]

    @rule(person=people)
    def leave(self, person: str) -> None:
        """L2: whoever leaves gives up the extension."""
        self.receive("party.identity.removed", person, organization_id=self.home[person])
        self.left.add(person)
        for line in self.lines.values():
            line.user = None if line.user == person else line.user

    # -- the oracle -------------------------------------------------------------------------------------------

    def after_all(self, org: str, rows: list[Any], addons: list[str], reference: str | None) -> list[Line] | None:
        """The extensions of some rows, if all of them can be."""
        keys, users = [key for key, _ in rows], [user for _, user in rows if user is not None]
        taken = {line.key for line in self.lines.values() if line.org == org}
        busy = {line.user for line in self.lines.values()}
        if len(set(keys)) < len(keys) or taken & set(keys):
            return None
        if len(set(users)) < len(users) or busy & set(users):
            return None
        if any(self.home[user] != org or user in self.left for user in users) or not together(addons, ()):
            return None
        left = Counter({key: b.spare for key, b in self.bought.items()})
        lines = []
        for key, user in rows:
            units = {code: self.grant(org, code, reference if code == BASE else None, left) for code in (BASE, *addons)}
            if None in units.values():
                return None
            lines.append(Line(org, key, user, {code: unit for code, unit in units.items() if unit is not None}))
        return lines

    def grant(self, org: str, code: str, reference: str | None, left: Counter[str]) -> str | None:
        """A unit of the oldest subscription that has one."""
        mine = [(b.since, key) for key, b in self.bought.items() if (b.org, b.code) == (org, code) and left[key]]
        fitting = [key for _, key in sorted(mine) if reference in (None, self.bought[key].reference)]
        if not fitting:
            return None
        left[fitting[0]] -= 1
        return fitting[0]

    def take(self, extension_id: str, line: Line) -> None:
        self.lines[extension_id] = line
        for subscription in line.licenses.values():
            self.bought[subscription].users.append(extension_id)

    def give_back(self, extension_id: str) -> None:
        for subscription in self.lines.pop(extension_id).licenses.values():
            self.bought[subscription].users.remove(extension_id)

    def may_change(self, extension_id: str, line: Line, said: dict[str, Any]) -> bool:
        others = [other for key, other in self.lines.items() if key != extension_id]
        if any(o.org == line.org and o.key == said.get("ext_key") for o in others):
            return False
        if (user := said.get("user_id")) is not None and (
            self.home[user] != line.org or user in self.left or any(o.user == user for o in others)
        ):
            return False
        held = [code for code in line.licenses if code != BASE]
        wanted = said.get("addons", held)
        left = Counter({key: b.spare for key, b in self.bought.items()})
        new = [code for code in wanted if code not in held]
        return together(wanted, held) and all(self.grant(line.org, code, None, left) for code in new)

    def hang(self, extension_id: str, line: Line, wanted: list[str]) -> None:
        for code in [c for c in line.licenses if c != BASE and c not in wanted]:
            self.bought[line.licenses.pop(code)].users.remove(extension_id)
        for code in wanted:
            if code not in line.licenses:
                unit = self.grant(line.org, code, None, Counter({k: b.spare for k, b in self.bought.items()}))
                assert unit is not None
                line.licenses[code] = unit
                self.bought[unit].users.append(extension_id)

    def withdraw_users(self, bought: Bought) -> None:
        for extension_id in list(bought.users):
            if bought.code == BASE:
                self.give_back(extension_id)
            else:
                del self.lines[extension_id].licenses[bought.code]
        bought.users.clear()

    # -- both agree -------------------------------------------------------------------------------------------

    @invariant()
    def the_books_agree(self) -> None:
        """Extensions, units and suspensions are the oracle's; no more is in active use than is bought."""
        if not hasattr(self, "orgs"):
            return
        uow = UnitOfWork(self.licensing.store, self.licensing.clock.now())
        uow.load((EXTENSION, key) for key in self.lines)
        for org in self.orgs:
            for code in CODES:
                self.pool_agrees(uow, org, code)
        claims = self.licensing.claims()
        for key, line in self.lines.items():
            facts = uow.state(EXTENSION, key).facts
            assert (facts.ext_key, facts.user_id) == (line.key, line.user)
            assert {BASE: facts.subscription_id, **{a.code: a.subscription_id for a in facts.addons}} == line.licenses
            assert set(facts.suspended) == {c for c, s in line.licenses.items() if key in beyond(self.bought[s])}
            assert claims[f"ext:{line.org}/{line.key}"] == f"extension/{key}"
            assert line.user is None or claims[f"user:{line.user}"] == f"extension/{key}"
        held = [c for c, stream in claims.items() if stream.removeprefix("extension/") in self.lines]
        assert len(held) == len(self.lines) + sum(line.user is not None for line in self.lines.values())

    def pool_agrees(self, uow: UnitOfWork, org: str, code: str) -> None:
        pool = uow.state(POOL, pool_key(org, code))
        mine = {key: b for key, b in self.bought.items() if (b.org, b.code) == (org, code)}
        assert {key: list(s.users) for key, s in pool.supplies.items()} == {key: b.users for key, b in mine.items()}
        marked = {key: [e for e in s.users if e in s.marked] for key, s in pool.supplies.items() if not s.over}
        assert marked == {key: beyond(b) for key, b in mine.items() if b.status != "terminated"}
        active = pool.allocated - pool.suspended
        assert active <= pool.purchased == sum(b.covers for b in mine.values())

    # -- ways in ----------------------------------------------------------------------------------------------

    def receive(self, kind: str, subject: str, **data: Any) -> None:
        """Something is said; whatever falls due thereby is settled a little at a time, the books right in between."""
        self.day += 1
        self.licensing.clock.advance(timedelta(seconds=1))
        self.licensing.receive(self.say(kind, subject, self.day / 1000, **data))
        self.settle()

    def settle(self) -> None:
        while self.deadlines.step():
            self.never_oversold()

    def never_oversold(self) -> None:
        uow = UnitOfWork(self.licensing.store, self.licensing.clock.now())
        for org in self.orgs:
            for code in CODES:
                pool = uow.state(POOL, pool_key(org, code))
                assert pool.allocated - pool.suspended <= pool.purchased

    def do(self, decide: Callable[[UnitOfWork], Any]) -> Any:
        """A command; None where it is refused."""
        self.licensing.clock.advance(timedelta(seconds=1))
        try:
            DONE["asked"] += 1
            found = self.licensing.do(decide)
        except Refused:
            return None
        DONE["done"] += 1
        self.settle()
        return found


def together(addons: list[str], before: Any) -> bool:
    """L17: Contact Center with a device, or as incomplete as it was."""
    lacks = "license_center" in addons and "device_ip_phone" not in addons
    lacked = "license_center" in before and "device_ip_phone" not in before
    return not lacks or lacked


def beyond(bought: Bought) -> list[str]:
    """The newest units that it does not cover."""
    return bought.users[bought.covers :]


@pytest.mark.parametrize("chunk", [1, 500])
def test_then_the_books_are_right_after_each_step(
    licensing: Any, say: Any, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L1-L4, L15, S5: whatever is done, in chunks of one unit and of many."""
    monkeypatch.setattr(allocate, "CHUNK", chunk)

    class OnThisStore(Model):
        pass

    OnThisStore.licensing, OnThisStore.say = licensing, staticmethod(say)
    DONE.clear()
    kept = settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    for _ in range(ATTEMPTS):
        run_machine(OnThisStore, settings=kept)
        if DONE["suspended"] > 0 < DONE["withdrawn"]:
            break
    assert DONE["done"] > DONE["asked"] / 4, DONE  # else nearly everything was refused, and the model shows little
    assert DONE["suspended"] > 0 < DONE["withdrawn"], DONE
