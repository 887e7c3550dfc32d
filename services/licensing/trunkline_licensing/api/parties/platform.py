"""The platform's own facts (P0)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, UpdateRequest, door
from trunkline.http.idempotency import CommandResult, change
from trunkline.roles import PLATFORM
from trunkline.security.authorization import Resource, authorize
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.directory import UNKNOWN, Command, asker_branch, show_party
from trunkline_licensing.api.parties.schemas import NewPlatform, PlatformShown
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.party.facts import Platform, PlatformChanges


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, "parties", UNKNOWN)
    path = "/licensing/platform"

    @routes.get(path, summary="The platform", response_model=PlatformShown)
    def show_platform(asker: CurrentPrincipal, request: Request) -> Response:
        return show_party(node, asker_branch(node, asker), request, PLATFORM, "platform")

    @routes.put(path, summary="Register or change the platform", response_model=PlatformShown)
    def put_platform(body: NewPlatform, asked: UpdateRequest) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            branch = branch_of(work, asked.principal)
            unknown = party_resource(work, PLATFORM, "platform").unknown
            authorize(branch, "change the platform", Resource(unknown, parties=(None,)))
            wanted = Command(work, asked, PARTY, PLATFORM, path)
            if work.state(PARTY, PLATFORM).details is None:
                return wanted.register(Platform(**body.model_dump()))
            return wanted.change(PlatformChanges(**body.model_dump()))

        return change(node, asked, decide)

    return routes
