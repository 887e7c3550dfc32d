"""Makes a history that shows a fault as small as it gets: whatever can be left out without the fault going, is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.model.convergence.checking import Example
from tests.model.convergence.facts import Act, Fact
from tests.model.convergence.histories import Step

Shows = Callable[[list[Example]], list[bool]]
"""Plays examples, and answers for each whether it shows the fault."""


def reduced(several: Sequence[Example], shows: Shows) -> list[Example]:
    """Of each example the smallest that still shows its fault; they are tried together, as that costs least."""
    found = list(several)
    going = set(range(len(found)))
    while going:
        tried = [(index, smaller) for index in sorted(going) for smaller in _smaller(found[index])]
        shown = shows([smaller for _, smaller in tried])
        better: dict[int, list[Example]] = {}
        for (index, smaller), bad in zip(tried, shown, strict=True):
            if bad:
                better.setdefault(index, []).append(smaller)
        for index, candidates in better.items():
            found[index] = min(candidates, key=_size)
        going = set(better)
    return found


def _size(example: Example) -> int:
    h = example.history
    loud = sum(step.held_back + (not step.timers) for step in example.steps)
    return 100 * (len(h.facts) + len(h.acts) + len(example.steps)) + 10 * h.quarantine_days + len(h.absent) + loud


def _smaller(example: Example) -> Iterator[Example]:
    h = example.history
    for fact in h.facts:
        yield _without(example, lambda item, gone=fact: item == gone)  # type: ignore[misc]
    for act in h.acts:
        yield _without(example, lambda item, gone=act: item == gone)  # type: ignore[misc]
    for name in h.sold:
        mine = [fact for fact in h.facts if fact.subscription == name]
        if mine:
            yield _without(example, lambda item, gone=mine: item in gone)  # type: ignore[misc]
    for index, step in enumerate(example.steps):
        others = (*example.steps[:index], *example.steps[index + 1 :])
        if step.facts and all(any(f in other.facts for other in others) for f in step.facts):
            yield replace(example, steps=others)
        for change in ({"timers": True}, {"held_back": False}):
            changed = replace(step, **change)  # type: ignore[arg-type]
            if changed != step:
                yield replace(example, steps=(*example.steps[:index], changed, *example.steps[index + 1 :]))
    if h.quarantine_days:
        yield replace(example, history=replace(h, quarantine_days=0))
    if h.absent:
        yield replace(example, history=replace(h, absent=""))


def _without(example: Example, gone: Callable[[Fact | Act], bool]) -> Example:
    h = example.history
    facts = tuple(fact for fact in h.facts if not gone(fact))
    acts = tuple(act for act in h.acts if not gone(act))
    steps: list[Step] = []
    for step in example.steps:
        kept = replace(step, facts=tuple(f for f in step.facts if not gone(f)))
        if kept.act is not None and gone(kept.act):
            continue
        if kept.facts or kept.act is not None:
            steps.append(kept)
    return replace(example, history=replace(h, facts=facts, acts=acts), steps=tuple(steps))
