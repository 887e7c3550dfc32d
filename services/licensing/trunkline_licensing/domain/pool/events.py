"""What can happen to a pool of licenses (L4). Names and fields are for ever: change one only by a new version."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from trunkline.eventstore.decider import Event

SupplyStatus = Literal["active", "expired", "terminated", "moved"]
"""`moved`: the subscription turned out to be another organization's, or for another license."""


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One unit in use: the extension that uses it, and the subscription that it is a unit of."""

    extension_id: str
    subscription_id: str


class PoolSupplied(Event, frozen=True, kw_only=True):
    """A subscription feeds the pool, from now on like this (S5)."""

    TYPE: ClassVar[str] = "licensing.PoolSupplied"
    subscription_id: str
    reference: str | None = None
    quantity: int
    status: SupplyStatus
    started_at: datetime


class UnitsAllocated(Event, frozen=True, kw_only=True):
    """Some extensions use a unit each; one event for a whole command, or for a chunk of a bulk assignment."""

    TYPE: ClassVar[str] = "licensing.UnitsAllocated"
    units: tuple[Unit, ...]


class UnitsFreed(Event, frozen=True, kw_only=True):
    """Some extensions use their unit no more; `cause` is why, such as `by_hand` or `terminated`."""

    TYPE: ClassVar[str] = "licensing.UnitsFreed"
    units: tuple[Unit, ...]
    cause: str


class UnitsSuspended(Event, frozen=True, kw_only=True):
    """The newest units beyond what their subscription now covers, by name."""

    TYPE: ClassVar[str] = "licensing.UnitsSuspended"
    units: tuple[Unit, ...]


class UnitsResumed(Event, frozen=True, kw_only=True):
    """Units that are covered again."""

    TYPE: ClassVar[str] = "licensing.UnitsResumed"
    units: tuple[Unit, ...]


AnyEvent = PoolSupplied | UnitsAllocated | UnitsFreed | UnitsSuspended | UnitsResumed
EVENTS: tuple[type[Event], ...] = (PoolSupplied, UnitsAllocated, UnitsFreed, UnitsSuspended, UnitsResumed)
