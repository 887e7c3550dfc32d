"""Provision extensions, with people or without, and assign people to them (L1, L2, DOMAIN §10.11)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Response

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, PostRequest, service_router
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.catalogue import answer_within, catalogue
from trunkline_licensing.api.extensions.schemas import AssignExtension, ExtensionChanged, Freed, Provision, Provisioned
from trunkline_licensing.api.extensions.visibility import (
    PATH,
    UNKNOWN,
    in_organization_of,
    shown,
    shown_all,
    to_extension,
)
from trunkline_licensing.application.extensions.change import Changing
from trunkline_licensing.application.extensions.provision_range import ProvisionWhole
from trunkline_licensing.domain.extension.extension import EXTENSION


class MoreUsersThanExtensions(Refused):
    """{users} people are named for {count} extensions: there can be as many as extensions at most."""

    status: ClassVar[int] = 422


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "extensions", UNKNOWN)

    @routes.post(PATH, summary="Provision extensions", status_code=201, response_model=Provisioned)
    def provision(organization_id: UUID, body: Provision, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org = str(organization_id)
            in_organization_of(uow, request.principal, "change licenses", org)
            if len(body.user_ids) > body.count:
                raise MoreUsersThanExtensions(
                    users=len(body.user_ids), count=body.count, pointer="#/user_ids", value=body.user_ids
                )
            command = ProvisionWhole(uow, org, catalogue(context), request.cause)
            keys = command.provision(body.count, body.start_from, body.user_ids, body.addons, body.reference or None)
            made = shown_all(uow, keys, catalogue(context))
            return CommandResult(Provisioned(provisioned=len(made), extensions=made), 201)

        return change(context, request, decide)

    @routes.post(PATH + "/{extension_id}/assign", summary="Let it serve a person", response_model=ExtensionChanged)
    def assign(organization_id: UUID, extension_id: UUID, body: AssignExtension, request: CommandRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(extension_id)
            to_extension(uow, request.principal, "change licenses", org, key)
            loaded = uow.get(EXTENSION, key)
            check_version(request, loaded.version)
            freed = Changing(uow, org, key, catalogue(context), request.cause, answer_within(context)).change(
                {"user_id": body.user_id}
            )
            after = shown(uow, key, catalogue(context))
            changed = ExtensionChanged(extension=after, freed=Freed(user_id=freed.user_id))
            return CommandResult(changed, version=loaded.version + len(loaded.new))

        return change(context, request, decide)

    return routes
