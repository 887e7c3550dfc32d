"""What would happen to the rows of a bulk assignment if it were assigned now (L10): nothing is recorded."""

from __future__ import annotations

from trunkline.work import Work
from trunkline_licensing.bulk_assignment import Bulk
from trunkline_licensing.bulk_rows import Failure, Judged, failure_of
from trunkline_licensing.license_codes import Catalogue
from trunkline_licensing.reactions.bulk_people import judged_rows
from trunkline_licensing.reactions.bulk_run import new_extension
from trunkline_licensing.reactions.provisioning import Plan


def foresee(work: Work, b: Bulk, catalogue: Catalogue) -> tuple[list[Judged], dict[int, Failure]]:
    """The rows of a template in file order, and which of them would fail and why, by place.

    Args:
        work: what is read with; it is thrown away.
        b: the template.
        catalogue: the add-ons there are.
    """
    judged = judged_rows(work.fetch, b, catalogue)
    return judged, what_fails(work, b, judged, catalogue)


def what_fails(work: Work, b: Bulk, judged: list[Judged], catalogue: Catalogue) -> dict[int, Failure]:
    """Which of the rows of a template would fail if all were tried now, and why, by place."""
    assert b.organization_id is not None
    failures = {j.row.place: j.failure for j in judged if j.failure is not None}
    good = [j for j in judged if j.failure is None]
    plan = Plan(work, b.organization_id, [new_extension(b, j) for j in good], catalogue)
    for j, refused in zip(good, plan.outcomes, strict=True):
        if refused is not None:
            failures[j.row.place] = failure_of(refused)
    return failures
