"""What time and subscriptions do to numbers (S4, S6, N10), as DOMAIN says it, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime

from tests.model.phone import DAY, DAYS, Bought, Phone, Status
from tests.model.sight import Sight


class Serving(Sight):
    """The inventory that follows time and billing."""

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
