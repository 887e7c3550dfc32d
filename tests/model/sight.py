"""Who sees a number and may do what to it (P2, P3), as DOMAIN says it, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.model.phone import Bought, Phone, Status


@dataclass(frozen=True)
class Who:
    """Who asks: `role` of `party`; the platform has none."""

    role: str
    party: str | None = None


@dataclass(frozen=True)
class Parties:
    """The tree: partner -> its domains; organization -> its partner (None: the platform's own)."""

    partners: dict[str, frozenset[str]]
    organizations: dict[str, str | None]
    platform_domains: frozenset[str]
    external: frozenset[str]

    def above(self, party: str | None) -> str | None:
        """The partner of an organization."""
        return self.organizations.get(party) if party else None

    def domains(self, party: str) -> frozenset[str]:
        """What a party is shown: its portals' domains."""
        partner = party if party in self.partners else self.organizations[party]
        return self.platform_domains if partner is None else self.partners[partner]


class Sight:
    """The inventory, and what each asker is given of it."""

    def __init__(self, parties: Parties, now: Callable[[], datetime]) -> None:
        self.parties = parties
        self.phones: dict[str, Phone] = {}
        self.bought: dict[str, Bought] = {}
        self.quarantine = timedelta(0)
        self.golden_only_from_reserved = False
        self._now = now

    @property
    def now(self) -> datetime:
        """The service's instant."""
        return self._now()

    # -- who sees and may what (P2, P3) -----------------------------------------------------------------------

    def holds(self, who: Who, party: str | None) -> bool:
        """Whether a party is in the asker's branch."""
        if who.party is None:
            return True
        return party is not None and who.party in (party, self.parties.above(party))

    def owners(self, p: Phone) -> list[str]:
        """Whose a number is."""
        user = {"reserved": p.reserver, "assigned": p.organization}.get(p.state)
        first = p.holder if user else p.holder or p.uploader
        return [party for party in (first, user) if party]

    def offered(self, p: Phone, party: str) -> bool:
        """N1, R4: an Available number that a party can see."""
        if p.holder is not None:
            return p.holder in (party, self.parties.above(party))
        return not p.domains or bool(p.domains & self.parties.domains(party))

    def sees(self, who: Who, p: Phone) -> bool:
        """P2."""
        if p.state == "absent":
            return False
        mine = any(self.holds(who, party) for party in self.owners(p))
        return who.party is None or mine or (p.state == "available" and self.offered(p, who.party))

    def may(self, who: Who, action: str, p: Phone) -> Status:
        """P3 for a number: 200, or 404 where it is not seen, or 403."""
        if not self.sees(who, p):
            return 404
        below = any(self.holds(who, party) and party != who.party for party in self.owners(p))
        uploaded = self.holds(who, p.uploader) if p.uploader or who.party is None else False
        rows: dict[str, dict[str, bool]] = {
            "see": {"platform-support": True, "partner-admin": True, "org-admin": True},
            "reserve": {"platform-support": True, "partner-admin": True},
            "lock": {"platform-support": True, "partner-admin": uploaded},
            "delete": {"partner-admin": uploaded, "org-admin": uploaded},
            "change": {"partner-admin": who.party in (p.holder, p.uploader)},
            "bind": {"partner-admin": below, "org-admin": True},
        }
        allowed = who.role == "platform-admin" or rows[action].get(who.role, False)
        return 200 if allowed else 403
