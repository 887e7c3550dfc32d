"""What numbers has heard of one party: the platform, a partner, or an organization (P0).

Licensing owns the directory; each thing it says carries the whole party, so the newest one counts.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from trunkline.eventstore.decider import Decider, Event
from trunkline_numbers.domain.number.state import Party

PLATFORM = "platform"
"""The key of the platform's own stream."""


class PartyReceived(Event, frozen=True, kw_only=True):
    """The party as licensing last said it is. Fields that a kind of party has not are None."""

    TYPE: ClassVar[str] = "numbers.PartyHeard"
    sequence: int
    kind: Literal["platform", "partner", "organization"]
    name: str
    partner_id: str | None = None
    owner_email: str | None = None
    support_email: str | None = None
    billing_email: str | None = None
    domains: tuple[str, ...] = ()
    allow_external_numbers: bool = False


class PartyReplica(msgspec.Struct, frozen=True):
    """A party here: `details` is None as long as nothing has been heard of it (S7)."""

    party_id: str
    details: PartyReceived | None = msgspec.field(default=None, name="heard")

    @property
    def sequence(self) -> int:
        """The newest sequence heard; 0 before the first."""
        return self.details.sequence if self.details else 0


def evolve(party: PartyReplica, event: PartyReceived) -> PartyReplica:
    """The newest word counts."""
    return PartyReplica(party.party_id, event)


PARTY: Decider[PartyReplica] = Decider("party", PartyReplica, evolve, (PartyReceived,))


def receive(party: PartyReplica, published: PartyReceived) -> list[Event]:
    """Take what licensing says, unless something newer has been heard."""
    return [published] if published.sequence > party.sequence else []


def as_party(party: PartyReplica, partner: PartyReplica | None) -> Party | None:
    """The party as number decisions see it: an organization is shown what its partner's portals show.

    Args:
        party: an organization, or a partner.
        partner: an organization's partner; the platform where the organization is the platform's own.

    Returns:
        None as long as the party, or the partner it belongs to, is not known.
    """
    details = party.details
    if details is None or details.kind == "platform":
        return None
    if details.kind == "partner":
        return Party(party.party_id, "partner", party.party_id, details.domains)
    if details.partner_id is None:
        domains = partner.details.domains if partner is not None and partner.details is not None else ()
        return Party(party.party_id, "organization", None, domains)
    if partner is None or partner.details is None:
        return None
    return Party(party.party_id, "organization", details.partner_id, partner.details.domains)
