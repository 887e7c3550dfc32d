"""Which orders of hearing must end where in-order delivery ends.

What a subscription was given it keeps against another one that is known later, and what a person did stands (D10.10,
S6). So the rules fix the end for each order in which nobody was ever given a number, on incomplete knowledge, that
another one has by all the facts while the first one still wants it, and in which each act that was done found what it
finds when all is known. An act that was refused, on what was known then, left nothing, and is no part of the history.
So it is with a number that is reserved again after its reservation ran out (D10.10). X4 asks nothing else of the
order: within one subscription every order is of this kind. An extension that lost its number by facts that did not
count is licensing's to give a number again: its binding has ended then (X5, D10.17).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from tests.model.convergence.facts import Act, Fact, Hours
from tests.model.convergence.histories import EXTENSION
from tests.model.convergence.numbers import Line
from tests.model.convergence.timeline import Outcome

Fold = Callable[[Iterable[Fact], Iterable[Act], Hours], Outcome]
Learned = Sequence[tuple[Hours, tuple[Fact | Act, ...]]]
"""What came to be known, in order, with the clock at which it did."""


def decided(learned: Learned, fold: Fold) -> dict[Act, bool] | None:
    """Whether each act is done: it is decided on what is known at that instant; what is refused leaves nothing.

    None: one was done that could not have been on what was known at a later one, so what that found is open.
    """
    facts: list[Fact] = []
    verdicts: dict[Act, bool] = {}
    for _, items in learned:
        for item in items:
            if isinstance(item, Fact):
                facts.append(item)
                continue
            done = [act for act, allowed in verdicts.items() if allowed]
            then = fold(facts, [*done, item], item.at).acts
            if not all(then[act][0] for act in done):
                return None
            verdicts[item] = then[item][0]
    return verdicts


def without(learned: Learned, gone: Collection[Fact | Act]) -> Learned:
    """What came to be known, but for some of it."""
    return [(at, tuple(item for item in items if item not in gone)) for at, items in learned]


def bindings_lost(learned: Learned, whole: Outcome, fold: Fold) -> list[Act]:
    """Where extensions lost their numbers by facts that did not count: ended then, and licensing's to request anew.

    Nothing for a number that somebody acts on afterwards: what that act finds hangs on it.
    """
    lost: dict[str, Act] = {}
    for index in range(len(learned)):
        facts, acts = _known(learned[: index + 1])
        until = learned[index + 1][0] if index + 1 < len(learned) else whole.now
        partly = fold(facts, acts, until)
        bound = {act.number for act in acts if act.kind == "bind" and act.user == EXTENSION and partly.acts[act][0]}
        for number in bound - lost.keys():
            if _is_extension(whole.lines.get(number)) and not _is_extension(partly.lines.get(number)):
                lost[number] = Act(until, "unbind", number)
    last = {act.number: act.at for _, items in learned for act in items if isinstance(act, Act)}
    return [act for act in lost.values() if last[act.number] < act.at]


def unfair(learned: Learned, whole: Outcome, fold: Fold) -> str | None:
    """Why this order does not have to end as in-order delivery ends; None where it has to.

    Acts that were refused are no part of what was learned, nor of the whole. What is known at a moment has its effect
    up to the moment at which more is known: a timer may run until then.
    """
    for index, (_, items) in enumerate(learned):
        known = learned[: index + 1]
        for item in items:
            if isinstance(item, Act) and (reason := _acted_otherwise(item, known, whole, fold)):
                return reason
        until = learned[index + 1][0] if index + 1 < len(learned) else whole.now
        if reason := _given_otherwise(known, until, whole, fold):
            return reason
    return None


def _known(learned: Learned) -> tuple[list[Fact], list[Act]]:
    items = [item for _, some in learned for item in some]
    return [i for i in items if isinstance(i, Fact)], [i for i in items if isinstance(i, Act)]


def _acted_otherwise(act: Act, learned: Learned, whole: Outcome, fold: Fold) -> str | None:
    then = fold(*_known(learned), act.at)
    allowed, before = then.acts[act]
    allowed_at_last, before_at_last = whole.acts[act]
    found, finds = ([_found(act, line) for line in lines] for lines in (before, before_at_last))
    return f"{act} found something else" if allowed != allowed_at_last or found != finds else None


def _found(act: Act, line: Line) -> tuple[object, ...]:
    """What the result of an act hangs on."""
    whose = (line.state, line.subscription, line.organization)
    match act.kind:
        case "extend":
            return (*whose, line.ends, line.cover)  # the charged period begins where the present one ends (D10.6)
        case "assign" | "swap":
            return (*whose, line.lapsed)
        case "allocate" | "take_back" if line.holder == (act.party or None):
            return (line.state in ("absent", "deleted"),)  # it changes nothing
        case "allocate" | "take_back" if line.state == "available":
            return (*whose, line.since, line.lapsed)  # since then, nobody claims it back (D10.10)
        case _:
            return whose


def _given_otherwise(learned: Learned, now: Hours, whole: Outcome, fold: Fold) -> str | None:
    facts, acts = _known(learned)
    partly = fold(facts, acts, now)
    bound = {act.number for act in acts if act.kind == "bind" and act.user == EXTENSION}
    for number in bound:
        if _is_extension(whole.lines.get(number)) and not _is_extension(partly.lines.get(number)):
            return f"an extension lost {number} at {now}: that it has it again is licensing's to request (X5)"
    for subscription, number, since, to in partly.taken_back:
        for other, had, first, last in whole.held:
            if had == number and other != subscription and _meet((since, to), (first, last)):
                return f"{number} was reserved again after {subscription} at {now}, while another one has it"
    given = {held[:3] for held in whole.held}
    for subscription, number, since, to in partly.held:
        for waiting, wanted, first, last in whole.waited:
            if (waiting, wanted) != (subscription, number):
                continue
            never = since == last and (subscription, number, since) not in given
            if never or _meet((since, to), (first, last)):
                return f"{subscription} was given {number} at {now}, which another one has"
    return None


def _is_extension(line: Line | None) -> bool:
    return line is not None and line.binding is not None and line.binding.user == EXTENSION


def _meet(one: tuple[Hours, Hours], other: tuple[Hours, Hours]) -> bool:
    """Whether two spans have an instant in common; the end of a span belongs to it only where it lasts no time."""
    (since, to), (first, last) = one, other
    if since == to or first == last:
        return since <= last and first <= to
    return since < last and first < to
