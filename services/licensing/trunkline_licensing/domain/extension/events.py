"""What can happen to an extension. Names and fields are stored for ever: change one only by a new version (L1, L15)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

import msgspec

from trunkline.eventstore.decider import Event

NumberStatus = Literal["requested", "bound", "suspended", "refused", "lost"]
ON_IT: Final[tuple[NumberStatus, ...]] = ("requested", "bound", "suspended")
"""A number in one of these is on the extension, or may yet come on it."""


class HungAddon(msgspec.Struct, frozen=True, gc=False):
    """An add-on license on an extension, and the subscription that its unit is of."""

    code: str
    subscription_id: str


class NumberOn(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An extension's number (X5).

    Attributes:
        generation: which of the extension's requests this is, counted from 1.
        status: asked of numbers; bound; bound, but its subscription has expired; refused by numbers, or unanswered;
            bound once and taken back since.
        answer_by: when a request that nobody has answered counts as refused.
        code, reason: why it was refused or lost.
    """

    number: str
    generation: int
    status: NumberStatus = "requested"
    answer_by: datetime | None = None
    code: str | None = None
    reason: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An extension as it is.

    Attributes:
        subscription_id: what its Phone System license is a unit of.
        addons: in the order of their codes.
        suspended: the codes of those of its licenses that nothing covers now; `phone_system` among them: all of it.
    """

    organization_id: str
    ext_key: str
    subscription_id: str
    user_id: str | None = None
    directory_name: str | None = None
    addons: tuple[HungAddon, ...] = ()
    suspended: tuple[str, ...] = ()
    number: NumberOn | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its add-ons."""
        return tuple(addon.code for addon in self.addons)


class BulkRow(msgspec.Struct, frozen=True, gc=False):
    """The row of a bulk assignment that an extension was made by."""

    bulk_id: str
    row: int


class ExtensionProvisioned(Event, frozen=True, kw_only=True):
    """A Phone System license became an extension, with everything it had from its birth on (L1)."""

    TYPE: ClassVar[str] = "licensing.ExtensionProvisioned"
    after: Facts
    bulk: BulkRow | None = None


class ExtensionAssigned(Event, frozen=True, kw_only=True):
    """It serves a person from now on; perhaps it served another one before (L2)."""

    TYPE: ClassVar[str] = "licensing.ExtensionAssigned"
    after: Facts


class ExtensionChanged(Event, frozen=True, kw_only=True):
    """Some of its facts are others: the fields in `changed`.

    `cause`: `by_hand`; `identity_removed`; of `addons` also `terminated` and `moved`, of `suspended` also `expired`,
    `quantity` and `covered`: what became of the subscription `subscription_id`.
    """

    TYPE: ClassVar[str] = "licensing.ExtensionChanged"
    after: Facts
    changed: tuple[str, ...]
    cause: str
    subscription_id: str | None = None


class ExtensionDeleted(Event, frozen=True, kw_only=True):
    """It is no more; `after` is how it was. `cause`: `by_hand`, or what became of its subscription, number or row."""

    TYPE: ClassVar[str] = "licensing.ExtensionDeleted"
    after: Facts
    cause: str
    subscription_id: str | None = None


class NumberBindingRequested(Event, frozen=True, kw_only=True):
    """Numbers is asked to bind a number to it (X5); `answer_by` is when no answer is a refusal.

    Without `answer_by` the number is on it already, and numbers is told of another person.
    """

    TYPE: ClassVar[str] = "licensing.NumberBindingRequested"
    number: str
    generation: int
    organization_id: str
    user_id: str | None = None
    answer_by: datetime | None = None


class NumberUnbindingRequested(Event, frozen=True, kw_only=True):
    """Numbers is told that this request, and with it every older one of the extension, does not count any more (X5)."""

    TYPE: ClassVar[str] = "licensing.NumberUnbindingRequested"
    number: str
    generation: int
    organization_id: str
    user_id: str | None = None
    cause: str


class ExtensionNumberBound(Event, frozen=True, kw_only=True):
    """Numbers has bound the number (X5)."""

    TYPE: ClassVar[str] = "licensing.ExtensionNumberBound"
    number: str
    generation: int


class ExtensionNumberRefused(Event, frozen=True, kw_only=True):
    """Numbers has refused the number, or has not answered in time (`code` `binding-timeout`) (L10, X5)."""

    TYPE: ClassVar[str] = "licensing.ExtensionNumberRefused"
    number: str
    generation: int
    code: str
    reason: str


class ExtensionNumberLost(Event, frozen=True, kw_only=True):
    """The number was bound, and numbers has taken the binding back: `cause` is why (X5)."""

    TYPE: ClassVar[str] = "licensing.ExtensionNumberLost"
    number: str
    generation: int
    cause: str


class ExtensionNumberSuspended(Event, frozen=True, kw_only=True):
    """The subscription of its number has expired: the binding is kept, as the number is, for the time being (X5)."""

    TYPE: ClassVar[str] = "licensing.ExtensionNumberSuspended"
    number: str
    generation: int


class ExtensionNumberResumed(Event, frozen=True, kw_only=True):
    """The number is back with its subscription, and with it the binding (X5)."""

    TYPE: ClassVar[str] = "licensing.ExtensionNumberResumed"
    number: str
    generation: int


AnyEvent = (
    ExtensionProvisioned
    | ExtensionAssigned
    | ExtensionChanged
    | ExtensionDeleted
    | NumberBindingRequested
    | NumberUnbindingRequested
    | ExtensionNumberBound
    | ExtensionNumberRefused
    | ExtensionNumberLost
    | ExtensionNumberSuspended
    | ExtensionNumberResumed
)
EVENTS: tuple[type[Event], ...] = (
    ExtensionProvisioned,
    ExtensionAssigned,
    ExtensionChanged,
    ExtensionDeleted,
    NumberBindingRequested,
    NumberUnbindingRequested,
    ExtensionNumberBound,
    ExtensionNumberRefused,
    ExtensionNumberLost,
    ExtensionNumberSuspended,
    ExtensionNumberResumed,
)
