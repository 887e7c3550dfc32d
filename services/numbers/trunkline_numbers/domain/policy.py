"""Policies are data, not code (N15): how long, for which cause, for which kind of number.

The policy in force is a stream of its own, `policy/current`; before anything is applied it is `DEFAULT`. It is
resolved when an event is written: events carry absolute instants, so that a later policy never rewrites the past.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Literal

import msgspec

from trunkline.clock import DAY
from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider, Event

ReservationCause = Literal["manual", "expired", "terminated", "swapped"]
SpecialProperty = Literal["golden", "ported_in"]


class PolicyOutdated(Refused):
    """The document was made from version {given} of the policy, and version {version} is in force: look at it first."""

    status: ClassVar[int] = 409


class SpecialPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """Another period for numbers with a special property (R10); the first that fits is taken."""

    property: SpecialProperty
    cause: ReservationCause
    days: int


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All that may differ from one deployment to the next. Days are of 24 hours.

    Attributes:
        manual_days, expired_days, terminated_days, swapped_days: length of a reservation by its cause (N2, N3).
        special_periods: exceptions to these for golden and ported-in numbers.
        notice_days: how long before its end a reservation or lock is announced (N5, N6).
        lock_days: length of a lock (DOMAIN §10.2).
        voice_carrier, sms_carrier: taken where an upload chooses none (R2).
        golden_only_from_reserved: a golden number must be reserved before it can be assigned.
        quarantine_days: ISO country code -> days after a release in which only its last holder may have a number.
    """

    manual_days: int = 28
    expired_days: int = 56
    terminated_days: int = 28
    swapped_days: int = 1
    special_periods: tuple[SpecialPeriod, ...] = ()
    notice_days: int = 7
    lock_days: int = 28
    voice_carrier: str = "default"
    sms_carrier: str = "default"
    golden_only_from_reserved: bool = False
    quarantine_days: dict[str, int] = {}

    def period(self, cause: ReservationCause, *, golden: bool, ported_in: bool) -> timedelta:
        """How long a reservation of this cause lasts for a number with these properties (N3, N15)."""
        for special in self.special_periods:
            fits = golden if special.property == "golden" else ported_in
            if fits and special.cause == cause:
                return special.days * DAY
        days = {
            "manual": self.manual_days,
            "expired": self.expired_days,
            "terminated": self.terminated_days,
            "swapped": self.swapped_days,
        }
        return days[cause] * DAY

    @property
    def notice(self) -> timedelta:
        """How long before the end the notice is due; a period shorter than this gets none (N5)."""
        return self.notice_days * DAY

    def quarantine(self, country: str) -> timedelta:
        """How long a released number of this country is kept for its last holder."""
        return self.quarantine_days.get(country, 0) * DAY


DEFAULT = Policy()


class PolicyApplied(Event, frozen=True, kw_only=True):
    """From now on this policy is in force, whole; who applied it is in the envelope."""

    TYPE: ClassVar[str] = "numbers.PolicyApplied"
    policy: Policy
    remark: str | None = None


class PolicyInForce(msgspec.Struct, frozen=True):
    """The policy that what is written now obeys. `version` counts what was applied; 0: the built-in one."""

    policy: Policy = DEFAULT
    version: int = 0
    since: datetime | None = None


def evolve(p: PolicyInForce, event: PolicyApplied) -> PolicyInForce:
    """The newest document counts."""
    return PolicyInForce(event.policy, p.version + 1, event.at)


CURRENT = "current"
"""The key of the only stream of its kind."""
POLICY: Decider[PolicyInForce] = Decider("policy", lambda _: PolicyInForce(), evolve, (PolicyApplied,))


def apply_policy(
    p: PolicyInForce, policy: Policy, remark: str | None, at: datetime, based_on: int | None = None
) -> list[Event]:
    """Put a policy in force; the one that is, says nothing.

    Args:
        p: what is in force.
        policy: what is to be, whole and sound.
        remark: why.
        at: from when on.
        based_on: the version that the document was made from; None: whatever is in force.

    Raises:
        PolicyOutdated: another version has come into force meanwhile.
    """
    if based_on is not None and based_on != p.version:
        raise PolicyOutdated(given=based_on, version=p.version, pointer="#/policy/version", value=based_on)
    return [] if policy == p.policy else [PolicyApplied(at=at, policy=policy, remark=remark)]
