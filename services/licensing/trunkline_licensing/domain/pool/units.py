"""Giving out and taking back the units of a pool (L3, L4): who gets one of which subscription, and who gets none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from trunkline.errors import Refused
from trunkline_licensing.domain.pool.catalogue import BASE
from trunkline_licensing.domain.pool.errors import NoAddonLicense, NoBaseLicense, ReferenceUnknown
from trunkline_licensing.domain.pool.events import Unit, UnitsAllocated, UnitsFreed
from trunkline_licensing.domain.pool.pool import Pool


class Spare:
    """The spare units of a pool while some are being given out; nothing is on record before `allocated`."""

    def __init__(self, p: Pool) -> None:
        """Begin with what the pool has to spare, the oldest subscription first (L4)."""
        self._pool = p
        oldest_first = sorted(p.supplies.values(), key=lambda s: (s.started_at, s.subscription_id))
        self._left = {s.subscription_id: s.spare for s in oldest_first}
        self._granted: list[Unit] = []

    def left(self, reference: str | None = None) -> int:
        """How many units can still be given out; of subscriptions with a reference, if one is named.

        Raises:
            ReferenceUnknown: no subscription has it.
        """
        self._check(reference)
        supplies = self._pool.supplies
        return sum(n for key, n in self._left.items() if reference is None or supplies[key].reference == reference)

    def take(self, extension_id: str, reference: str | None = None) -> str:
        """Give an extension one unit; the subscription it is a unit of.

        Args:
            extension_id: who is to use it.
            reference: only of a subscription with this reference; None: of the oldest active one with a spare unit.

        Raises:
            ReferenceUnknown: no subscription has this reference.
            NoBaseLicense, NoAddonLicense: there is no spare unit.
        """
        self._check(reference)
        supplies = self._pool.supplies
        for subscription_id, left in self._left.items():
            if left and (reference is None or supplies[subscription_id].reference == reference):
                self._left[subscription_id] -= 1
                self._granted.append(Unit(extension_id, subscription_id))
                return subscription_id
        raise self._none_left(reference)

    def put_back(self, extension_id: str) -> None:
        """Take back the unit given last, which was this extension's."""
        unit = self._granted.pop()
        assert unit.extension_id == extension_id, f"{extension_id} was not given a unit last"
        self._left[unit.subscription_id] += 1

    def allocated(self, at: datetime) -> list[UnitsAllocated]:
        """All that was given out, as one event; nothing where nothing was."""
        return [UnitsAllocated(at=at, units=tuple(self._granted))] if self._granted else []

    def _check(self, reference: str | None) -> None:
        supplies = self._pool.supplies.values()
        if reference is not None and all(s.reference != reference or s.over for s in supplies):
            raise ReferenceUnknown(value=reference)

    def _none_left(self, reference: str | None) -> Refused:
        code = self._pool.license_code
        if code == BASE:
            return NoBaseLicense(where="" if reference is None else f" with the reference {reference!r}")
        return NoAddonLicense(license_code=code)


Wanted = Sequence[tuple[str, str | None]]
"""Extensions that are to have a unit each, with the reference of the subscription it must be of, if any."""


def grant(p: Pool, wanted: Wanted) -> list[str | Refused]:
    """For each extension in order: the subscription it would have a unit of, or why it would have none."""
    spare = Spare(p)
    found: list[str | Refused] = []
    for extension_id, reference in wanted:
        try:
            found.append(spare.take(extension_id, reference))
        except Refused as refused:
            found.append(refused)
    return found


def allocate(p: Pool, wanted: Wanted, at: datetime) -> list[UnitsAllocated]:
    """Give each of some extensions a unit, or none of them any (L4).

    Raises:
        ReferenceUnknown, NoBaseLicense, NoAddonLicense: of the first that would have none.
    """
    spare = Spare(p)
    for extension_id, reference in wanted:
        spare.take(extension_id, reference)
    return spare.allocated(at)


def units_of(p: Pool, extension_ids: Collection[str]) -> tuple[Unit, ...]:
    """The units that some extensions use; an extension that uses none has none here."""
    found = ((e, s) for s in p.supplies.values() for e in extension_ids if e in s.users)
    return tuple(Unit(extension_id, s.subscription_id) for extension_id, s in found)


def free(p: Pool, extension_ids: Collection[str], cause: str, at: datetime) -> list[UnitsFreed]:
    """Give back the units that some extensions use; where they use none, nothing."""
    units = units_of(p, extension_ids)
    return [UnitsFreed(at=at, units=units, cause=cause)] if units else []
