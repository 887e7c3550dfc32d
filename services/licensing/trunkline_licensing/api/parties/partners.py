"""Partners: registering, changing, reading (P0)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, UpdateRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.pagination import Items, Paging, paging
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, Search, asker_branch, list_parties, show_party
from trunkline_licensing.api.parties.schemas import NewPartner, PartnerChange, PartnerShown, said
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.party.facts import Partner, PartnerChanges


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "parties", UNKNOWN)
    path = "/licensing/partners"

    @routes.post(path, summary="Register a partner", status_code=201, response_model=PartnerShown)
    def register_partner(body: NewPartner, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            authorize(branch_of(uow, request.principal), "change partners")
            key = body.partner_id or str(uuid4())
            details = Partner(**body.model_dump(exclude={"partner_id"}))
            return Command(uow, request, PARTY, key, f"{path}/{key}").register(details)

        return change(context, request, decide)

    @routes.get(path, summary="The partners in the asker's branch")
    def list_partners(
        principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)], search: Search = None
    ) -> Items[PartnerShown]:
        return list_parties(context, asker_branch(context, principal), paging, "partner", search)

    @routes.get(path + "/{partner_id}", summary="One partner", response_model=PartnerShown)
    def show_partner(partner_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        return show_party(context, asker_branch(context, principal), request, str(partner_id), "partner")

    @routes.patch(path + "/{partner_id}", summary="Change a partner", response_model=PartnerShown)
    def change_partner(partner_id: UUID, body: PartnerChange, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            key = str(partner_id)
            authorize(branch_of(uow, request.principal), "change partners", party_resource(uow, key, "partner"))
            return Command(uow, request, PARTY, key, f"{path}/{key}").change(PartnerChanges(**said(body)))

        return change(context, request, decide)

    return routes
