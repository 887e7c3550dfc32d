"""A history and an order of hearing as text, to be read by whoever looks for the fault."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.convergence.facts import DAY, Act, Fact, Hours
from tests.model.convergence.histories import History, Step


def described(h: History, steps: tuple[Step, ...]) -> Iterator[str]:
    """One line for each thing that happened, then one for each step in which it was played."""
    sold = ", ".join(f"{name} of {about.organization}" for name, about in h.sold.items())
    yield f"sold: {sold}; quarantine {h.quarantine_days} days; not added: {h.absent or 'none'}"
    for fact in sorted(h.facts, key=lambda f: (f.subscription, f.sequence or 0, f.at)):
        yield f"  fact {fact.id}: {_fact(fact)}"
    for act in h.acts:
        yield f"  act: {_act(act)}"
    for step in steps:
        what = "; ".join([*(str(f.id) for f in step.facts), *([_act(step.act)] if step.act else [])])
        notes = [note for note, so in (("timers first", step.timers), ("held back", step.held_back)) if so]
        yield f"  day {step.day}: {what}{' (' + ', '.join(notes) + ')' if notes else ''}"


def _when(at: Hours) -> str:
    return f"{at // DAY}d{at % DAY:02}h" if at % DAY else f"{at // DAY}d"


def _fact(fact: Fact) -> str:
    about = {"started": fact.number, "swapped": f"{fact.old}>{fact.number}"}.get(fact.kind, "")
    sequence = f" #{fact.sequence}" if fact.sequence is not None else ""
    return f"{fact.subscription} {fact.kind} {about} {_when(fact.at)}{sequence}".replace("  ", " ")


def _act(act: Act) -> str:
    more = " ".join(word for word in (act.party, act.subscription, act.old) if word)
    return f"{act.kind} {act.number} {more} {_when(act.at)}".replace("  ", " ")
