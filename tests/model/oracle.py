"""What DOMAIN says of an inventory, in plain Python: one record a number, no events, nothing of the product.

Every command returns the HTTP status it must have, and changes the records where it is 200.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

DAY = timedelta(hours=24)
DAYS = {"manual": 28, "expired": 56, "terminated": 28, "swapped": 1}
PLATFORM = "platform"
Status = int


@dataclass
class Phone:
    """One number. `given`: the ends that its subscription's facts have given it, by cause and instant."""

    state: str = "absent"
    since: datetime | None = None
    uploader: str | None = None
    holder: str | None = None
    handed_on_by: str | None = None
    domains: frozenset[str] = frozenset()
    golden: bool = False
    reserver: str | None = None
    cause: str | None = None
    organization: str | None = None
    subscription: str | None = None
    lapsed: str | None = None
    ends: datetime | None = None
    given: dict[tuple[str, datetime], datetime] = field(default_factory=dict)
    last: str | None = None
    quarantine: datetime | None = None
    bound: dict[str, tuple[str, str]] = field(default_factory=dict)

    def free(self, since: datetime, lapsed: str | None = None) -> None:
        """Available from then on."""
        self.state, self.since, self.lapsed = "available", since, lapsed
        self.reserver = self.cause = self.organization = self.subscription = self.ends = None
        if lapsed is None:
            self.given = {}

    def keep(self, reserver: str, cause: str, since: datetime, ends: datetime) -> None:
        """Reserved from then on."""
        self.state, self.since, self.reserver, self.cause, self.ends = "reserved", since, reserver, cause, ends
        self.organization = self.lapsed = self.quarantine = None


@dataclass
class Bought:
    """One number subscription.

    `number` is the one it is to have, `billed` the one billing knows of, `had` all that it ever had. `refused`: why
    it has not got its number, as long as it waits for it.
    """

    id: str
    organization: str
    number: str
    started: datetime
    billed: str = ""
    status: str = "active"
    expired: datetime | None = None
    terminated: datetime | None = None
    refused: str | None = None
    had: set[str] = field(default_factory=set)


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


class Oracle:
    """The inventory as it must be."""

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

    # -- time -------------------------------------------------------------------------------------------------

    def view(self, number: str) -> Phone:
        """A number as it stands: with what fell due, though nobody has written it down yet."""
        p = deepcopy(self.phones[number])
        self._settle(p)
        return p

    def timers_run(self) -> None:
        """Everything that is due happens, and whoever waited for it is served."""
        for number in sorted(self.phones):
            self._do(number, lambda p: 200)

    def _settle(self, p: Phone) -> bool:
        """What falls due up to now, in order; whether anything did (a notice is none of the oracle's)."""
        before = (p.state, p.quarantine)
        if p.state == "reserved" and p.ends is not None and p.ends <= self.now:
            self._release(p, p.ends, p.subscription)
        elif p.state == "locked" and p.ends is not None and p.ends <= self.now:
            p.free(p.ends)
        if p.quarantine is not None and p.quarantine <= self.now:
            p.quarantine = None
        return before != (p.state, p.quarantine)

    def _release(self, p: Phone, at: datetime, lapsed: str | None) -> None:
        p.free(at, lapsed)
        p.bound = {}
        p.quarantine = at + self.quarantine if self.quarantine and p.last else None

    def _do(self, number: str, act: Callable[[Phone], Status]) -> Status:
        """Settle, act, serve who waited; a refusal leaves everything as it was."""
        before, p = self.phones[number], self.view(number)
        status = act(p)
        if status == 200 and p != before:
            self.phones[number] = p
            self._wake(number)
        return status

    # -- commands ---------------------------------------------------------------------------------------------

    def add(self, who: Who, number: str, holder: str | None) -> Status:
        """N12, R6."""
        holder = holder or who.party
        if holder is not None and not self.holds(who, holder):
            return 404
        allowed = who.role in ("platform-admin", "partner-admin") or (
            who.role == "org-admin" and holder in self.parties.external
        )
        if not allowed:
            return 403
        if self.phones.get(number, Phone()).state != "absent":
            return 422
        self.phones[number] = Phone("available", self.now, who.party, holder)
        self._wake(number)
        return 200

    def reserve(self, who: Who, number: str, reserver: str) -> Status:
        """N2."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "reserve", p)) != 200:
                return status
            if not self.holds(who, reserver):
                return 404
            others = any(organization != reserver for organization, _ in p.bound.values())
            if p.state != "available" or others or not self._can_have(p, reserver):
                return 409
            p.keep(reserver, "manual", self.now, self.now + DAYS["manual"] * DAY)
            p.subscription, p.given = None, {}
            return 200

        return self._do(number, act)

    def release(self, who: Who, number: str) -> Status:
        """By hand."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "reserve", p)) != 200:
                return status
            if p.state != "reserved":
                return 409
            if not self.holds(who, p.reserver):
                return 403
            self._release(p, self.now, None)
            return 200

        return self._do(number, act)

    def lock(self, who: Who, number: str) -> Status:
        """N6."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "lock", p)) != 200:
                return status
            if p.state != "available" or p.bound:
                return 409
            p.state, p.since, p.ends, p.lapsed, p.given = "locked", self.now, self.now + 28 * DAY, None, {}
            return 200

        return self._do(number, act)

    def unlock(self, who: Who, number: str) -> Status:
        """By hand."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "lock", p)) != 200:
                return status
            if p.state != "locked":
                return 409
            p.free(self.now)
            return 200

        return self._do(number, act)

    def delete(self, who: Who, number: str) -> Status:
        """N8, R7."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "delete", p)) != 200:
                return status
            foreign = p.uploader in self.parties.partners if who.party is None else p.uploader is None
            if p.state not in ("available", "locked") or p.bound or foreign:
                return 409
            p.state, p.since, p.ends, p.lapsed, p.given = "deleted", self.now, None, None, {}
            p.cause = "faulty"
            return 200

        return self._do(number, act)

    def recover(self, who: Who, number: str) -> Status:
        """§10.7."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "delete", p)) != 200:
                return status
            if p.state != "deleted":
                return 409
            p.free(self.now)
            return 200

        return self._do(number, act)

    def allocate(self, who: Who, number: str, holder: str) -> Status:
        """R4: down the tree."""
        if not self.holds(who, holder):
            return 404
        if not (who.role == "platform-admin" or (who.role == "partner-admin" and holder != who.party)):
            return 403

        def act(p: Phone) -> Status:
            if not self.sees(who, p):
                return 404
            user = {"reserved": p.reserver, "assigned": p.organization}.get(p.state)
            if p.state == "deleted":
                return 409
            if p.holder == holder:
                return 200
            if (who.party is not None and p.holder != who.party) or (
                p.holder is not None and p.holder != self.parties.above(holder)
            ):
                return 409
            if user is not None and holder not in (user, self.parties.above(user)):
                return 409
            self._hand(p, holder)
            return 200

        return self._do(number, act)

    def take_back(self, who: Who, number: str) -> Status:
        """R4: up the tree."""
        if who.role not in ("platform-admin", "partner-admin"):
            return 403

        def act(p: Phone) -> Status:
            if not self.sees(who, p):
                return 404
            to = who.party or (p.uploader if p.uploader in self.parties.partners else None)
            if p.state == "deleted":
                return 409
            if p.holder == to:
                return 200
            mine = who.party is None or to in (p.handed_on_by, p.uploader)
            if p.holder is None or p.holder == p.uploader or not mine or p.bound:
                return 409
            self._hand(p, to)
            return 200

        return self._do(number, act)

    def _hand(self, p: Phone, holder: str | None) -> None:
        down = p.holder in self.parties.partners and holder in self.parties.organizations
        p.handed_on_by, p.holder = (p.holder if down else None), holder
        self._acted(p)

    def _acted(self, p: Phone) -> None:
        """§10.10: whoever had it last cannot claim it back."""
        if p.state == "available":
            p.lapsed, p.given = None, {}

    def change(self, who: Who, number: str, *, golden: bool, domains: frozenset[str]) -> Status:
        """R8, R10."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "change", p)) != 200:
                return status
            if p.state == "deleted":
                return 409
            if (p.golden, p.domains) != (golden, domains):
                p.golden, p.domains = golden, domains
                self._acted(p)
            return 200

        return self._do(number, act)

    def bind(self, who: Who, number: str, kind: str, user: str) -> Status:
        """R5. The numbers of the model have voice, and no SMS."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "bind", p)) != 200:
                return status
            organization = p.organization if p.state == "assigned" else p.holder
            if p.bound.get(kind) == (organization, user):
                return 200
            if organization not in self.parties.organizations or p.state not in ("assigned", "available"):
                return 409
            quarantined = p.state == "available" and p.quarantine is not None and p.last != organization
            if kind != "trunk" or p.bound or quarantined:
                return 409
            p.bound[kind] = (organization, user)
            self._acted(p)
            return 200

        return self._do(number, act)

    def unbind(self, who: Who, number: str, kind: str) -> Status:
        """By hand."""

        def act(p: Phone) -> Status:
            if (status := self.may(who, "bind", p)) != 200:
                return status
            return 200 if p.bound.pop(kind, None) else 409

        return self._do(number, act)

    # -- subscriptions (S4, S6) -------------------------------------------------------------------------------

    def start(self, id_: str, organization: str, number: str) -> None:
        """A subscription starts with a number."""
        self.bought[id_] = Bought(id_, organization, number, self.now, number)
        self._claim(self.bought[id_])

    def expire(self, s: Bought) -> None:
        """It is not renewed."""
        s.status, s.expired, s.refused = "expired", self.now, None
        self._lose(s)

    def terminate(self, s: Bought) -> None:
        """It is over for good."""
        s.status, s.terminated, s.refused = "terminated", self.now, None
        self._lose(s)

    def reactivate(self, s: Bought) -> None:
        """It is active again."""
        s.status, s.expired = "active", None
        self._claim(s)
        self._look_at_old(s)

    def _look_at_old(self, s: Bought) -> None:
        """What it gave away before stays where it is; what fell due there is written down."""
        for number in s.had - {s.number}:
            self._do(number, lambda p: 200)

    def _claim(self, s: Bought) -> bool:
        """Give it its number, or say why not; whether it has it."""
        p = self.view(s.number) if s.number in self.phones else Phone()
        mine = s.id in (p.subscription, p.lapsed)
        s.refused = None if mine else self._why_not(p, s.organization)
        if s.refused is not None:
            return False
        if p.state != "assigned":
            p.state, p.since, p.quarantine = "assigned", None, None
            p.subscription, p.organization, p.last = s.id, s.organization, s.organization
            p.reserver = p.cause = p.ends = p.lapsed = None
            p.given = {}
        s.had.add(s.number)
        if p != self.phones[s.number]:
            self.phones[s.number] = p
            self._wake(s.number)
        return True

    def _lose(self, s: Bought) -> None:
        """Reserved until the latest of the ends that its facts give, if it is still its own (§10.5, §10.10)."""
        facts = [("expired", s.expired), ("terminated", s.terminated)]

        def act(p: Phone) -> Status:
            if s.id not in (p.subscription, p.lapsed):
                return 409
            given = {(c, at): p.given.get((c, at), at + DAYS[c] * DAY) for c, at in facts if at is not None}
            ends = {fact: end for fact, end in given.items() if p.state != "available" or end > self.now}
            if s.status == "terminated":
                p.bound = {}
            if ends:
                (cause, at), end = max(ends.items(), key=lambda item: item[1])
                p.keep(s.organization, cause, at, end)
                p.subscription, p.given = s.id, {**p.given, (cause, at): end}
            return 200

        if s.number in self.phones:
            self._do(s.number, act)
        self._look_at_old(s)

    def _can_have(self, p: Phone, party: str) -> bool:
        """An Available number: shown to the party, and not in quarantine for another (N15)."""
        return self.offered(p, party) and (p.quarantine is None or p.last == party)

    def _why_not(self, p: Phone, organization: str) -> str | None:
        """S6."""
        match p.state:
            case "available":
                if not self.offered(p, organization):
                    return "number-not-visible"
                if p.quarantine is not None and p.last != organization:
                    return "number-in-quarantine"
                return "golden-needs-reservation" if p.golden and self.golden_only_from_reserved else None
            case "reserved":
                ours = p.reserver in (organization, self.parties.above(organization))
                return None if ours else "number-held-for-another"
            case other:
                return {
                    "absent": "number-unknown",
                    "assigned": "number-taken",
                    "locked": "number-is-locked",
                    "deleted": "number-is-deleted",
                }[other]

    def _wake(self, number: str) -> None:
        """Whoever waits for the number, the oldest start first."""
        waiting = [s for s in self.bought.values() if s.number == number and s.refused]
        for s in sorted(waiting, key=lambda s: (s.started, s.id)):
            self._claim(s)

    # -- subscriptions by hand (N9, §10.8) --------------------------------------------------------------------

    def _may_give(self, who: Who, s: Bought) -> Status:
        if not self.holds(who, s.organization):
            return 404
        seller = who.role == "platform-admin" or (who.role == "partner-admin" and s.organization != who.party)
        return 200 if seller else 403

    def _has(self, s: Bought) -> str | None:
        mine = [n for n, p in self.phones.items() if p.state == "assigned" and p.subscription == s.id]
        assert len(mine) <= 1, "one unit, one number"
        return mine[0] if mine else None

    def assign(self, who: Who, number: str, s: Bought) -> Status:
        """To an active subscription that has no number; what it waited for is waited for no more."""
        p = self.view(number)
        if (status := self.may(who, "see", p)) != 200 or (status := self._may_give(who, s)) != 200:
            return status
        has = self._has(s)
        if has == number:
            return 200
        mine = s.id in (p.subscription, p.lapsed)
        if has is not None or s.status != "active" or (not mine and self._why_not(p, s.organization)):
            return 409
        s.number = number
        assert self._claim(s)
        self._look_at_old(s)
        return 200

    def swap(self, who: Who, s: Bought, old: str, new: str) -> Status:
        """Both or neither."""
        if (status := self._may_give(who, s)) != 200:
            return status
        for number in (old, new):
            if (status := self.may(who, "see", self.phones[number])) != 200:
                return status
        if old == new:
            return 422
        p = self.view(new)
        mine = s.id in (p.subscription, p.lapsed)
        if self._has(s) != old or s.status != "active" or (not mine and self._why_not(p, s.organization)):
            return 409
        s.number = new
        assert self._claim(s)

        def give_up(p: Phone) -> Status:
            p.keep(s.organization, "swapped", self.now, self.now + DAYS["swapped"] * DAY)
            p.subscription, p.given, p.bound = s.id, {("swapped", self.now): p.ends or self.now}, {}
            return 200

        self._do(old, give_up)
        self._look_at_old(s)
        return 200


def shown(p: Phone, sees: Callable[[str | None], bool]) -> dict[str, Any]:
    """What an answer must say of a number, to somebody who knows some of the parties."""

    def own(party: str | None) -> str | None:
        return party if sees(party) else None

    told = replace(p)
    about = told.reserver if told.state == "reserved" else told.organization
    return {
        "state": told.state,
        "holder_id": own(told.holder),
        "uploader_id": own(told.uploader),
        "organization_id": own(told.organization),
        "reserver_id": own(told.reserver),
        "subscription_id": told.subscription if own(about) else None,
        "cause": told.cause,
        "ends_at": told.ends,
        "quarantined_until": told.quarantine if told.state == "available" else None,
        "golden": told.golden,
        "bindings": {kind: user for kind, (organization, user) in told.bound.items() if own(organization)},
    }
