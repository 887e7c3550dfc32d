"""What DOMAIN says of an inventory, in plain Python: one record a number, no events, nothing of the product.

Every command returns the HTTP status it must have, and changes the records where it is 200.
"""

from __future__ import annotations

from tests.model.phone import DAY, DAYS, Bought, Phone, Status
from tests.model.serving import Serving
from tests.model.sight import Who


class Oracle(Serving):
    """The inventory as it must be."""

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
