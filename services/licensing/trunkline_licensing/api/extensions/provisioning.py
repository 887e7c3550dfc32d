"""Provision extensions, with people or without, and assign people to them (L1, L2, DOMAIN §10.11)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Response

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CommandRequest, PostRequest, door
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


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, "extensions", UNKNOWN)

    @routes.post(PATH, summary="Provision extensions", status_code=201, response_model=Provisioned)
    def provision(organization_id: UUID, body: Provision, asked: PostRequest) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            org = str(organization_id)
            in_organization_of(work, asked.principal, "change licenses", org)
            if len(body.user_ids) > body.count:
                raise MoreUsersThanExtensions(
                    users=len(body.user_ids), count=body.count, pointer="#/user_ids", value=body.user_ids
                )
            command = ProvisionWhole(work, org, catalogue(node), asked.cause)
            keys = command.provision(body.count, body.start_from, body.user_ids, body.addons, body.reference or None)
            made = shown_all(work, keys, catalogue(node))
            return CommandResult(Provisioned(provisioned=len(made), extensions=made), 201)

        return change(node, asked, decide)

    @routes.post(PATH + "/{extension_id}/assign", summary="Let it serve a person", response_model=ExtensionChanged)
    def assign(organization_id: UUID, extension_id: UUID, body: AssignExtension, asked: CommandRequest) -> Response:
        def decide(work: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(extension_id)
            to_extension(work, asked.principal, "change licenses", org, key)
            loaded = work.get(EXTENSION, key)
            check_version(asked, loaded.version)
            freed = Changing(work, org, key, catalogue(node), asked.cause, answer_within(node)).change(
                {"user_id": body.user_id}
            )
            after = shown(work, key, catalogue(node))
            changed = ExtensionChanged(extension=after, freed=Freed(user_id=freed.user_id))
            return CommandResult(changed, version=loaded.version + len(loaded.new))

        return change(node, asked, decide)

    return routes
