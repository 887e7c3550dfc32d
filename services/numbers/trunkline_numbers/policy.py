"""Policies are data, not code (N15): how long, for which cause, for which kind of number.

A policy is resolved when an event is written: events carry absolute instants, so that a later policy never
rewrites the past.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from trunkline.clock import DAY

ReservationCause = Literal["manual", "expired", "terminated", "swapped"]
SpecialProperty = Literal["golden", "ported_in"]


class SpecialPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """Another period for numbers with a special property (R10); the first that fits is taken."""

    property: SpecialProperty
    cause: ReservationCause
    days: int


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
