"""The platform's own facts (P0)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, UpdateRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.roles import PLATFORM
from trunkline.security.authorization import Resource, authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, asker_branch, show_party
from trunkline_licensing.api.parties.schemas import NewPlatform, PlatformShown
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.party.facts import Platform, PlatformChanges


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "parties", UNKNOWN)
    path = "/licensing/platform"

    @routes.get(path, summary="The platform", response_model=PlatformShown)
    def show_platform(principal: CurrentPrincipal, request: Request) -> Response:
        return show_party(context, asker_branch(context, principal), request, PLATFORM, "platform")

    @routes.put(path, summary="Register or change the platform", response_model=PlatformShown)
    def put_platform(body: NewPlatform, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            branch = branch_of(uow, request.principal)
            unknown = party_resource(uow, PLATFORM, "platform").unknown
            authorize(branch, "change the platform", Resource(unknown, parties=(None,)))
            wanted = Command(uow, request, PARTY, PLATFORM, path)
            if uow.state(PARTY, PLATFORM).details is None:
                return wanted.register(Platform(**body.model_dump()))
            return wanted.change(PlatformChanges(**body.model_dump()))

        return change(context, request, decide)

    return routes
