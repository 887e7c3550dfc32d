"""What is visible of a history at its end: by the oracle, and by the product, in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tests.end_to_end.pair import Pair
from tests.model.convergence.facts import DAY, Fact, Hours, fold
from tests.model.convergence.numbers import Line
from tests.model.convergence.product import World, hours
from tests.model.convergence.rows import Rows
from tests.model.convergence.timeline import Outcome
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION as BILLED
from trunkline_numbers.domain.number.events import LockEnding, ReservationEnding
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Available, Number, Reserved
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION

Seen = dict[str, dict[str, Any]]
NOTICE: Hours = 7 * DAY
REASONS = {
    "number-taken": "taken",
    "number-held-for-another": "taken",
    "number-is-locked": "locked",
    "number-is-deleted": "deleted",
    "number-unknown": "unknown",
    "number-not-visible": "not visible",
    "number-in-quarantine": "quarantined",
}
"""The product's code of a refusal (S6) -> the oracle's word."""


def expected(outcome: Outcome) -> Seen:
    """By the oracle."""
    there = [line for line in outcome.lines.values() if line.state != "absent"]
    seen: Seen = {f"number {line.number}": _line(line, outcome.now) for line in there}
    for s in outcome.bought.values():
        waits = s.wants if s.refused is not None else None
        seen[f"subscription {s.id}"] = {"status": s.status, "waits for": waits, "because": s.refused}
    return seen


def expected_history(outcome: Outcome, facts: Iterable[Fact]) -> Seen:
    """What histories must show, whatever the order in which they were recorded: verdicts, no notice too late."""
    seen: Seen = {}
    by_subscription: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.at <= outcome.now:
            by_subscription.setdefault(fact.subscription, []).append(fact)
    for name, mine in by_subscription.items():
        counted, refused = fold(mine)
        # §5 does not say whether an expired subscription can be renewed: it moves nothing here.
        refused = [fact for fact in refused if fact.kind not in ("renewed", "quantity_changed")]
        verdicts = {f"fact {fact.id}": "accepted" for fact in counted} | {f"fact {f.id}": "refused" for f in refused}
        seen[f"verdicts of {name}"] = dict(verdicts)
    for line in outcome.lines.values():
        if line.state != "absent":
            seen[f"history of {line.number}"] = {"goes back": False, "notices too late": 0}
    return seen


def expected_scheduled(outcome: Outcome, facts: Iterable[Fact]) -> Seen:
    """What is on record and does not count yet, as its instant is ahead of the clock (D10.14)."""
    seen: Seen = {}
    for fact in facts:
        if fact.at > outcome.now:
            seen.setdefault(f"ahead for {fact.subscription}", {})[f"fact {fact.id}"] = "scheduled"
    return seen


def _notice(line: Line, now: Hours) -> Hours | None:
    """When the end is to be announced, as long as that is ahead (N5, N6)."""
    if line.ends is None or line.ends - line.since < NOTICE or line.ends - NOTICE <= now:
        return None
    return line.ends - NOTICE


def _line(line: Line, now: Hours) -> dict[str, Any]:
    reserved = line.state == "reserved"
    return {
        "state": line.state,
        "since": line.since,
        "ends": line.ends,
        "notice": _notice(line, now),
        "organization": line.organization,
        "subscription": line.subscription,
        "cause": line.cause if reserved else None,
        "cover": line.cover,
        "quarantine": line.quarantine if line.state == "available" else None,
        "holder": line.holder,
        "bound": line.binding is not None,
    }


class Looking:
    """Reads the product, many histories in few queries."""

    def __init__(self, pair: Pair, organizations: dict[str, str]) -> None:
        self._organizations = {id_: name for name, id_ in organizations.items()}
        self._store = pair.numbers
        self._numbers, self._licensing = UnitOfWork(pair.numbers, pair.now), UnitOfWork(pair.licensing, pair.now)
        self.rows = Rows(pair, self._organizations)

    def load(self, worlds: list[World]) -> None:
        """Read all of them at once."""
        self._numbers.load((NUMBER, n) for w in worlds for n in w.numbers.values())
        self._numbers.load((SUBSCRIPTION, s) for w in worlds for s in w.ids.values())
        self._licensing.load((BILLED, s) for w in worlds for s in w.ids.values())
        streams = [f"number/{n}" for w in worlds for n in w.numbers.values()]
        self._histories: dict[str, list[Any]] = {}
        for stream_id, _, name, state in self._store.read(streams):
            self._histories.setdefault(stream_id, []).append(self._store.codec.decode(name, state))
        self.rows.load(worlds)

    def seen(self, world: World) -> Seen:
        """By the product."""
        seen: Seen = {}
        for letter, number in world.numbers.items():
            n = self._numbers.state(NUMBER, number)
            if n.state != "absent":
                seen[f"number {letter}"] = self._number(world, n)
        for name, id_ in world.ids.items():
            billed, known = self._licensing.state(BILLED, id_), self._numbers.state(SUBSCRIPTION, id_)
            if billed.after is not None:
                waits = world.letters[known.refused.number] if known.refused is not None else None
                why = REASONS[known.refused.code] if known.refused is not None else None
                seen[f"subscription {name}"] = {"status": billed.after.status, "waits for": waits, "because": why}
        return seen

    def scheduled(self, world: World) -> Seen:
        """By the product."""
        names = {world.event_id(fact.id): f"fact {fact.id}" for fact in world.history.facts}
        ahead = {name: self._licensing.state(BILLED, id_).scheduled for name, id_ in world.ids.items()}
        return {
            f"ahead for {name}": {names[id_]: "scheduled" for _, id_ in some} for name, some in ahead.items() if some
        }

    def history(self, world: World, right: Seen) -> Seen:
        """By the product, of what the oracle expects."""
        seen: Seen = {}
        for thing, expected_of_it in right.items():
            what, _, key = thing.partition(" of ")
            if what == "verdicts":
                judged = {j.fact.name[1]: j.refused for j in self._licensing.state(BILLED, world.ids[key]).facts}
                found = {fact: judged.get(world.event_id(int(fact.removeprefix("fact ")))) for fact in expected_of_it}
                known = {world.event_id(int(fact.removeprefix("fact "))) in judged for fact in expected_of_it}
                assert known <= {True}, f"{thing}: a fact without a verdict"
                seen[thing] = {fact: "accepted" if code is None else "refused" for fact, code in found.items()}
            else:
                seen[thing] = self._history(f"number/{world.numbers[key]}")
        return seen

    def _history(self, stream_id: str) -> dict[str, Any]:
        """Whether the history goes back; notices of ends that had passed (N10)."""
        stored = self._histories.get(stream_id, [])
        notices = [each for each in stored if isinstance(each.data, ReservationEnding | LockEnding)]
        return {
            "goes back": any(one.meta.occurred_at > other.meta.occurred_at for one, other in pairwise(stored)),
            "notices too late": sum(each.data.ends_at <= each.meta.recorded_at for each in notices),
        }

    def _number(self, world: World, n: Number) -> dict[str, Any]:
        life = n.life
        reserved = life if isinstance(life, Reserved) else None
        organization = getattr(life, "organization_id", None) or getattr(life, "reserver_id", None)
        return {
            "state": n.state,
            "since": hours(getattr(life, "since", None)) or 0,
            "ends": hours(getattr(life, "ends_at", None)),
            "notice": hours(getattr(life, "notice_at", None)),
            "organization": self._organizations.get(organization or ""),
            "subscription": world.names.get(getattr(life, "subscription_id", None) or ""),
            "cause": reserved.cause if reserved else None,
            "cover": world.names.get(reserved.cover_id or "") if reserved else None,
            "quarantine": hours(life.quarantined_until) if isinstance(life, Available) else None,
            "holder": self._organizations.get(n.holder_id or ""),
            "bound": bool(n.bindings),
        }


def differences(right: Seen, wrong: Seen) -> list[str]:
    """Each thing that is not as it must be."""
    found = []
    for thing in sorted({*right, *wrong}):
        one, other = right.get(thing, {}), wrong.get(thing, {})
        found += [
            f"{thing}: {what} is {other.get(what)!r}, must be {one.get(what)!r}"
            for what in {**one, **other}
            if one.get(what) != other.get(what)
        ]
    return found
