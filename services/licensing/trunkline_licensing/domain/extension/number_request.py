"""An extension's number: what licensing asks numbers for, and what it makes of the answers (X5, L16).

Each request has a generation of its own, and only what is said of the newest one counts: an answer that comes twice,
late, before another one or after all is over changes nothing. A withdrawal has the generation of the request it ends,
so whichever of the two numbers hears first, the request is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from trunkline_licensing.domain.extension.events import (
    ON_IT,
    AnyEvent,
    ExtensionNumberBound,
    ExtensionNumberLost,
    ExtensionNumberRefused,
    ExtensionNumberResumed,
    ExtensionNumberSuspended,
    NumberBindingRequested,
    NumberOn,
    NumberUnbindingRequested,
)
from trunkline_licensing.domain.extension.extension import Extension, evolve, give_up_number, next_generation, tell_user
from trunkline_licensing.domain.pool.errors import ExtensionUnknown

TIMEOUT: Final = "binding-timeout"
"""The code of a refusal that nobody gave: numbers has not answered in time."""


def request_number(x: Extension, number: str, at: datetime, answer_by: datetime, epoch: int = 0) -> list[AnyEvent]:
    """Ask for a number in place of the one it has, if it has one; that one stays with its subscription (L16).

    A number that is on it, or asked for, already, says nothing. `epoch`: see `next_generation`.

    Raises:
        ExtensionUnknown: there is no such extension any more.
    """
    if x.facts is None or x.deleted:
        raise ExtensionUnknown(extension_id=x.id)
    held = x.facts.number
    if held is not None and held.number == number and held.status in ON_IT:
        return []
    requested = NumberBindingRequested(
        at=at,
        number=number,
        generation=next_generation(x, epoch),
        organization_id=x.facts.organization_id,
        user_id=x.facts.user_id,
        answer_by=answer_by,
    )
    return [*give_up_number(x, at, "changed"), requested]


def bound(
    x: Extension, number: str, generation: int, user_id: str | None, at: datetime, epoch: int = 0
) -> list[AnyEvent]:
    """Numbers says that it has bound a number to this extension in that generation, and for whom.

    A request that is not on record here (the log was restored from a back-up, say) is nobody's to take back: what
    licensing has never requested it never gives up. See `is_unknown`. `epoch`: see `next_generation`.
    """
    if _newest(x, generation, ("requested",)) is None:
        return []
    event = ExtensionNumberBound(at=at, number=number, generation=generation)
    return [event, *tell_user(evolve(x, event), user_id, at, epoch)]


def request_again(x: Extension, at: datetime, answer_by: datetime, epoch: int = 0) -> list[AnyEvent]:
    """Request once more the number that is on it, or requested for it, by a newer request (O7); else nothing."""
    on = x.facts.number if x.facts is not None and not x.deleted else None
    if x.facts is None or on is None or on.status not in ON_IT:
        return []
    again = NumberBindingRequested(
        at=at,
        number=on.number,
        generation=next_generation(x, epoch),
        organization_id=x.facts.organization_id,
        user_id=x.facts.user_id,
        answer_by=answer_by if on.status == "requested" else None,
    )
    return [again]


def give_up_unknown(x: Extension, number: str, organization_id: str, at: datetime, epoch: int = 0) -> list[AnyEvent]:
    """Give up a number that numbers has bound to it and that it has not here: only ever because an operator says so."""
    gone = NumberUnbindingRequested(
        at=at,
        number=number,
        generation=next_generation(x, epoch),
        organization_id=organization_id,
        user_id=None,
        cause="reconciled",
    )
    return [gone]


def is_unknown(x: Extension, generation: int) -> bool:
    """Whether an answer is to a request that is not on record here: it waits, visible, until more is known (S7)."""
    return generation > x.generation


def refused(x: Extension, generation: int, code: str, reason: str, at: datetime) -> list[AnyEvent]:
    """Numbers says that it does not bind the number."""
    on = _newest(x, generation, ON_IT)
    if on is None:
        return []
    return [ExtensionNumberRefused(at=at, number=on.number, generation=generation, code=code, reason=reason)]


def lost(x: Extension, generation: int, cause: str, at: datetime) -> list[AnyEvent]:
    """Numbers says that the binding is over, and why; perhaps it is heard before that there was one."""
    on = _newest(x, generation, ON_IT)
    return [] if on is None else [ExtensionNumberLost(at=at, number=on.number, generation=generation, cause=cause)]


def number_is(x: Extension, generation: int, at: datetime, *, suspended: bool) -> list[AnyEvent]:
    """The state of a number that is bound in that generation: kept for an expired subscription, or in service."""
    on = _newest(x, generation, ("bound",) if suspended else ("suspended",))
    if on is None:
        return []
    kind = ExtensionNumberSuspended if suspended else ExtensionNumberResumed
    return [kind(at=at, number=on.number, generation=generation)]


def unanswered(x: Extension, now: datetime) -> list[AnyEvent]:
    """The answer has not come in time: that is a refusal, and whatever comes of the request yet is over (L10)."""
    on = _newest(x, x.generation, ("requested",))
    if on is None or on.answer_by is None or on.answer_by > now:
        return []
    reason = f"Whether {on.number} can be had was not answered in time."
    return [
        *give_up_number(x, on.answer_by, TIMEOUT),
        ExtensionNumberRefused(
            at=on.answer_by, number=on.number, generation=on.generation, code=TIMEOUT, reason=reason
        ),
    ]


def compensated(x: Extension, events: Sequence[AnyEvent]) -> bool:
    """Whether these events, the last ones of the extension, take it with them: its row's number is refused (L12)."""
    return x.row_waits and any(isinstance(event, ExtensionNumberRefused) for event in events)


def _newest(x: Extension, generation: int, statuses: Sequence[str]) -> NumberOn | None:
    """The extension's number, if it is of this generation and in one of these statuses."""
    on = x.facts.number if x.facts is not None and not x.deleted else None
    return on if on is not None and on.generation == generation and on.status in statuses else None
