"""The directory of parties as the one gate sees it (P2): the tree, and parties as its resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.roles import PLATFORM
from trunkline.security.authorization import Resource
from trunkline.security.principal import Branch, Person, Principal
from trunkline_licensing.domain.extension.extension import EXTENSION
from trunkline_licensing.domain.party.directory import IDENTITY, PARTY
from trunkline_licensing.domain.party.errors import PartyUnknown
from trunkline_licensing.domain.party.facts import Identity, Organization
from trunkline_licensing.domain.pool.errors import ExtensionUnknown


class IdentityUnknown(Refused):
    """There is no person {key} in this organization."""

    status: ClassVar[int] = 404


@dataclass(frozen=True)
class DirectoryTree:
    """The tree of parties, read through one piece of work."""

    uow: UnitOfWork
    knows_everybody: ClassVar[bool] = True

    def partner_of(self, organization_id: str) -> str | None:
        details = self.uow.state(PARTY, organization_id).details
        return details.partner_id if isinstance(details, Organization) else None

    def kind_of(self, party_id: str) -> str | None:
        return self.uow.state(PARTY, party_id).kind

    def person(self, identity_id: str) -> Person | None:
        party = self.uow.state(IDENTITY, identity_id)
        if not isinstance(party.details, Identity):
            return None
        return Person(party.details.organization_id, party.details.role, party.removed)

    def allows_external(self, organization_id: str) -> bool:
        details = self.uow.state(PARTY, organization_id).details
        return isinstance(details, Organization) and details.allow_external_numbers


def branch_of(uow: UnitOfWork, principal: Principal) -> Branch:
    """What the asker sees."""
    return Branch(principal, DirectoryTree(uow))


def party_resource(uow: UnitOfWork, party_id: str, kind: str) -> Resource:
    """A platform, partner or organization as a resource; one of another kind does not exist under this path."""
    known = uow.state(PARTY, party_id).kind == kind
    owner = None if party_id == PLATFORM else party_id
    return Resource(PartyUnknown(key=party_id), parties=(owner,), exists=known)


def identity_resource(uow: UnitOfWork, organization_id: str, identity_id: str) -> Resource:
    """A person of an organization as a resource; one who has left is no more there."""
    identity = uow.state(IDENTITY, identity_id)
    details = identity.details
    here = isinstance(details, Identity) and details.organization_id == organization_id and not identity.removed
    return Resource(IdentityUnknown(key=identity_id), parties=(organization_id,), exists=here)


def extension_resource(uow: UnitOfWork, organization_id: str, extension_id: str) -> Resource:
    """An extension of an organization as a resource; one that was deleted is no more there."""
    x = uow.state(EXTENSION, extension_id)
    facts = x.facts
    here = facts is not None and facts.organization_id == organization_id and not x.deleted
    serves = facts.user_id if facts is not None and here else None
    unknown = ExtensionUnknown(extension_id=extension_id)
    return Resource(unknown, parties=(organization_id,), exists=here, user_id=serves)
