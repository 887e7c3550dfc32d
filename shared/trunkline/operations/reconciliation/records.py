"""What each service holds of the things that both know, a line for each, to be held against the other's (O7).

Both services list the same four subjects, each thing under the same key: what licensing says of it is one type here,
what numbers says of it is another. `version` and `changed_at` tell whether a thing has changed between two looks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from trunkline.limits import PAST_KEPT

Subject = Literal["subscriptions", "extensions", "parties", "numbers"]
MEDIA_TYPE: Final = "application/x-ndjson"
MOST_KEYS: Final = 250
"""Things that are named in one request: more would not fit into an address."""


class Rows(msgspec.Struct, frozen=True):
    """The first line of every list: about how many lines follow; None where the asker has named them."""

    rows: int | None = None


class SwappedOut(msgspec.Struct, frozen=True, gc=False):
    """A number that a subscription gave up for another, and when."""

    number: str
    at: datetime


class Terms(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A subscription as billing's facts make it: licensing owns it, numbers has it from there."""

    organization_id: str
    product: str
    status: str
    started_at: datetime
    expired_at: datetime | None = None
    terminated_at: datetime | None = None
    number: str | None = None
    swapped_out: tuple[SwappedOut, ...] = ()
    quantity: int | None = None
    plan_days: int | None = None
    renewed_until: datetime | None = None


def terms_of(source: Any) -> Terms:
    """The same out of a service's own state of a subscription, whose attributes have these names."""
    given = {name: getattr(source, name) for name in Terms.__struct_fields__}
    newest = source.swapped_out[-PAST_KEPT:]  # numbers may know more of it than licensing publishes
    given["swapped_out"] = tuple(SwappedOut(out.number, out.at) for out in newest)
    return Terms(**given)


class Subscription(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A subscription that may have to do with numbers, as licensing has it."""

    key: str
    version: int
    changed_at: datetime
    terms: Terms


class Given(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A number that is assigned to a subscription, or reserved because it lost it (`cause`)."""

    number: str
    version: int
    state: Literal["assigned", "reserved"]
    since: datetime
    organization_id: str | None = None
    cause: str | None = None


class Refusal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The number that a subscription waits for (S6)."""

    number: str
    code: str
    since: datetime


class Served(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A subscription as numbers has it.

    Attributes:
        terms: as licensing said; None: nothing was heard of it, and yet it has numbers.
        named: the number it is to have: that of the terms, unless a person gave it another one.
        refused: the refusal it waits on.
        dismissed: the number that a person said it need not have.
        numbers: those that it has, or that are reserved because it lost them.
    """

    key: str
    version: int | None = None
    changed_at: datetime | None = None
    terms: Terms | None = None
    named: str | None = None
    refused: Refusal | None = None
    dismissed: str | None = None
    numbers: tuple[Given, ...] = ()


class Extension(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An extension that has a number, asks for one, or had one, as licensing has it."""

    key: str
    version: int
    changed_at: datetime
    organization_id: str
    user_id: str | None
    number: str
    status: Literal["requested", "bound", "suspended", "refused", "lost"]
    generation: int


class Bound(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A number that rings at an extension."""

    number: str
    version: int
    changed_at: datetime
    state: str
    organization_id: str
    user_id: str | None
    generation: int | None


class Ringing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An extension as numbers has it: what rings there."""

    key: str
    numbers: tuple[Bound, ...]


class Party(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The platform, a partner or an organization: licensing's own, or as numbers has heard of it (P0)."""

    key: str
    version: int
    changed_at: datetime
    kind: str
    name: str
    partner_id: str | None = None
    owner_email: str | None = None
    support_email: str | None = None
    billing_email: str | None = None
    domains: tuple[str, ...] = ()
    allow_external_numbers: bool = False


class Number(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A number: numbers' own, or licensing's copy of it; `version` is that of its stream in both.

    Attributes:
        state: `deleted`, or in the copy None: it is gone.
        extension_id: where it rings.
    """

    key: str
    version: int
    state: str | None = None
    since: datetime | None = None
    organization_id: str | None = None
    holder_id: str | None = None
    reserver_id: str | None = None
    subscription_id: str | None = None
    bound: bool = False
    extension_id: str | None = None


LINES: Final[dict[Subject, dict[str, type[Any]]]] = {
    "subscriptions": {"licensing": Subscription, "numbers": Served},
    "extensions": {"licensing": Extension, "numbers": Ringing},
    "parties": {"licensing": Party, "numbers": Party},
    "numbers": {"licensing": Number, "numbers": Number},
}
"""Subject -> service -> what a line of its list is."""
