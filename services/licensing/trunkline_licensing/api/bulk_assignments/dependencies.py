"""What the doors of bulk assignments share: one template, as the one gate lets through to it (P4)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import WriteRequest, reader
from trunkline.http.idempotency import CommandResult, check_version
from trunkline.security.authorization import Resource, authorize
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.bulk_assignments.schemas import shown_bulk
from trunkline_licensing.application.visibility import branch_of
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk
from trunkline_licensing.domain.bulk_assignment.errors import BulkAssignmentUnknown

PATH: Final = "/licensing/organizations/{organization_id}/bulk-assignments"
ONE: Final = PATH + "/{bulk_id}"
TAG: Final = "bulk assignments"
_VIEWS_WITHIN_S: Final = 1.0
UNKNOWN: Final = {404: "no such bulk assignment, or not in the asker's branch", 409: "not in its status"}


def reach(uow: UnitOfWork, principal: Principal, action: str, organization_id: UUID, bulk_id: UUID) -> Bulk:
    """A template that the asker is let through to.

    Raises:
        BulkAssignmentUnknown: there is none of this organization in the asker's branch.
        NotAllowed, ScopeMissing: the role may not.
    """
    b = uow.state(BULK, str(bulk_id))
    exists = b.exists and b.organization_id == str(organization_id)
    resource = Resource(BulkAssignmentUnknown(key=str(bulk_id)), parties=(str(organization_id),), exists=exists)
    authorize(branch_of(uow, principal), action, resource)
    return b


def seen(
    context: ServiceContext, principal: Principal, organization_id: UUID, bulk_id: UUID
) -> tuple[Bulk, UnitOfWork, int]:
    """A template to look at, what it was read with, and its version."""
    uow = reader(context)
    b = reach(uow, principal, "see licenses", organization_id, bulk_id)
    return b, uow, uow.get(BULK, b.id).version


def changing(uow: UnitOfWork, request: WriteRequest, organization_id: UUID, bulk_id: UUID) -> Bulk:
    """A template to change, in the version that If-Match names."""
    b = reach(uow, request.principal, "change licenses", organization_id, bulk_id)
    check_version(request, uow.get(BULK, b.id).version)
    return b


def answer(uow: UnitOfWork, bulk_id: str, status: int = 200) -> CommandResult:
    """A template as it is after what was recorded."""
    loaded = uow.get(BULK, bulk_id)
    b = loaded.state
    where = f"{PATH.format(organization_id=b.organization_id)}/{b.id}"
    return CommandResult(shown_bulk(b), status, loaded.version + len(loaded.new), where)


def with_newest_people(context: ServiceContext) -> None:
    """Wait, not for long, until the view of people has seen all there is: a row may name somebody just hired."""
    context.wait_for_views(context.store.end_of_log(), _VIEWS_WITHIN_S)
