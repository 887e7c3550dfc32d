"""Plays histories in several orders and holds each end against the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from tests.model.convergence.facts import DAY, Act, Fact, Hours
from tests.model.convergence.fairness import bindings_lost, decided, unfair, without
from tests.model.convergence.histories import History, Step, any_order, cut, history, in_order
from tests.model.convergence.product import World
from tests.model.convergence.rows import expected_rows
from tests.model.convergence.seen import Looking, differences, expected, expected_history, expected_scheduled
from tests.model.convergence.stage import Stage
from tests.model.convergence.timeline import Outcome, outcome


@dataclass(frozen=True)
class Example:
    """A history and one order to play it in; the number makes it again."""

    number: int
    history: History
    steps: tuple[Step, ...]
    seed: int


@dataclass(frozen=True)
class Checked:
    """What came of an example: why its end is not determined by the rules, or what differs."""

    example: Example
    undetermined: str | None
    differs: tuple[str, ...]


ORDERS = 3


def examples(numbers: Iterable[int]) -> list[Example]:
    """The examples with these numbers: each third one is a new history, played in order first, some only in part."""
    made = []
    for number in numbers:
        h = history(Random(number // ORDERS))
        chance = Random(number * 7919 + 1)
        steps = in_order(h) if number % ORDERS == 0 else any_order(h, chance)
        if number % ORDERS == 2 and chance.random() < 0.3:
            h, steps = cut(h, steps, chance)
        made.append(Example(number, h, tuple(steps), number))
    return made


def right(h: History, facts: Iterable[Fact], acts: Iterable[Act], now: Hours) -> Outcome:
    """By the oracle."""
    added = [Act(0, "add", letter) for letter in "ABCD" if letter not in h.absent]
    return outcome(facts, [*added, *acts], now, sold=h.sold, quarantine=h.quarantine_days * DAY)


def check(stage: Stage, several: Sequence[Example]) -> list[Checked]:
    """Play them all at once, each on numbers of its own, and judge each."""
    worlds = [World(each.history, each.steps, each.seed) for each in several]
    stage.play(worlds)
    looking = Looking(stage.pair, stage.organizations)
    looking.load(worlds)
    return [_judge(each, world, looking) for each, world in zip(several, worlds, strict=True)]


def _judge(each: Example, world: World, looking: Looking) -> Checked:
    h = each.history

    def fold(facts: Iterable[Fact], acts: Iterable[Act], now: Hours) -> Outcome:
        return right(h, facts, acts, now)

    verdicts = decided(world.learned, fold)
    if verdicts is None:
        return Checked(each, "an act was done that what was known later would have refused", ())
    refused = {act for act, done in verdicts.items() if not done}
    learned, now = without(world.learned, refused), h.last_day * DAY + 23
    done = [act for act in h.acts if act not in refused]
    whole = fold(h.facts, done, now)
    if lost := bindings_lost(learned, whole, fold):
        learned = [*learned, *((act.at, (act,)) for act in lost)]
        learned.sort(key=lambda some: some[0])
        whole = fold(h.facts, [*done, *lost], now)
    if whole.open:
        return Checked(each, "the rules leave open what happened", ())
    if (reason := unfair(learned, whole, fold)) is not None:
        return Checked(each, reason, ())
    found = differences(expected(whole), looking.seen(world))
    found += differences(expected_scheduled(whole, h.facts), looking.scheduled(world))
    found += differences(expected_rows(whole), looking.rows.seen(world))
    history_of_it = expected_history(whole, h.facts)
    found += differences(history_of_it, looking.history(world, history_of_it))
    found += [
        f"{act.kind} on {act.number} at {act.at}: {world.acted[act] or 'done'}, must be {'done' if done else 'refused'}"
        for act, done in verdicts.items()
        if (world.acted[act] is None) != done
    ]
    return Checked(each, None, tuple(found))
