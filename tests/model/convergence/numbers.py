"""One number as the rules of §3 have it: a record, the periods, and the moves between states."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from tests.model.convergence.facts import DAY, Hours

PERIODS: dict[str, Hours] = {"manual": 28 * DAY, "expired": 56 * DAY, "terminated": 28 * DAY, "swapped": DAY}
LOCK: Hours = 28 * DAY
State = Literal["absent", "available", "reserved", "assigned", "locked", "deleted"]


@dataclass(frozen=True)
class Binding:
    """A user that the number serves (R5); suspended while its subscription is expired (X5)."""

    user: str
    organization: str
    suspended: bool = False


@dataclass
class Line:
    """One telephone number.

    `subscription` is the one that holds it or that it is reserved after; `lapsed` the one whose reservation ran out
    and `paid_by` the one that paid for it until then, as long as nobody has acted on the number since (D10.10).
    `last` is the organization it was last assigned to.
    """

    number: str
    state: State = "absent"
    since: Hours = 0
    ends: Hours | None = None
    free_until: Hours | None = None
    cover: str | None = None
    extended: Hours | None = None
    paid_by: str | None = None
    organization: str | None = None
    subscription: str | None = None
    cause: str | None = None
    lapsed: str | None = None
    last: str | None = None
    quarantine: Hours | None = None
    holder: str | None = None
    binding: Binding | None = None
    unbound: str | None = None
    log: list[tuple[Hours, str, str | None]] = field(default_factory=list)

    def seen(self) -> Line:
        """A copy that later moves do not touch."""
        return replace(self, log=[])

    def _enter(self, state: State, since: Hours) -> None:
        self.state, self.since = state, since
        self.ends = self.free_until = self.cover = self.extended = self.paid_by = None
        self.organization = self.subscription = self.cause = self.lapsed = self.quarantine = None

    def assign(self, subscription: str, organization: str, at: Hours) -> None:
        """It serves a subscription; a suspended binding comes back with it (X5)."""
        own = self.subscription == subscription
        self._enter("assigned", at)
        self.organization = self.last = organization
        self.subscription = subscription
        if self.binding is not None and self.binding.suspended:
            if own:
                self.binding = replace(self.binding, suspended=False)
            else:
                self.unbind("released")
        self.log.append((at, "assigned", subscription))

    def reserve(self, organization: str, subscription: str | None, cause: str, at: Hours, ends: Hours) -> None:
        """It is kept for an organization; a binding rests with an expiry, and goes with anything else (X5)."""
        self._enter("reserved", at)
        self.organization, self.subscription, self.cause = organization, subscription, cause
        self.ends = self.free_until = ends
        if cause == "expired" and self.binding is not None:
            self.binding = replace(self.binding, suspended=True)
        elif cause in ("terminated", "swapped"):
            self.unbind(cause)
        self.log.append((at, "reserved", subscription))

    def release(self, at: Hours, quarantine: Hours, lapsed: str | None = None) -> None:
        """A reservation is over: it is Available, for a time only to its last organization (N15), and unbound (X5)."""
        self._enter("available", at)
        self.lapsed = lapsed
        if quarantine and self.last is not None:
            self.quarantine = at + quarantine
        self.unbind("released")
        self.log.append((at, "available", lapsed))

    def back(self, at: Hours) -> None:
        """It is Available again after a lock or a deletion, which leave a quarantine as it is (N15)."""
        until = self.quarantine
        self._enter("available", at)
        self.quarantine = until if until is not None and until > at else None
        self.log.append((at, "available", None))

    def leave(self, state: State, at: Hours, ends: Hours | None = None) -> None:
        """It is locked or deleted."""
        until = self.quarantine
        self._enter(state, at)
        self.ends, self.quarantine = ends, until
        self.log.append((at, state, None))

    def unbind(self, cause: str) -> None:
        """Its binding ends, with a cause on record."""
        if self.binding is not None:
            self.binding, self.unbound = None, cause

    def touched(self) -> None:
        """A person has acted on it: what it was before cannot be claimed back (D10.10)."""
        if self.state == "available":
            self.lapsed = None
