"""Extensions as they are sent and shown over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from trunkline.http.schemas import Body, OneForm, Uuid
from trunkline_licensing.domain.extension.extension import Extension
from trunkline_licensing.domain.party.facts import Identity, Role
from trunkline_licensing.domain.pool.catalogue import BASE, CONTACT_CENTER, Catalogue

Code = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,63}$")]
Codes = Annotated[list[Code], Field(max_length=50, description="Codes of add-on licenses (L21).")]
Reference = Annotated[
    str,
    StringConstraints(pattern="^[0-9A-Za-z]{0,64}$"),
    Field(description="Take the Phone System units from subscriptions with this reference; blank: from any."),
]
MOST_AT_ONCE = 1_000


class Provision(Body):
    """Extensions to make, with consecutive keys; the first ones serve the people named."""

    count: int = Field(ge=1, le=MOST_AT_ONCE, description="How many.")
    start_from: str = Field(max_length=20, description="The first one's key: 3 to 5 digits.")
    user_ids: list[Uuid] = Field(
        default=[], max_length=MOST_AT_ONCE, description="Whom they serve, in order; at most as many as there are."
    )
    addons: Codes = Field(default=[])
    reference: Reference = ""


class AssignExtension(Body):
    """Whom an extension is to serve."""

    user_id: Uuid


class ExtensionChange(Body):
    """The facts of an extension that are to be others; null takes away a name, a person, a number."""

    ext_key: str = Field(default_factory=str, max_length=20, description="3 to 5 digits.")
    directory_name: OneForm | None = Field(
        default_factory=lambda: None, max_length=10_000, description="At most 100 characters."
    )
    user_id: Uuid | None = Field(default_factory=lambda: None)
    addons: Codes = Field(default_factory=list)
    number: str | None = Field(default_factory=lambda: None, max_length=40, description="E.164; it is asked for.")


class AddonsChange(Body):
    """Add-ons of several extensions at once: all they are to have, or what they are to have more and less."""

    extension_ids: list[Uuid] = Field(min_length=1, max_length=MOST_AT_ONCE)
    addons: Codes | None = Field(default=None, description="All that each is to have.")
    add: Codes = Field(default=[])
    remove: Codes = Field(default=[])


class Served(BaseModel):
    """The person that an extension serves."""

    user_id: str
    name: str | None
    role: Role | None


class AddonShown(BaseModel):
    """An add-on license on an extension; `suspended`: nothing covers it now."""

    code: str
    name: str
    subscription_id: str
    suspended: bool


class NumberShown(BaseModel):
    """An extension's number: asked for, bound, out of service with its subscription, refused or lost, and why."""

    number: str
    status: Literal["requested", "bound", "suspended", "refused", "lost"]
    code: str | None
    reason: str | None


class ContactCenter(BaseModel):
    """What the person is there, and which license it lacks, if any (P5, L17)."""

    role: Literal["Supervisor", "Agent"] | None
    missing: str | None


class ExtensionShown(BaseModel):
    """One extension; `suspended`: its Phone System license is not covered now."""

    extension_id: str
    organization_id: str
    ext_key: str
    directory_name: str | None
    user: Served | None
    subscription_id: str
    suspended: bool
    addons: list[AddonShown]
    contact_center: ContactCenter | None
    number: NumberShown | None
    bulk_id: str | None


class Freed(BaseModel):
    """What was given back by a change: others can have it now. A number is asked to be unbound."""

    ext_key: str | None = None
    user_id: str | None = None
    licenses: list[str] = []
    number: str | None = None


class ExtensionChanged(BaseModel):
    """An extension after a change, and what the change has given back; null once it is deleted."""

    extension: ExtensionShown | None
    freed: Freed


class Provisioned(BaseModel):
    """New extensions, in the order of their keys."""

    provisioned: int
    extensions: list[ExtensionShown]


class AddonsChanged(BaseModel):
    """Extensions whose add-ons are as asked, and what was given back: extension -> codes."""

    extensions: list[ExtensionShown]
    freed: dict[str, list[str]]


CenterRole = Literal["Supervisor", "Agent"]
CENTER_ROLES: dict[str, CenterRole] = {"owner": "Supervisor", "admin": "Supervisor", "member": "Agent"}
"""What a person is in the contact center, by the role in the organization (P5)."""


def shown_extension(x: Extension, person: Identity | None, catalogue: Catalogue) -> ExtensionShown:
    """An extension as it is shown.

    Args:
        x: it is there, or was until now.
        person: whom it serves; None where nobody is known of that id.
        catalogue: for names, and for what add-ons need.
    """
    facts = x.facts
    assert facts is not None
    number = facts.number
    suspended = set(facts.suspended)
    return ExtensionShown(
        extension_id=x.id,
        organization_id=facts.organization_id,
        ext_key=facts.ext_key,
        directory_name=facts.directory_name,
        user=_served(facts.user_id, person),
        subscription_id=facts.subscription_id,
        suspended=BASE in suspended,
        addons=[
            AddonShown(code=a.code, name=catalogue.name(a.code), subscription_id=a.subscription_id,
                       suspended=a.code in suspended)
            for a in facts.addons
        ],
        contact_center=_contact_center(facts.codes, facts.user_id, person, catalogue),
        number=None if number is None else NumberShown(
            number=number.number,
            status=number.status,
            code=number.code,
            reason=number.reason,
        ),
        bulk_id=x.bulk.bulk_id if x.bulk is not None else None,
    )  # fmt: skip


def _served(user_id: str | None, person: Identity | None) -> Served | None:
    if user_id is None:
        return None
    return Served(user_id=user_id, name=person.name if person else None, role=person.role if person else None)


def _contact_center(
    codes: tuple[str, ...], user_id: str | None, person: Identity | None, catalogue: Catalogue
) -> ContactCenter | None:
    if CONTACT_CENTER not in codes:
        return None
    role = None if user_id is None or person is None else CENTER_ROLES[person.role]
    return ContactCenter(role=role, missing=catalogue.missing(CONTACT_CENTER, codes))


def said(body: Body) -> dict[str, Any]:
    """The fields that a change names, and only those."""
    return {name: getattr(body, name) for name in body.model_fields_set}
