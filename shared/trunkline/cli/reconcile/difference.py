"""One difference between what two services hold: of what kind, what each side says, since when, and what to do (O7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from trunkline.clock import rfc3339

Kind = Literal["active", "without", "assigned", "reserved", "binding", "party", "subscription", "copy"]

KINDS: Final[dict[Kind, str]] = {
    "active": "active subscriptions of a number",
    "without": "active subscriptions without their number",
    "assigned": "assigned numbers",
    "reserved": "numbers reserved since a subscription lost them",
    "binding": "extensions with a number",
    "party": "parties",
    "subscription": "subscriptions as numbers has heard of them",
    "copy": "numbers as licensing has heard of them",
}
"""Every kind, in the order in which they are shown, and what is counted of it.

`without`: the refusal or its dismissal is on record, so both services agree; counted apart, since no number serves it.
"""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not agree.

    Attributes:
        kind: what should agree.
        key: the id of the subscription, extension or party, or the number, that it is about.
        licensing: what licensing holds.
        numbers: what numbers holds.
        do: what a person can do about it.
        since: since when it is so, as far as that is known: the newest instant that either side tells.
        about: whatever messages about it are keyed by.
        because: what explains it, where that is known.
    """

    kind: Kind
    key: str
    licensing: str
    numbers: str
    do: str
    since: datetime | None = None
    about: tuple[str, ...] = ()
    because: str | None = None


def apart(one: Any, other: Any, names: Sequence[str]) -> tuple[str, str] | None:
    """The attributes that two things do not have in common, with their values, as a text for each; None: they agree."""
    differing = [name for name in names if getattr(one, name) != getattr(other, name)]
    if not differing:
        return None
    first, second = (", ".join(f"{name} {shown(getattr(thing, name))}" for name in differing) for thing in (one, other))
    return first, second


def shown(value: Any) -> str:
    """Any value in a sentence."""
    match value:
        case None | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return rfc3339(value)
        case tuple():
            return " ".join(map(shown, value))
        case msgspec.Struct():
            return " ".join(shown(getattr(value, name)) for name in value.__struct_fields__)
        case _:
            return str(value)


def later(*instants: datetime | None) -> datetime | None:
    """The newest of those that are known."""
    return max((at for at in instants if at is not None), default=None)
