"""Changing and deleting extensions, and the add-ons of several at once: each answers what it frees (L3, L15, L16)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter, Response

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, UpdateRequest, service_router
from trunkline.http.idempotency import CommandResult, change, check_version
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.catalogue import answer_within, catalogue
from trunkline_licensing.api.extensions.schemas import (
    AddonsChange,
    AddonsChanged,
    ExtensionChange,
    ExtensionChanged,
    Freed,
    said,
)
from trunkline_licensing.api.extensions.visibility import (
    PATH,
    UNKNOWN,
    in_organization_of,
    shown,
    shown_all,
    to_extension,
)
from trunkline_licensing.application.extensions import terminate
from trunkline_licensing.application.extensions.addons import hang
from trunkline_licensing.application.extensions.change import Changing
from trunkline_licensing.application.extensions.conflicts import Conflicts
from trunkline_licensing.application.visibility import extension_resource
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.pool.errors import ExtensionUnknown


class AddonsSaidTwice(Refused):
    """Say either all add-ons that each is to have, or which to add and which to remove, not both."""

    status: ClassVar[int] = 422


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "extensions", UNKNOWN)

    @routes.post(PATH + "/addons", summary="Change add-ons of several extensions", response_model=AddonsChanged)
    def change_addons(organization_id: UUID, body: AddonsChange, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            in_organization_of(uow, request.principal, "change licenses", str(organization_id))
            return _several(context, uow, str(organization_id), body, request.cause)

        return change(context, request, decide)

    @routes.patch(PATH + "/{extension_id}", summary="Change an extension", response_model=ExtensionChanged)
    def change_extension(
        organization_id: UUID, extension_id: UUID, body: ExtensionChange, request: UpdateRequest
    ) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(extension_id)
            to_extension(uow, request.principal, "change licenses", org, key)
            loaded = uow.get(EXTENSION, key)
            check_version(request, loaded.version)
            freed = Changing(uow, org, key, catalogue(context), request.cause, answer_within(context)).change(
                said(body)
            )
            after = shown(uow, key, catalogue(context))
            body_ = ExtensionChanged(extension=after, freed=_shown_freed(freed))
            return CommandResult(body_, version=loaded.version + len(loaded.new))

        return change(context, request, decide)

    @routes.delete(PATH + "/{extension_id}", summary="Delete an extension", response_model=ExtensionChanged)
    def delete_extension(organization_id: UUID, extension_id: UUID, request: UpdateRequest) -> Response:
        def decide(uow: UnitOfWork) -> CommandResult:
            org, key = str(organization_id), str(extension_id)
            to_extension(uow, request.principal, "change licenses", org, key)
            check_version(request, uow.get(EXTENSION, key).version)
            (freed,) = terminate.withdraw(uow, [key], "by_hand", request.cause)
            return CommandResult(ExtensionChanged(extension=None, freed=_shown_freed(freed)))

        return change(context, request, decide)

    return routes


def _shown_freed(freed: terminate.Freed) -> Freed:
    return Freed(ext_key=freed.ext_key, user_id=freed.user_id, licenses=list(freed.licenses), number=freed.number)


def _several(context: ServiceContext, uow: UnitOfWork, org: str, body: AddonsChange, cause: Causation) -> CommandResult:
    if body.addons is not None and (body.add or body.remove):
        raise AddonsSaidTwice(pointer="#/addons", value=body.addons)
    conflicts = Conflicts()
    keys = list(dict.fromkeys(body.extension_ids))
    uow.load((EXTENSION, key) for key in keys)
    for index, key in enumerate(keys):
        if not extension_resource(uow, org, key).exists:
            conflicts.add(f"#/extension_ids/{index}", ExtensionUnknown(extension_id=key, value=key))
    conflicts.refuse()
    wanted = {key: _wanted(uow.state(EXTENSION, key), body) for key in keys}
    pointers = {key: f"#/extension_ids/{index}" for index, key in enumerate(keys)}
    lost = hang(uow, org, wanted, catalogue(context), cause, conflicts, pointers)
    conflicts.refuse()
    freed = {key: list(codes) for key, codes in lost.items()}
    return CommandResult(AddonsChanged(extensions=shown_all(uow, keys, catalogue(context)), freed=freed))


def _wanted(x: Extension, body: AddonsChange) -> list[str]:
    if body.addons is not None:
        return body.addons
    held = x.facts.codes if x.facts is not None else ()
    return [code for code in (*held, *body.add) if code not in body.remove]
