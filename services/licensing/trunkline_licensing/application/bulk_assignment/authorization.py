"""A template in progress goes on only as long as who began it may begin it (P2, P4).

Every chunk asks again. Once the right is gone, the rows that nothing was decided about fail with its code; those whose
number is asked for have their answer still, and all or nothing takes back what there is.
"""

from __future__ import annotations

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import Resource, authorize
from trunkline.security.initiator import initiator
from trunkline_licensing.application.visibility import branch_of
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk
from trunkline_licensing.domain.bulk_assignment.errors import BulkAssignmentUnknown, RightLost
from trunkline_licensing.domain.bulk_assignment.events import BulkAssignmentStarted
from trunkline_licensing.domain.bulk_assignment.rows import Failure, failure_of


def right_lost(uow: UnitOfWork, b: Bulk) -> Failure | None:
    """Why the rows that are left fail; None: who began it may go on, or is no principal.

    Args:
        uow: reads the directory as it is now; what decides on it is decided again should it change.
        b: in progress.
    """
    began = initiator(uow, BULK.stream(b.id), BulkAssignmentStarted)
    if began is None:
        return None
    resource = Resource(BulkAssignmentUnknown(key=b.id), parties=(b.organization_id,))
    try:
        authorize(branch_of(uow, began), "change licenses", resource)
    except BulkAssignmentUnknown:
        return failure_of(RightLost(why="the organization is not in the branch any more"))
    except Refused as refused:
        return failure_of(RightLost(why=refused.sentence[0].lower() + refused.sentence[1:].rstrip(".")))
    return None
