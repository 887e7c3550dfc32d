"""Time as a value handed in. Nothing inside a decision reads a clock; only the doors do, from one of these."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

DAY = timedelta(days=1)
"""A "day" of the rules is 24 hours, never a calendar day (DOMAIN §3)."""


class Clock(Protocol):
    """Tells the service's time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's present instant in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands until it is moved: for tests, and for the demonstration's story."""

    def __init__(self, at: datetime) -> None:
        """Stand at an instant.

        Args:
            at: an aware instant.
        """
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant the clock stands at."""
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move forward and return the new instant; a negative step is an error (`ValueError`)."""
        if by < timedelta(0):
            msg = f"a clock never goes back: asked to move by {by}"
            raise ValueError(msg)
        self._at += by
        return self._at


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant.

    Args:
        text: such as `2026-03-01T00:00:00Z`; an offset is required.

    Returns:
        The instant in UTC.

    Raises:
        ValueError: not a date and time, or without an offset.
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        msg = f"{text!r} has no time zone: write it as {text}Z or with an offset"
        raise ValueError(msg)
    return read.astimezone(UTC)


def rfc3339(at: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with `Z`, without a fraction where there is none."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_PART: Final = re.compile(r"(\d+)(d|h|m|s)")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def read_duration(text: str) -> timedelta:
    """Read a length of time such as `49d` or `1d12h30m`; a day is 24 hours.

    Raises:
        ValueError: it is written otherwise, or is longer than can be.
    """
    parts = _PART.findall(text)
    if not text.isascii() or not parts or "".join(count + unit for count, unit in parts) != text:
        msg = f"{text!r} is no length of time"
        raise ValueError(msg)
    try:
        return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    except OverflowError as error:
        raise ValueError(str(error)) from None
