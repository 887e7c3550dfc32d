"""Which orders of hearing must end where in-order delivery ends.

What a subscription was given it keeps against another one that is known later, and what a person did stands (D10.10,
S6). So the rules fix the end for each order in which nobody was ever given a number, on incomplete knowledge, that
another one has by all the facts while the first one still wants it, and in which each act found what it finds when
all is known. X4 asks nothing else of the order: within one subscription every order is of this kind. An extension
that lost its number by facts that did not count is licensing's to give a number again (X5, D10.17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.model.convergence.facts import Act, Fact, Hours
from tests.model.convergence.histories import EXTENSION
from tests.model.convergence.numbers import Line
from tests.model.convergence.timeline import Outcome

Fold = Callable[[Iterable[Fact], Iterable[Act], Hours], Outcome]
Learned = Sequence[tuple[Hours, tuple[Fact | Act, ...]]]
"""What came to be known, in order, with the clock at which it did."""


def unfair(learned: Learned, whole: Outcome, fold: Fold) -> str | None:
    """Why this order does not have to end as in-order delivery ends; None where it has to.

    What is known at a moment has its effect up to the moment at which more is known: a timer may run until then.
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
    if allowed != allowed_at_last or [_stand(line) for line in before] != [_stand(line) for line in before_at_last]:
        return f"{act} found something else"
    return None


def _stand(line: Line) -> tuple[object, ...]:
    return (line.state, line.since, line.ends, line.subscription, line.organization, line.lapsed, line.cover)


def _given_otherwise(learned: Learned, now: Hours, whole: Outcome, fold: Fold) -> str | None:
    partly = fold(*_known(learned), now)
    for number, line in partly.lines.items():
        if line.binding is None and line.unbound not in (None, "by_hand") and _is_extension(whole.lines.get(number)):
            return f"an extension lost {number} at {now}: that it has it again is licensing's to request (X5)"
    for subscription, number, since, to in partly.held:
        for waiting, wanted, first, last in whole.waited:
            if (waiting, wanted) == (subscription, number) and _meet((since, to), (first, last)):
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
