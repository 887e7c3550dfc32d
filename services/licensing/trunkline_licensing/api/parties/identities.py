"""The people of an organization: registering, changing, reading, leaving (P0)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, UpdateRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.pagination import Items, Paging, paging
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, list_people, show_stream
from trunkline_licensing.api.parties.schemas import IdentityChange, IdentityShown, NewIdentity, said
from trunkline_licensing.application.visibility import branch_of, identity_resource, party_resource
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.facts import Identity, IdentityChanges


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "parties", UNKNOWN)
    path = "/licensing/organizations/{organization_id}/identities"

    def at(organization: str, key: str) -> str:
        return f"{path.format(organization_id=organization)}/{key}"

    @routes.post(path, summary="Register a person", status_code=201, response_model=IdentityShown)
    def register_identity(organization_id: UUID, body: NewIdentity, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org = str(organization_id)
            resource = party_resource(uow, org, "organization")
            authorize(branch_of(uow, request.principal), "change identities", resource)
            key = body.identity_id or str(uuid4())
            details = Identity(organization_id=org, **body.model_dump(exclude={"identity_id"}))
            return Command(uow, request, IDENTITY, key, at(org, key)).register(details)

        return change(context, request, decide)

    @routes.get(path, summary="The people of an organization")
    def list_identities(
        organization_id: UUID, principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]
    ) -> Items[IdentityShown]:
        uow = reader(context)
        branch = branch_of(uow, principal)
        authorize(branch, "see parties", party_resource(uow, str(organization_id), "organization"))
        return list_people(context, paging, str(organization_id))

    @routes.get(path + "/{identity_id}", summary="One person", response_model=IdentityShown)
    def show_identity(
        organization_id: UUID, identity_id: UUID, principal: CurrentPrincipal, request: Request
    ) -> Response:
        uow = reader(context)
        resource = identity_resource(uow, str(organization_id), str(identity_id))
        authorize(branch_of(uow, principal), "see parties", resource)
        return show_stream(uow, request, IDENTITY, str(identity_id))

    @routes.patch(path + "/{identity_id}", summary="Change a person", response_model=IdentityShown)
    def change_identity(
        organization_id: UUID, identity_id: UUID, body: IdentityChange, request: UpdateRequest
    ) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(uow, org, key)
            authorize(branch_of(uow, request.principal), "change identities", resource)
            return Command(uow, request, IDENTITY, key, at(org, key)).change(IdentityChanges(**said(body)))

        return change(context, request, decide)

    @routes.delete(path + "/{identity_id}", summary="A person leaves", status_code=204)
    def remove_identity(organization_id: UUID, identity_id: UUID, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(uow, org, key)
            authorize(branch_of(uow, request.principal), "change identities", resource)
            return Command(uow, request, IDENTITY, key, at(org, key)).remove()

        return change(context, request, decide)

    return routes
