"""Binding a number to a trunk or SMS user, and unbinding it; an external number also on the spot (R5, R6, R9)."""

from __future__ import annotations

from typing import ClassVar, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.http.dependencies import CommandRequest, service_router
from trunkline.http.schemas import Body, Country, Label, Uuid
from trunkline.security.authorization import authorize, visible
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.attributes import trunk_form
from trunkline_numbers.api.number_actions import PROBLEMS
from trunkline_numbers.api.number_command import NumberCommand, number_command
from trunkline_numbers.api.number_schemas import NumberShown
from trunkline_numbers.api.numbers import InPath
from trunkline_numbers.application.phone_number import check_country, read_number
from trunkline_numbers.domain.number.bindings import bind, unbind
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.operator_commands import add
from trunkline_numbers.domain.number.state import Assigned, Party

Kind = Literal["trunk", "sms"]


class External(Body):
    """A number that is not in the inventory yet, to be added for an organization that may bring its own (R6)."""

    country: Country = Field(description="ISO 3166, or 001 for none.")
    vendor: Label = Field(description="Whom it comes from.")
    sku: Label = Field(default="external")
    voice: bool = True
    sms: bool = Field(default_factory=bool, description="By default only where an SMS user is bound.")
    fax: bool = False
    organization_id: Uuid | None = Field(
        default=None, description="Whose it is to be; by default the asker's own organization."
    )


class Bind(Body):
    """A user that the number is to serve. That of a PBX user is made through the extension."""

    kind: Kind = Field(description="`trunk`: the default number of a trunk user; `sms`: an SMS user.")
    user_id: Uuid
    external: External | None = Field(default=None, description="Where it is not in the inventory: add it as well.")
    trunk_form: str | None = Field(
        default=None, description="`+CC<extension>` of a trunk from before: only by the platform's import (R9)."
    )
    remark: str = Field(default="", description="Welcome.")


class Unbind(Body):
    """The kind of user that it is to serve no more."""

    kind: Kind
    remark: str = Field(default="", description="Welcome.")


class OrganizationMissing(Refused):
    """An external number is an organization's: say whose by external/organization_id."""

    status: ClassVar[int] = 422


class TrunkFormNotOfSms(Refused):
    """Only a trunk binding can have a legacy form."""

    status: ClassVar[int] = 422


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", PROBLEMS)

    @routes.post("/numbers/{number}/bind", summary="Let a number serve a user", response_model=NumberShown)
    def bind_number(number: InPath, body: Bind, request: CommandRequest) -> Response:
        return number_command(context, request, number, "bind", _bind, body)

    @routes.post("/numbers/{number}/unbind", summary="Let a number serve a user no more", response_model=NumberShown)
    def unbind_number(number: InPath, body: Unbind, request: CommandRequest) -> Response:
        return number_command(context, request, number, "unbind", _unbind, body)

    return routes


def _unbind(command: NumberCommand, body: Unbind) -> None:
    command.authorize("bind numbers")
    command.record(unbind(command.number, body.kind, command.policy, command.uow.now, remark=body.remark))


def _bind(command: NumberCommand, body: Bind) -> None:
    if body.trunk_form is not None and body.kind != "trunk":
        raise TrunkFormNotOfSms(pointer="#/trunk_form", value=body.trunk_form)
    if body.external is not None and not visible(command.visibility.branch, command.visibility.number(command.number)):
        _add_and_bind(command, body, body.external)
        return
    command.authorize("bind numbers")
    form = _form(command, body)
    command.record(_bound(command, body, form))


def _add_and_bind(command: NumberCommand, body: Bind, external: External) -> None:
    """Add the number for an organization that may bring its own, and bind it: both or neither (R6).

    One that is in the inventory already, unseen by the asker, is refused as adding it would be.
    """
    number, pointer = command.number.number, "#/external/organization_id"
    organization_id = external.organization_id or command.request.principal.party_id
    if organization_id is None:
        raise OrganizationMissing(pointer=pointer)
    party = command.authorize_for("add numbers", organization_id, pointer)
    authorize(command.visibility.branch, "bind numbers", command.visibility.holder(organization_id, pointer))
    if party.kind != "organization":
        raise OrganizationMissing(pointer=pointer, value=organization_id)
    check_country(external.country)
    read_number(number, external.country)
    form = _form(command, body)
    command.record(_added(command, body, external, party))
    command.record(_bound(command, body, form))


def _added(command: NumberCommand, body: Bind, external: External, party: Party) -> list[Event]:
    sms = external.sms if "sms" in external.model_fields_set else body.kind == "sms"
    listing = Listing(
        country=external.country,
        sku=external.sku,
        vendor=external.vendor,
        voice=external.voice,
        sms=sms,
        fax=external.fax,
    )
    by = command.by
    return add(
        command.number,
        listing,
        by.id if by else None,
        party,
        command.policy,
        command.uow.now,
        uploader_kind=by.kind if by else None,
        remark=body.remark,
    )


def _bound(command: NumberCommand, body: Bind, form: str | None) -> list[Event]:
    """To a user of the organization that it is assigned to, else of the one that holds it."""
    n = command.number
    holding = n.holder_id if n.holder_kind == "organization" else None
    organization_id = n.life.organization_id if isinstance(n.life, Assigned) else holding or ""
    now = command.uow.now
    return bind(n, body.kind, body.user_id, organization_id, command.policy, now, trunk_form=form, remark=body.remark)


def _form(command: NumberCommand, body: Bind) -> str | None:
    if body.trunk_form is None:
        return None
    authorize(command.visibility.branch, "import legacy records")
    return trunk_form(body.trunk_form, command.number.number, "#/trunk_form")
