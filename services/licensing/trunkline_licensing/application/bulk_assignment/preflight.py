"""What would happen to the rows of a bulk assignment if it were assigned now (L10): nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.bulk_assignment.people import judged_rows
from trunkline_licensing.application.bulk_assignment.run import new_extension
from trunkline_licensing.application.extensions.provision import Plan
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import Bulk
from trunkline_licensing.domain.bulk_assignment.rows import Failure, Judged, number_unavailable, refused_row
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.replicas.number_replica import NumberReplica
from trunkline_licensing.replicas.number_replica import read as read_numbers


def foresee(uow: UnitOfWork, b: Bulk, catalogue: Catalogue) -> tuple[list[Judged], dict[int, Failure]]:
    """The rows of a template in file order, and which of them would fail and why, by place.

    Args:
        uow: what is read with; it is thrown away.
        b: the template.
        catalogue: the add-ons there are.
    """
    judged = judged_rows(uow.fetch, b, catalogue)
    numbers = [j.number for j in judged if j.failure is None and j.number is not None]
    copies = read_numbers(uow.fetch, numbers)
    assert b.organization_id is not None
    seen = [_with_number(j, copies, b.organization_id) for j in judged]
    return seen, what_fails(uow, b, seen, catalogue)


def _with_number(judged: Judged, copies: Mapping[str, NumberReplica], organization_id: str) -> Judged:
    """A row, failed where what numbers last said keeps its number from it (R5); another's is told as unknown."""
    if judged.failure is not None or judged.number is None:
        return judged
    copy, why = copies.get(judged.number), None
    if copy is None or not _usable(copy, organization_id):
        why = "the organization has no such number."
    elif "voice" not in (copy.capabilities or "").split():
        why = "it is not one for voice."
    elif copy.voice_bound:
        why = "somebody else is called by it."
    return judged if why is None else replace(judged, failure=number_unavailable(judged.number, why))


def _usable(copy: NumberReplica, organization_id: str) -> bool:
    if copy.state == "assigned":
        return copy.organization_id == organization_id
    return copy.state == "available" and copy.holder_id == organization_id


def what_fails(uow: UnitOfWork, b: Bulk, judged: list[Judged], catalogue: Catalogue) -> dict[int, Failure]:
    """Which of the rows of a template would fail if all were tried now, and why, by place."""
    assert b.organization_id is not None
    failures = {j.row.place: j.failure for j in judged if j.failure is not None}
    good = [j for j in judged if j.failure is None]
    plan = Plan(uow, b.organization_id, [new_extension(b, j) for j in good], catalogue)
    for j, refused in zip(good, plan.outcomes, strict=True):
        if refused is not None:
            failures[j.row.place] = refused_row(j.row, refused)
    return failures
