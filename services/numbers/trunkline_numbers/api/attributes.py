"""Changing what a number is: capabilities, carriers, routing, portal domains, marks, the trunk's form (R8, R9, R10)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

import phonenumbers
from fastapi import APIRouter, Response
from pydantic import Field

from trunkline.errors import Refused
from trunkline.http.dependencies import UpdateRequest, service_router
from trunkline.http.schemas import Body, Domain, Label
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.number_actions import PROBLEMS
from trunkline_numbers.api.number_command import NumberCommand, number_command
from trunkline_numbers.api.number_schemas import NumberShown
from trunkline_numbers.api.numbers import InPath
from trunkline_numbers.domain.number.attribute_commands import Changes
from trunkline_numbers.domain.number.attribute_commands import change as change_attributes

_FORM: Final = re.compile(r"\+[0-9]{3,15}", re.ASCII)
MOST_DOMAINS: Final = 100


class CapabilityChange(Body):
    """The capabilities that are to be others."""

    voice: bool = Field(default_factory=bool)
    sms: bool = Field(default_factory=bool)
    fax: bool = Field(default_factory=bool)


class NumberChange(Body):
    """The attributes that are to be others; what is not named stays."""

    capabilities: CapabilityChange = Field(default_factory=CapabilityChange)
    voice_carrier: Label | None = Field(default_factory=lambda: None, description="Only while no user is served.")
    sms_carrier: Label | None = Field(default_factory=lambda: None, description="Only while no user is served.")
    routing: Label | None = Field(default_factory=lambda: None)
    golden: bool = Field(default_factory=bool)
    ported_in: bool = Field(default_factory=bool)
    domains: list[Domain] = Field(
        default_factory=list, max_length=MOST_DOMAINS, description="The portals it is shown to; none: all of them."
    )
    sku: Label = Field(default_factory=str)
    vendor: Label = Field(default_factory=str)
    trunk_form: str | None = Field(
        default_factory=lambda: None,
        description="The legacy form of a trunk that has one; null: the number itself from now on.",
    )
    remark: str = Field(default="", description="Welcome.")


class DomainNotYours(Refused):
    """{value} is no portal domain of the asker's branch."""

    status: ClassVar[int] = 422


class TrunkFormUnreadable(Refused):
    """{value!r} is not the legacy form of {number}: it takes +{code} and the extension, 3 to 15 digits in all."""

    status: ClassVar[int] = 422


def router(context: ServiceContext) -> APIRouter:
    """The operation."""
    routes = service_router(context, "numbers", PROBLEMS)

    @routes.patch("/numbers/{number}", summary="Change a number's attributes", response_model=NumberShown)
    def change_number(number: InPath, body: NumberChange, request: UpdateRequest) -> Response:
        return number_command(context, request, number, "change", _change, body)

    return routes


def _change(command: NumberCommand, body: NumberChange) -> None:
    command.authorize("change numbers")
    changes = _changes(command, body)
    command.record(change_attributes(command.number, changes, body.remark, command.policy, command.uow.now))


def trunk_form(text: str, number: str, pointer: str) -> str:
    """A legacy form `+CC<extension>` of a number (R9).

    Raises:
        TrunkFormUnreadable: it is none.
    """
    code = phonenumbers.parse(number).country_code
    if not _FORM.fullmatch(text) or not text.startswith(f"+{code}") or text == f"+{code}":
        raise TrunkFormUnreadable(value=text[:60], number=number, code=code, pointer=pointer)
    return text


def _changes(command: NumberCommand, body: NumberChange) -> Changes:
    """What the body names, and only that."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"capabilities", "remark"}}
    given |= {name: getattr(body.capabilities, name) for name in body.capabilities.model_fields_set}
    if given.get("trunk_form") is not None:
        given["trunk_form"] = trunk_form(given["trunk_form"], command.number.number, "#/trunk_form")
    if "domains" in given:
        given["domains"] = _domains(command, given["domains"])
    return Changes(**given)


def _domains(command: NumberCommand, wanted: list[str]) -> tuple[str, ...]:
    """The domains after the change: the asker disposes of those of its own branch, the others stay (P2).

    Raises:
        DomainNotYours: one that is not its own.
    """
    named = tuple(dict.fromkeys(wanted))
    principal = command.request.principal
    if principal.sees_all:
        return named
    own = command.by.domains if command.by is not None else ()
    for index, domain in enumerate(wanted):
        if domain not in own:
            raise DomainNotYours(value=domain, pointer=f"#/domains/{index}")
    return (*(domain for domain in command.number.listing.domains if domain not in own), *named)
