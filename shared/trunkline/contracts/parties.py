"""What others say of partners, organizations and identities, on the topic PartyEvents (P0).

A change carries only the fields that change: an absent one is UNSET, which is not null.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from trunkline.contracts.contract import Contract, registry
from trunkline.contracts.values import Domains, Email, ForeignId, Name, check_emails, clean_texts, lower

TOPIC: Final = "PartyEvents"

Role = Annotated[
    Literal["owner", "admin", "member"],
    msgspec.Meta(description="exactly one owner in an organization"),
]


def _lower_domains(struct: Any) -> None:
    if isinstance(struct.domains, tuple):
        force_setattr(struct, "domains", tuple(domain.lower() for domain in struct.domains))


class PartnerRegistered(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A reseller is known from now on."""

    partner_id: ForeignId
    name: Name
    owner_email: Email
    support_email: Email
    domains: Domains = ()

    def __post_init__(self) -> None:
        lower(self, "partner_id")
        clean_texts(self, "name")
        check_emails(self, "owner_email", "support_email")
        _lower_domains(self)


class PartnerChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Some of a partner's facts are others from now on."""

    partner_id: ForeignId
    name: Name | UnsetType = UNSET
    owner_email: Email | UnsetType = UNSET
    support_email: Email | UnsetType = UNSET
    domains: Domains | UnsetType = UNSET

    def __post_init__(self) -> None:
        lower(self, "partner_id")
        clean_texts(self, "name")
        check_emails(self, "owner_email", "support_email")
        _lower_domains(self)


class OrganizationRegistered(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A customer of a partner is known from now on; without a partner it is the platform's own."""

    organization_id: ForeignId
    partner_id: ForeignId | None
    name: Name
    billing_email: Email
    allow_external_numbers: bool = False

    def __post_init__(self) -> None:
        lower(self, "organization_id", "partner_id")
        clean_texts(self, "name")
        check_emails(self, "billing_email")


class OrganizationChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Some of an organization's facts are others from now on; a null partner is the platform."""

    organization_id: ForeignId
    partner_id: ForeignId | UnsetType | None = UNSET
    name: Name | UnsetType = UNSET
    billing_email: Email | UnsetType = UNSET
    allow_external_numbers: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        lower(self, "organization_id", "partner_id")
        clean_texts(self, "name")
        check_emails(self, "billing_email")


class IdentityRegistered(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A person in an organization is known from now on."""

    identity_id: ForeignId
    organization_id: ForeignId
    name: Name
    email: Email
    role: Role

    def __post_init__(self) -> None:
        lower(self, "identity_id", "organization_id")
        clean_texts(self, "name")
        check_emails(self, "email")


class IdentityChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Some of a person's facts are others from now on."""

    identity_id: ForeignId
    organization_id: ForeignId | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    role: Role | UnsetType = UNSET

    def __post_init__(self) -> None:
        lower(self, "identity_id", "organization_id")
        clean_texts(self, "name")
        check_emails(self, "email")


class IdentityRemoved(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A person has left."""

    identity_id: ForeignId
    organization_id: ForeignId | UnsetType = UNSET

    def __post_init__(self) -> None:
        lower(self, "identity_id", "organization_id")


def _contract(party: str, what: str, data: Any, description: str) -> Contract:
    return Contract(f"party.{party}.{what}", data, key=f"{party}_id", topic=TOPIC, description=description)


CONTRACTS: Final = registry(
    (
        _contract("partner", "registered", PartnerRegistered, "a reseller is new"),
        _contract("partner", "changed", PartnerChanged, "some of its facts change"),
        _contract("organization", "registered", OrganizationRegistered, "a customer is new"),
        _contract("organization", "changed", OrganizationChanged, "some of its facts change"),
        _contract("identity", "registered", IdentityRegistered, "a person is new"),
        _contract("identity", "changed", IdentityChanged, "some of their facts change"),
        _contract("identity", "removed", IdentityRemoved, "a person has left"),
    )
)
