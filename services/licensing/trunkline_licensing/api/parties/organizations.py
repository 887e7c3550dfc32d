"""Organizations: registering, changing, reading (P0)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, UpdateRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.pagination import Items, Paging, paging
from trunkline.security.authorization import NotAllowed, Resource, authorize
from trunkline.security.principal import Branch
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, Search, asker_branch, list_parties, show_party
from trunkline_licensing.api.parties.schemas import NewOrganization, OrganizationChange, OrganizationShown, said
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.party.errors import PartyAboveUnknown
from trunkline_licensing.domain.party.facts import Organization, OrganizationChanges


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "parties", UNKNOWN)
    path = "/licensing/organizations"

    @routes.post(path, summary="Register an organization", status_code=201, response_model=OrganizationShown)
    def register_organization(body: NewOrganization, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            branch = branch_of(uow, request.principal)
            partner_id = body.partner_id
            if "partner_id" not in body.model_fields_set:
                partner_id = request.principal.party_id
            _authorize_under(uow, branch, "register organizations", partner_id)
            key = body.organization_id or str(uuid4())
            details = Organization(**{**body.model_dump(exclude={"organization_id"}), "partner_id": partner_id})
            return Command(uow, request, PARTY, key, f"{path}/{key}").register(details)

        return change(context, request, decide)

    @routes.get(path, summary="The organizations in the asker's branch")
    def list_organizations(
        principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)], search: Search = None
    ) -> Items[OrganizationShown]:
        return list_parties(context, asker_branch(context, principal), paging, "organization", search)

    @routes.get(path + "/{organization_id}", summary="One organization", response_model=OrganizationShown)
    def show_organization(organization_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        return show_party(context, asker_branch(context, principal), request, str(organization_id), "organization")

    @routes.patch(path + "/{organization_id}", summary="Change an organization", response_model=OrganizationShown)
    def change_organization(organization_id: UUID, body: OrganizationChange, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            key, changes = str(organization_id), said(body)
            branch, resource = branch_of(uow, request.principal), party_resource(uow, key, "organization")
            authorize(branch, "change organizations", resource)
            if "allow_external_numbers" in changes:
                authorize(branch, "allow external numbers", resource)
            if "partner_id" in changes:
                authorize(branch, "move organizations", resource)
            return Command(uow, request, PARTY, key, f"{path}/{key}").change(OrganizationChanges(**changes))

        return change(context, request, decide)

    return routes


def _authorize_under(uow: UnitOfWork, branch: Branch, action: str, partner_id: str | None) -> None:
    """Refuse unless the asker may bring an organization under a partner; None: under the platform itself."""
    if partner_id is None:
        authorize(branch, action)
        if not branch.principal.sees_all:
            raise NotAllowed(role=branch.principal.role, action=action, where=" of the platform's own")
        return
    known = uow.state(PARTY, partner_id).kind == "partner"
    unknown = PartyAboveUnknown(kind="partner", key=partner_id)
    authorize(branch, action, Resource(unknown, parties=(partner_id,), exists=known))
