"""A bulk assignment runs: 500 rows at a time, each time one transaction (L10, L12, L13).

What a chunk brings about commits at once: the extensions with their units and claims, the requests for their numbers,
the outcome of each row, and the counts on the template's stream. A crash before the commit leaves the rows pending, a
crash after it leaves them done; a rival that did them meanwhile is a conflict on the stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.bulk_assignment.authorization import right_lost
from trunkline_licensing.application.extensions.provision import NewExtension, Plan
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk, answered, chunk_done, undone
from trunkline_licensing.domain.bulk_assignment.events import (
    AnyEvent,
    BulkAssignmentCompleted,
    BulkChunkDone,
    BulkRowsAnswered,
    BulkRowsUndone,
)
from trunkline_licensing.domain.bulk_assignment.rows import Failure, Judged, all_or_nothing, refused_row
from trunkline_licensing.domain.extension.events import BulkRow
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.errors import NoAddonLicense, NoBaseLicense
from trunkline_licensing.tables.bulk_rows import (
    Outcome,
    RowStatus,
    mark_completed,
    next_places,
    turn_all,
    write_outcomes,
)

CHUNK: Final = 500
"""Rows in one transaction."""

Sheet = Mapping[int, Judged]
"""The rows of a template by their place."""


def cause_of(bulk_id: str) -> Causation:
    """What goes into the envelopes of all that a run brings about."""
    return Causation(f"bulk/{bulk_id}", bulk_id, bulk_id)


def new_extension(b: Bulk, judged: Judged) -> NewExtension:
    """The extension that a row asks for; its id follows from the row, so that a second try has the same."""
    row = judged.row
    return NewExtension(
        extension_id=str(uuid5(UUID(b.id), str(row.place))),
        ext_key=row.ext_key,
        user_id=judged.identity_id,
        addons=judged.addons,
        number=judged.number,
        reference=row.reference or None,
        bulk=BulkRow(b.id, row.place),
    )


def run_chunk(uow: UnitOfWork, bulk_id: str, sheet: Sheet, catalogue: Catalogue, answer_within: timedelta) -> int:
    """Do the next rows of a template; how many rows that were, 0 where none is to be done now.

    Args:
        uow: what it reads and records.
        bulk_id: a template in progress; one that is not any more is left alone.
        sheet: its rows, all of them.
        catalogue: the add-ons there are.
        answer_within: how long numbers may take to answer.
    """
    b = uow.state(BULK, bulk_id)
    if b.status != "in_progress":
        return 0
    if b.undoing is not None:
        return _undo_chunk(uow, b, b.undoing)
    if not (b.pending or b.short):
        return 0
    if (lost := right_lost(uow, b)) is not None:
        return _stop(uow, b, lost)
    found = next_places(uow.fetch, bulk_id, ("pending", "short") if b.short else ("pending",), CHUNK)
    if not found:
        return 0
    rows = [sheet[index] for index, _, _ in found]
    good = [judged for judged in rows if judged.failure is None]
    assert b.organization_id is not None
    plan = Plan(uow, b.organization_id, [new_extension(b, judged) for judged in good], catalogue)
    plan.record(cause_of(bulk_id), answer_within)
    outcomes = _outcomes(b, rows, {j.row.place: o for j, o in zip(good, plan.outcomes, strict=True)})
    short_before = {index for index, status, _ in found if status == "short"}
    changed = [o for o in outcomes if o.status != "short" or o.place not in short_before]
    if not changed:
        return 0
    write_outcomes(uow, bulk_id, changed)
    decided = sum(o.place in short_before for o in changed)
    record(uow, b, chunk_done(b, _counts(uow, changed, decided), _first_failure(changed)))
    return len(changed)


def _outcomes(b: Bulk, rows: Sequence[Judged], refused: Mapping[int, Refused | None]) -> list[Outcome]:
    """What becomes of each row. One that lacks a unit is not failed as long as a row waits that may give one back:
    it is tried again, before the rows after it, so that units go to rows in file order (DOMAIN §10.3).
    """
    outcomes: list[Outcome] = []
    units_may_return = b.waiting > 0 and not b.all_or_nothing
    for judged in rows:
        index, who, failure = judged.row.place, judged.identity_id, judged.failure
        status: RowStatus = "failed"
        extension_id = None
        refusal = None if failure is not None else refused[index]
        if refusal is not None:
            failure = refused_row(judged.row, refusal)
            if units_may_return and isinstance(refusal, NoBaseLicense | NoAddonLicense):
                status = "short"
        elif failure is None:
            extension_id = str(uuid5(UUID(b.id), str(index)))
            status = "waiting" if judged.number is not None else "held" if b.all_or_nothing else "succeeded"
            units_may_return |= status == "waiting" and not b.all_or_nothing
        outcomes.append(Outcome(index, status, failure, extension_id, who))
    return outcomes


def _counts(uow: UnitOfWork, outcomes: Sequence[Outcome], short_no_more: int) -> BulkChunkDone:
    found = dict.fromkeys(("succeeded", "failed", "waiting", "held", "short"), 0)
    for outcome in outcomes:
        found[outcome.status] += 1
    found["short"] -= short_no_more
    return BulkChunkDone(at=uow.now, upto=outcomes[-1].place, **found)


def _first_failure(outcomes: Sequence[Outcome]) -> tuple[int, str] | None:
    failed = ((o.place, o.failure.code) for o in outcomes if o.status == "failed" and o.failure is not None)
    return next(failed, None)


def _stop(uow: UnitOfWork, b: Bulk, why: Failure) -> int:
    """Let every row fail that nothing was decided about, or that is short of a unit; how many these are."""
    places = [index for index, _, _ in next_places(uow.fetch, b.id, ("pending", "short"), b.total)]
    turn_all(uow, b.id, "pending", "failed", why)
    turn_all(uow, b.id, "short", "failed", why)
    done = BulkChunkDone(at=uow.now, upto=places[-1], failed=len(places), short=-b.short)
    record(uow, b, chunk_done(b, done, (places[0], why.code)))
    return len(places)


def _undo_chunk(uow: UnitOfWork, b: Bulk, why: tuple[int, str]) -> int:
    """Take back the next rows of a template that was to be all or nothing; those never tried go last."""
    cause = cause_of(b.id)
    found = next_places(uow.fetch, b.id, ("waiting", "held"), CHUNK)
    failure = all_or_nothing(*why)
    if found:
        withdraw(uow, [extension_id for _, _, extension_id in found], "all_or_nothing", cause)
        write_outcomes(uow, b.id, [Outcome(index, "failed", failure) for index, _, _ in found])
        waiting = sum(status == "waiting" for _, status, _ in found)
        event = BulkRowsUndone(at=uow.now, waiting=waiting, held=len(found) - waiting)
    elif b.pending:
        turn_all(uow, b.id, "pending", "failed", failure)
        event = BulkRowsUndone(at=uow.now, pending=b.pending)
    else:
        return 0
    record(uow, b, undone(b, event))
    return max(len(found), event.pending)


def refuse_all(uow: UnitOfWork, bulk_id: str, failures: Mapping[int, Failure], places: Sequence[int]) -> None:
    """All or nothing was asked for, and some rows are known to fail before any is tried: then all of them do."""
    b = uow.state(BULK, bulk_id)
    if b.status != "in_progress" or b.pending != b.total:
        return
    first = min(failures)
    others = all_or_nothing(first, failures[first].code)
    write_outcomes(uow, bulk_id, [Outcome(index, "failed", failures.get(index, others)) for index in places])
    record(uow, b, chunk_done(b, BulkChunkDone(at=uow.now, upto=places[-1], failed=len(places))))


def settle_answers(uow: UnitOfWork, bulk_id: str, outcomes: Sequence[Outcome]) -> None:
    """Rows that waited have their answer: each has succeeded (is held, where it is all or nothing) or failed."""
    b = uow.state(BULK, bulk_id)
    if b.all_or_nothing:
        outcomes = [Outcome(o.place, "held") if o.status == "succeeded" else o for o in outcomes]
    write_outcomes(uow, bulk_id, outcomes)
    found = dict.fromkeys(("succeeded", "failed", "held"), 0)
    for outcome in outcomes:
        found[outcome.status] += 1
    record(uow, b, answered(b, BulkRowsAnswered(at=uow.now, **found), _first_failure(outcomes)))


def record(uow: UnitOfWork, b: Bulk, events: Sequence[AnyEvent]) -> None:
    """Put what follows for a template on record, and do to its rows what these events say of all of them."""
    uow.record(BULK, b.id, events, cause_of(b.id))
    for event in events:
        match event:
            case BulkAssignmentCompleted():
                turn_all(uow, b.id, "held", "succeeded")
                mark_completed(uow, b.id)
            case _:
                pass
