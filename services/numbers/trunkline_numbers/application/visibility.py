"""What of the inventory an asker sees (P2, P3, R4): numbers and subscriptions as resources of the one gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import EventMetadata
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import Resource
from trunkline.security.principal import Branch, Person, Principal
from trunkline_numbers.domain.number.errors import NumberUnknown
from trunkline_numbers.domain.number.number import visible
from trunkline_numbers.domain.number.state import Absent, Assigned, Available, Number, Party, Reserved
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, as_party
from trunkline_numbers.domain.person_replica import PERSON
from trunkline_numbers.domain.subscription.subscription import Subscription


class SubscriptionUnknown(Refused):
    """Numbers has heard of no subscription {subscription_id}."""

    status: ClassVar[int] = 404


class HolderUnknown(Refused):
    """There is no partner or organization {value}."""

    status: ClassVar[int] = 404


@dataclass(frozen=True)
class DirectoryTree:
    """The tree of parties as numbers has heard of it, read through one piece of work."""

    uow: UnitOfWork
    knows_everybody: ClassVar[bool] = False

    def partner_of(self, organization_id: str) -> str | None:
        details = self.uow.state(PARTY, organization_id).details
        return details.partner_id if details is not None and details.kind == "organization" else None

    def kind_of(self, party_id: str) -> str | None:
        details = self.uow.state(PARTY, party_id).details
        return None if details is None else details.kind

    def person(self, identity_id: str) -> Person | None:
        known = self.uow.state(PERSON, identity_id).known
        return None if known is None else Person(known.organization_id, known.role, known.removed)

    def allows_external(self, organization_id: str) -> bool:
        details = self.uow.state(PARTY, organization_id).details
        return details is not None and details.allow_external_numbers


class Visibility:
    """One asker's view on the inventory, within one piece of work."""

    def __init__(self, uow: UnitOfWork, principal: Principal) -> None:
        """Look through the asker's eyes."""
        self.branch = Branch(principal, DirectoryTree(uow))
        self._uow = uow
        self._party = party(uow, principal.party_id)

    def number(self, n: Number) -> Resource:
        """A number as a resource: whose it is, and whether the asker is offered it (N1, R4)."""
        offered = isinstance(n.life, Available) and self._party is not None and visible(n, self._party)
        return Resource(
            unknown=NumberUnknown(number=n.number),
            parties=parties_of(n),
            holder_id=n.holder_id,
            uploader_id=n.uploader_id,
            offered=offered,
            exists=not isinstance(n.life, Absent),
        )

    def subscription(self, s: Subscription) -> Resource:
        """A subscription as a resource."""
        unknown = SubscriptionUnknown(subscription_id=s.subscription_id)
        return Resource(unknown, parties=(s.terms.organization_id,) if s.terms else (), exists=s.terms is not None)

    def holder(self, party_id: str, pointer: str = "#/holder_id") -> Resource:
        """A party that a number is to be for; `pointer` is where the request names it."""
        details = self._uow.state(PARTY, party_id).details
        known = details is not None and details.kind != "platform"
        return Resource(
            unknown=HolderUnknown(value=party_id, pointer=pointer),
            parties=(party_id,),
            external=details is not None and details.allow_external_numbers,
            exists=known,
        )

    def own(self, party_id: str | None) -> str | None:
        """A party's id where the asker may know it; else None."""
        return party_id if party_id is not None and self.branch.holds(party_id) else None

    def acts_within(self, meta: EventMetadata) -> bool:
        """Whether who caused an event is in the asker's branch, or is no person: a timer, billing, a service.

        Of older events, which do not say so, no person is.
        """
        if self.branch.principal.sees_all or not meta.actor.startswith("user:"):
            return True
        return meta.party_id is not None and self.branch.holds(meta.party_id)

    def name(self, party_id: str) -> str:
        """How a party is called in a sentence: by its name, and its id in brackets."""
        name = self.name_of(party_id)
        return f"{name} ({party_id})" if name is not None else party_id

    def name_of(self, party_id: str) -> str | None:
        """A party's name; None where nothing has been heard of it."""
        details = self._uow.state(PARTY, party_id).details
        return details.name if details is not None else None

    def domains(self, n: Number) -> tuple[str, ...]:
        """The portal domains a number is shown to, without those of others."""
        if self.branch.principal.sees_all:
            return n.listing.domains
        mine = self._party.domains if self._party is not None else ()
        return tuple(domain for domain in n.listing.domains if domain in mine)


def parties_of(n: Number) -> tuple[str, ...]:
    """Whose a number is: its holder's (without one, its uploader's), its reserver's, the organization's it serves."""
    match n.life:
        case Reserved() as r:
            return tuple(filter(None, (n.holder_id, r.reserver_id)))
        case Assigned() as a:
            return tuple(filter(None, (n.holder_id, a.organization_id)))
        case _:
            return tuple(filter(None, (n.holder_id or n.uploader_id,)))


def party(uow: UnitOfWork, party_id: str | None) -> Party | None:
    """A party as number decisions see it; None: the platform, or nobody heard of yet (S7)."""
    if party_id is None:
        return None
    copy = uow.state(PARTY, party_id)
    above = (copy.details.partner_id or PLATFORM) if copy.details is not None else None
    return as_party(copy, uow.state(PARTY, above) if above is not None else None)
