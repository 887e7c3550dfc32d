"""What licensing does about differences that an operator repairs: bindings, and its copy of the numbers (O7, X5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.provision import ANSWER_WITHIN
from trunkline_licensing.domain.extension.events import AnyEvent
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.extension.number_request import (
    give_up_unknown,
    is_unknown,
    request_again,
    request_number,
)
from trunkline_licensing.replicas.number_replica import NumberReplica, read


def repair_bindings(uow: UnitOfWork, extensions: Mapping[str, Sequence[str]], cause: Causation) -> int:
    """Request again the number that is on an extension here; else take over, or give up, the one bound to it there.

    A binding by a request that is newer than all on record here is of a history that a restore has lost: the extension
    keeps its number. One by a request on record was given up here; one of an extension that is no more is nobody's.

    Args:
        uow: where it is recorded.
        extensions: extension -> the numbers that either side has at it.
        cause: of the operator.

    Returns:
        How many extensions numbers is told of.
    """
    uow.load((EXTENSION, key) for key in extensions)
    copies = read(uow.fetch, [number for numbers in extensions.values() for number in numbers])
    done = 0
    for key, numbers in extensions.items():
        x = uow.state(EXTENSION, key)
        bound = next((c for n in numbers if (c := copies.get(n)) is not None and c.extension_id == key), None)
        events = _stated(x, bound, uow.now, uow.epoch)
        uow.record(EXTENSION, key, events, cause)
        done += bool(events)
    return done


def _stated(x: Extension, bound: NumberReplica | None, now: datetime, epoch: int) -> list[AnyEvent]:
    answer_by = now + ANSWER_WITHIN
    again = request_again(x, now, answer_by, epoch)
    if again or bound is None:
        return again
    if x.alive and is_unknown(x, bound.generation or 0):
        return request_number(x, bound.number, now, answer_by, epoch)
    known = x.facts.organization_id if x.facts is not None else None
    organization = known or bound.organization_id or bound.holder_id or bound.reserver_id
    return [] if organization is None else give_up_unknown(x, bound.number, organization, now, epoch)


def drop_copies(uow: UnitOfWork, numbers: Mapping[str, Sequence[str]], _cause: Causation) -> int:
    """Forget the copies of some numbers: the document that numbers states next is taken, whatever it is."""
    uow.write("DELETE FROM number_copy WHERE number = %s", [(number,) for number in numbers])
    return len(numbers)
