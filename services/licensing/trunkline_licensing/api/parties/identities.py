"""The people of an organization: registering, changing, reading, leaving (P0)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, UpdateRequest, door, reader
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.pagination import Items, Paging, paging
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, list_people, show_stream
from trunkline_licensing.api.parties.schemas import IdentityChange, IdentityShown, NewIdentity, said
from trunkline_licensing.application.visibility import branch_of, identity_resource, party_resource
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.facts import Identity, IdentityChanges


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, "parties", UNKNOWN)
    path = "/licensing/organizations/{organization_id}/identities"

    def at(organization: str, key: str) -> str:
        return f"{path.format(organization_id=organization)}/{key}"

    @routes.post(path, summary="Register a person", status_code=201, response_model=IdentityShown)
    def register_identity(organization_id: UUID, body: NewIdentity, asked: PostRequest) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            org = str(organization_id)
            resource = party_resource(work, org, "organization")
            authorize(branch_of(work, asked.principal), "change identities", resource)
            key = body.identity_id or str(uuid4())
            details = Identity(organization_id=org, **body.model_dump(exclude={"identity_id"}))
            return Command(work, asked, IDENTITY, key, at(org, key)).register(details)

        return change(node, asked, decide)

    @routes.get(path, summary="The people of an organization")
    def list_identities(
        organization_id: UUID, asker: CurrentPrincipal, asked: Annotated[Paging, Depends(paging)]
    ) -> Items[IdentityShown]:
        work = reader(node)
        branch = branch_of(work, asker)
        authorize(branch, "see parties", party_resource(work, str(organization_id), "organization"))
        return list_people(node, asked, str(organization_id))

    @routes.get(path + "/{identity_id}", summary="One person", response_model=IdentityShown)
    def show_identity(organization_id: UUID, identity_id: UUID, asker: CurrentPrincipal, request: Request) -> Response:
        work = reader(node)
        resource = identity_resource(work, str(organization_id), str(identity_id))
        authorize(branch_of(work, asker), "see parties", resource)
        return show_stream(work, request, IDENTITY, str(identity_id))

    @routes.patch(path + "/{identity_id}", summary="Change a person", response_model=IdentityShown)
    def change_identity(
        organization_id: UUID, identity_id: UUID, body: IdentityChange, asked: UpdateRequest
    ) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(work, org, key)
            authorize(branch_of(work, asked.principal), "change identities", resource)
            return Command(work, asked, IDENTITY, key, at(org, key)).change(IdentityChanges(**said(body)))

        return change(node, asked, decide)

    @routes.delete(path + "/{identity_id}", summary="A person leaves", status_code=204)
    def remove_identity(organization_id: UUID, identity_id: UUID, asked: UpdateRequest) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(work, org, key)
            authorize(branch_of(work, asked.principal), "change identities", resource)
            return Command(work, asked, IDENTITY, key, at(org, key)).remove()

        return change(node, asked, decide)

    return routes
