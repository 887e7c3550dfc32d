"""Generated histories: facts and acts that meet on few numbers, and the orders in which they are played.

Facts lie on whole hours below twenty of a day; everything is received, and acts happen, in the 23rd hour. The random
source is an argument: a seed is a history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from tests.model.convergence.facts import DAY, Act, Fact, Hours, Kind, Sold

LETTERS = "ABCD"
ORGANIZATIONS = ("O1", "O2")
TRUNK, EXTENSION = "trunk user", "extension"
"""What a number is bound to."""
NEWEST_DAY = 185
"""No fact or act is newer."""
GAPS = (0, 0, 1, 5, 12, DAY, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 20 * DAY, 29 * DAY, 57 * DAY, 60 * DAY)


@dataclass(frozen=True)
class Step:
    """One thing that is played in the 23rd hour of a day: an act, or facts that licensing and then numbers get.

    `held_back`: numbers gets what licensing publishes of it only with the next step that is not held back.
    """

    day: int
    facts: tuple[Fact, ...] = ()
    act: Act | None = None
    held_back: bool = False
    timers: bool = False
    """Whether the timers run before it."""


@dataclass(frozen=True)
class History:
    """What happened. Which of it is known when is a matter of the order in which it is played."""

    sold: dict[str, Sold]
    facts: tuple[Fact, ...]
    acts: tuple[Act, ...]
    quarantine_days: int = 0
    absent: str = ""
    """Letters of numbers that are not added at the beginning."""
    last_day: int = NEWEST_DAY + 5
    """At the end of which everything is compared."""


@dataclass
class _Writer:
    """Writes the facts of one subscription as billing might."""

    chance: Random
    subscription: str
    sequenced: bool
    ids: list[int]
    at: Hours = 0
    has: str = ""
    facts: list[Fact] = field(default_factory=list)

    def add(self, kind: Kind, **more: object) -> None:
        self.ids[0] += 1
        sequence = len(self.facts) + 1 if self.sequenced else None
        self.facts.append(Fact(self.ids[0], self.subscription, kind, self.at, sequence, **more))  # type: ignore[arg-type]

    def pass_time(self) -> None:
        gap = self.chance.choice(GAPS)
        hour = min((self.at + gap) % DAY, 19)
        self.at = (self.at + gap) // DAY * DAY + hour

    def swap(self) -> None:
        if self.facts[-1].kind == "swapped" and self.facts[-1].at == self.at and not self.sequenced:
            self.at += DAY  # two swaps at one instant need a sequence to have an order
        old = self.has if self.chance.random() < 0.85 else self.chance.choice(LETTERS)
        new = self.chance.choice([letter for letter in LETTERS if letter != old])
        self.add("swapped", old=old, number=new)
        self.has = new

    def repeat(self) -> None:
        """An earlier fact once more under a new id."""
        again = self.chance.choice(self.facts)
        if again.kind == "started" and again.at == self.at:
            self.at += DAY
        if again.kind == "swapped":
            if self.facts[-1].kind == "swapped" and self.facts[-1].at == self.at:
                self.at += DAY
            self.has = again.number
        more = {"number": again.number, "old": again.old, "product": again.product}
        self.add(again.kind, **more, quantity=again.quantity, plan=again.plan, until=again.until)


def history(chance: Random) -> History:
    """One history."""
    ids = [0]
    sold: dict[str, Sold] = {}
    facts: list[Fact] = []
    few = chance.choice([1, 1, 2, 2, 3])
    for index in range(few):
        name = f"S{index}"
        sold[name] = Sold(chance.choice(ORGANIZATIONS if chance.random() < 0.5 else ORGANIZATIONS[:1]), index)
        before = facts[-1] if facts and chance.random() < 0.5 else None
        facts += _number_subscription(chance, name, ids, before)
    paid = chance.random() < 0.35
    if paid:
        sold["D"] = Sold("O1", few)
        facts += _paying_subscription(chance, ids)
    acts = _acts(chance, [fact for fact in facts if fact.subscription != "D"], paid=paid)
    return History(
        sold,
        tuple(facts),
        tuple(acts),
        quarantine_days=chance.choice([0, 0, 0, 10]),
        absent=chance.choice(["", "", "", "B"]),
        last_day=max([fact.at for fact in facts] + [act.at for act in acts]) // DAY
        + chance.choice([1, 2, 3, 8, 20, 40, 70]),
    )


def _number_subscription(chance: Random, name: str, ids: list[int], before: Fact | None) -> list[Fact]:
    """One that starts anywhere, or on the first numbers some time after the last fact of another one."""
    writer = _Writer(chance, name, chance.random() < 0.5, ids)
    day = before.at // DAY + chance.choice([1, 5, 30, 60]) if before else chance.choice([0, 1, 2, 5, 10, 30, 45])
    writer.at = day * DAY + chance.randrange(0, 19)
    writer.has = chance.choice(LETTERS[:2])
    writer.add("started", number=writer.has)
    kinds = ["swapped"] * 5 + ["expired"] * 4 + ["reactivated"] * 4 + ["terminated"] + ["renewed"] + ["repeat"]
    for _ in range(chance.choice([0, 1, 2, 2, 3, 3, 4, 5, 6])):
        writer.pass_time()
        if writer.at >= NEWEST_DAY * DAY:
            break
        match chance.choice(kinds):
            case "swapped":
                writer.swap()
            case "repeat":
                writer.repeat()
            case "renewed":
                writer.add("renewed", until=writer.at + 30 * DAY)
            case kind:
                writer.add(kind)  # type: ignore[arg-type]
    if chance.random() < 0.3:
        writer.pass_time()
        writer.add("terminated")
    return [fact for fact in writer.facts if fact.at < NEWEST_DAY * DAY]


def _paying_subscription(chance: Random, ids: list[int]) -> list[Fact]:
    """It pays for what is extended in its first days, is renewed in time if at all, and may end at any time (N4)."""
    writer = _Writer(chance, "D", chance.random() < 0.5, ids)
    writer.add("started", product="did_reservation", quantity=chance.choice([1, 2]), plan=30 * DAY)
    until = 50 * DAY
    for _ in range(chance.choice([0, 0, 1, 2])):
        writer.at = chance.randrange(max(writer.at // DAY, 21), until // DAY) * DAY + chance.randrange(19)
        until += chance.choice([15, 30, 60]) * DAY
        writer.add("renewed", until=until)
    if chance.random() < 0.5:
        writer.at += chance.randrange(1, 60) * DAY
        writer.add(chance.choice(["terminated", "expired", "quantity_changed"]), quantity=1)
        if chance.random() < 0.2:
            writer.at += chance.choice([0, 5]) * DAY
            writer.add("terminated")
    return writer.facts


def _acts(chance: Random, facts: list[Fact], *, paid: bool) -> list[Act]:
    """What is paid for is reserved and extended first; the others meet a number that some fact names, or any."""
    acts = []
    if paid:
        for day, letter in enumerate(chance.sample(LETTERS, chance.choice([1, 2]))):
            acts.append(Act(_clock(2 * day), "reserve", letter, party="O1"))
            acts.append(Act(_clock(2 * day + chance.choice([1, 11, 18])), "extend", letter, subscription="D"))
    kinds = ["reserve", "reserve", "release", "release", "lock", "lock", "unlock", "delete", "recover", "assign"]
    kinds += ["swap", "bind", "unbind", "allocate", "take_back", "add"] + ["bind"] * 12
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        kind, near = chance.choice(kinds), chance.choice(facts)
        aimed = chance.random() < 0.7
        day = near.at // DAY + chance.choice([0, 1, 4, 15]) if aimed else chance.randrange(NEWEST_DAY)
        number = near.number if aimed and near.number else chance.choice(LETTERS)
        old = chance.choice([letter for letter in LETTERS if letter != number]) if kind == "swap" else ""
        acts.append(
            Act(
                _clock(min(day, NEWEST_DAY)),
                kind,  # type: ignore[arg-type]
                number,
                party=chance.choice(ORGANIZATIONS) if kind in ("reserve", "allocate") else "",
                subscription=near.subscription if kind in ("assign", "swap") else "",
                old=old,
                user=chance.choice([TRUNK, EXTENSION]) if kind == "bind" else "",
            )
        )
    return sorted({act.at: act for act in acts}.values(), key=lambda act: act.at)


def _clock(day: int) -> Hours:
    return day * DAY + 23


def in_order(h: History) -> list[Step]:
    """Everything on its own day, once, the facts of a day by instant; the timers run each time."""
    ordered = sorted(h.facts, key=lambda f: (f.at, h.sold[f.subscription].rank, f.sequence or 0, f.id))
    steps = [Step(fact.at // DAY, (fact,), timers=True) for fact in ordered]
    steps += [Step(act.at // DAY, act=act, timers=True) for act in h.acts]
    return sorted(steps, key=lambda step: (step.day, step.act is not None))


def any_order(h: History, chance: Random) -> list[Step]:
    """Facts late by any time, some of them twice, in any order within a day; timers that may not have run.

    In some orders facts are received days before their instants (D10.14).
    """
    late = chance.choice([0.1, 0.4, 0.8, 1.0])
    punctual = chance.choice([0.0, 0.5, 1.0])
    until = chance.choice([5, 40, NEWEST_DAY])
    steps: list[tuple[float, Step]] = []
    for fact in h.facts:
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            day = fact.at // DAY
            if chance.random() < late:
                day = min(day + chance.randrange(until), h.last_day - 1)
            step = Step(day, (fact,), held_back=chance.random() < 0.2, timers=chance.random() < punctual)
            steps.append((chance.random(), step))
    steps += [(chance.random(), Step(act.at // DAY, act=act, timers=chance.random() < punctual)) for act in h.acts]
    if chance.random() < 0.3:
        steps = [(place, _early(step, chance)) for place, step in steps]
    return [step for _, step in sorted(steps, key=lambda each: (each[1].day, each[0]))]


def _early(step: Step, chance: Random) -> Step:
    """Received ahead of its instant, sometimes."""
    if not step.facts or chance.random() < 0.6:
        return step
    return replace(step, day=max(0, step.facts[0].at // DAY - chance.randrange(1, 40)))


def cut(h: History, steps: Sequence[Step], chance: Random) -> tuple[History, list[Step]]:
    """All is compared on an earlier day: what was received by then is all there is, though it may be ahead of it."""
    last_day = chance.randrange(1, h.last_day + 1)
    kept = [step for step in steps if step.day <= last_day]
    received = {fact.id for step in kept for fact in step.facts}
    facts = tuple(fact for fact in h.facts if fact.id in received)
    return replace(h, facts=facts, acts=tuple(step.act for step in kept if step.act), last_day=last_day), kept
