"""Plays many histories at once on one pair of services, whose clock only moves forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.end_to_end.pair import BY_HAND, Pair
from tests.model.convergence.acting import POLICY_OF_THE_MODEL, Acting
from tests.model.convergence.facts import DAY, Act, Hours
from tests.model.convergence.histories import Step
from tests.model.convergence.product import START, World, hours, instant
from tests.model.convergence.product import new_id as _new_id
from trunkline.contracts import parties
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline_numbers.application.retry_dependents import serve_waiting
from trunkline_numbers.domain.number import operator_commands
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.policy import CURRENT, POLICY, apply_policy
from trunkline_numbers.reactors.deadlines import handle as settle_due


class Stage:
    """A pair of services with a partner and its two organizations."""

    def __init__(self, pair: Pair) -> None:
        """Register the parties and put the policy in force; organizations get ids of this stage."""
        self.pair = pair
        pair.now = START
        self.organizations = {"O1": _new_id(), "O2": _new_id()}
        self._names = {id_: name for name, id_ in self.organizations.items()}
        partner = _new_id()
        owner, support = "o@p.example", "s@p.example"
        pair.register(parties.PartnerRegistered(partner_id=partner, name="P", owner_email=owner, support_email=support))
        for name, id_ in self.organizations.items():
            registered = parties.OrganizationRegistered(
                organization_id=id_, partner_id=partner, name=name, billing_email="b@o.example"
            )
            pair.register(registered)
        pair.talk()
        run(pair.numbers, lambda: START, self._apply_policy)

    def _apply_policy(self, uow: UnitOfWork) -> None:
        events = apply_policy(uow.state(POLICY, CURRENT), POLICY_OF_THE_MODEL, None, uow.now)
        uow.record(POLICY, CURRENT, events, BY_HAND)

    # -- playing ----------------------------------------------------------------------------------------------

    def play(self, worlds: Sequence[World]) -> None:
        """Play all steps of all worlds, day by day; what is left of each is delivered at the end of its last day."""
        self.pair.now = START
        self._of = {id_: (world, name) for world in worlds for name, id_ in world.ids.items()}
        self._add(worlds)
        days: dict[int, dict[World, list[Step]]] = {world.history.last_day: {} for world in worlds}
        for world in worlds:
            for step in world.steps:
                days.setdefault(step.day, {}).setdefault(world, []).append(step)
        for day in sorted(days):
            self._pass_to(day * DAY + 23)
            rounds = max((len(steps) for steps in days[day].values()), default=0)
            for number in range(rounds):
                of_round = {world: steps[number] for world, steps in days[day].items() if number < len(steps)}
                self._round(of_round, day * DAY + 23)
            if over := [world for world in worlds if world.history.last_day == day]:
                self._deliver(over, day * DAY + 23)
                self.run_timers(over)
                self._of = {id_: (world, name) for id_, (world, name) in self._of.items() if world not in over}

    def _pass_to(self, now: Hours) -> None:
        """Let time pass for licensing: what was ahead counts from its instant on, and is published (D10.14)."""
        worlds = {world for world, _ in self._of.values()}
        settle = self.pair.licensing_service.settle
        streams = [f"subscription/{id_}" for id_ in self._of]
        while True:
            rows = self.pair.licensing.fetch(
                "SELECT due_at, key FROM deadlines WHERE due_at <= %s AND key = ANY(%s) ORDER BY due_at, key",
                (instant(now), streams),
            )
            if not rows:
                break
            self.pair.now = rows[0][0]
            keys = [key for due, key in rows if due == rows[0][0]]
            run(self.pair.licensing, lambda: self.pair.now, lambda uow, keys=keys: settle(uow, keys))  # type: ignore[misc]
            for world in worlds:
                world.fall_due(hours(self.pair.now) or 0)
            self._publish()
        self.pair.now = instant(now)

    def _publish(self) -> None:
        """What licensing has published since is pending for the worlds that it is about."""
        for record in self.pair.said():
            key = record.key.decode() if record.key is not None else ""
            if key in self._of:
                world, name = self._of[key]
                world.pending.append((name, len(world.billed[name]), record))

    def _add(self, worlds: Sequence[World]) -> None:
        for country in ("SG", "MY"):
            mine = [w for w in worlds if (w.history.quarantine_days > 0) == (country == "MY")]
            listing = Listing(country=country, sku="SG-LOCAL", vendor="Vendor")
            numbers = [n for w in mine for letter, n in w.numbers.items() if letter not in w.history.absent]
            if numbers:
                self.pair.act(*numbers, decide=lambda n, at=listing: self._added(n, at))  # type: ignore[misc]

    def _added(self, n: Number, listing: Listing) -> list[Any]:
        return operator_commands.add(n, listing, None, None, POLICY_OF_THE_MODEL, self.pair.now)

    def _round(self, steps: dict[World, Step], now: int) -> None:
        self.run_timers([world for world, step in steps.items() if step.timers])
        facts = [(world, fact) for world, step in steps.items() for fact in step.facts]
        if facts:
            self.pair.bill([world.message(fact, self.organizations) for world, fact in facts])
            for world, fact in facts:
                world.bill(fact, now)
            self._publish()
        self._deliver([world for world, step in steps.items() if step.facts and not step.held_back], now)
        for world, step in steps.items():
            if step.act is not None:
                world.acted[step.act] = self._act(world, step.act)
                world.learned.append((now, (step.act,)))

    def _deliver(self, worlds: Iterable[World], now: int) -> None:
        """Give numbers what it has not got yet of these worlds, in any order, some of it twice."""
        parcels = [world.parcels(now) for world in worlds]
        while any(parcels):
            self.pair.receive([record for parcel in parcels if parcel for record in parcel.pop(0)])

    def run_timers(self, worlds: Iterable[World]) -> None:
        """Let everything of these worlds happen that has fallen due, in due order."""
        mine = {f"number/{number}" for world in worlds for number in world.numbers.values()}
        while mine:
            rows = self.pair.numbers.fetch(
                "SELECT key FROM deadlines WHERE due_at <= %s AND key = ANY(%s) ORDER BY due_at, key LIMIT 1000",
                (self.pair.now, list(mine)),
            )
            if not rows:
                return
            keys = [key for (key,) in rows]
            run(self.pair.numbers, lambda: self.pair.now, lambda uow, keys=keys: settle_due(uow, keys))  # type: ignore[misc]

    # -- acts -------------------------------------------------------------------------------------------------

    def _act(self, world: World, act: Act) -> str | None:
        """Do it; the code of the refusal, or None."""

        def decide(uow: UnitOfWork) -> None:
            Acting(self.organizations, uow, world, act).do()
            serve_waiting(uow, BY_HAND)

        try:
            run(self.pair.numbers, lambda: self.pair.now, decide)
        except Refused as refused:
            return refused.code
        return None
