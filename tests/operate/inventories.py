"""What two services hold, told by what has happened to each thing, so that both agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from trunkline.cli.reconcile.compare import COMPARING, side_by_side
from trunkline.cli.reconcile.difference import Difference
from trunkline.operations.reconciliation import records

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_ids = count(1)

Lines = tuple[Any, Any]
"""A thing's line in licensing's list, and in numbers'."""


def uuid() -> str:
    """A new id, sorted after those before."""
    return f"00000000-0000-4000-8000-{next(_ids):012}"


def number() -> str:
    """A new number."""
    return f"+65{60_000_000 + next(_ids)}"


def terms(status: str = "active", **more: Any) -> records.Terms:
    """A number subscription of organization `o`."""
    ended = {"expired": {"expired_at": T0 + DAY}, "terminated": {"terminated_at": T0 + DAY}}.get(status, {})
    given = {"organization_id": "o", "product": "number", "status": status, "started_at": T0, "number": number()}
    return records.Terms(**{**given, **ended, **more})


def assigned(e164: str, **more: Any) -> records.Given:
    """A number of a subscription of `o`."""
    return records.Given(
        **{"number": e164, "version": 2, "state": "assigned", "since": T0, "organization_id": "o", **more}
    )


def kept(e164: str, cause: str) -> records.Given:
    """A number reserved since its subscription lost it."""
    return records.Given(number=e164, version=3, state="reserved", since=T0 + DAY, cause=cause)


def sold(key: str, of: records.Terms) -> records.Subscription:
    """A subscription in licensing."""
    return records.Subscription(key=key, version=1, changed_at=T0, terms=of)


def served(key: str, of: records.Terms | None, *numbers: records.Given, **more: Any) -> records.Served:
    """The same in numbers, which names what billing names."""
    named = of.number if of is not None else None
    return records.Served(key=key, version=1, changed_at=T0, terms=of, **{"named": named, "numbers": numbers, **more})


def _story(name: str, key: str) -> Lines:
    """One subscription that both services know alike."""
    at = terms(name if name in ("expired", "terminated") else "active")
    e164 = str(at.number)
    refusal = records.Refusal(number=e164, code="number-taken", since=T0)
    match name:
        case "active":
            return sold(key, at), served(key, at, assigned(e164))
        case "expired" | "terminated":
            return sold(key, at), served(key, at, kept(e164, name))
        case "lapsed":  # nobody has its number any more
            at = replace(at, status="expired", expired_at=T0)
            return sold(key, at), served(key, at)
        case "swapped":
            at = replace(at, swapped_out=(records.SwappedOut(number(), T0),))
            return sold(key, at), served(key, at, kept(at.swapped_out[0].number, "swapped"), assigned(e164))
        case "refused":
            return sold(key, at), served(key, at, refused=refusal)
        case "swap refused":  # the old number stays (N9)
            at = replace(at, swapped_out=(records.SwappedOut(number(), T0),))
            return sold(key, at), served(key, at, assigned(at.swapped_out[0].number), refused=refusal)
        case "dismissed":
            return sold(key, at), served(key, at, dismissed=e164)
        case "by hand":
            other = number()
            return sold(key, at), served(key, at, kept(e164, "swapped"), assigned(other), named=other)
        case _:
            at = replace(at, product="did_reservation", number=None, quantity=3, plan_days=30)
            return sold(key, at), served(key, at)


STORIES = (
    *("active", "expired", "terminated", "lapsed", "swapped", "refused"),
    *("swap refused", "dismissed", "by hand", "did reservation"),
)


def extension(key: str, status: str = "bound", **more: Any) -> records.Extension:
    """An extension in licensing, with a number."""
    given = {"organization_id": "o", "user_id": "u", "number": number(), "generation": 2, "status": status}
    return records.Extension(**{"key": key, "version": 4, "changed_at": T0, **given, **more})


def rings(x: records.Extension, **more: Any) -> records.Ringing:
    """The same in numbers."""
    state = "reserved" if x.status == "suspended" else "assigned"
    given = {"organization_id": x.organization_id, "user_id": x.user_id, "generation": x.generation, "state": state}
    bound = records.Bound(**{"number": x.number, "version": 3, "changed_at": T0, **given, **more})
    return records.Ringing(key=x.key, numbers=(bound,))


def _line(status: str, key: str) -> Lines:
    x = extension(key, status)
    return x, rings(x) if status in ("bound", "suspended") else None


def party(key: str, kind: str) -> records.Party:
    """A party, as it is."""
    more = (
        {"partner_id": "p", "billing_email": "b@o.example"} if kind == "organization" else {"domains": ("d.example",)}
    )
    return records.Party(key=key, version=1, changed_at=T0, kind=kind, name="N", **more)


def _number(state: str, key: str) -> Lines:
    own = records.Number(key=key, version=3, state=state, since=T0, bound=state == "assigned")
    return (replace(own, state=None, since=None), own) if state == "deleted" else (own, own)


_TELL: Final[dict[records.Subject, tuple[Callable[[], str], Callable[[str, str], Lines], tuple[str, ...]]]] = {
    "subscriptions": (uuid, _story, STORIES),
    "extensions": (uuid, _line, ("bound", "suspended", "requested", "refused", "lost")),
    "parties": (uuid, lambda kind, key: (party(key, kind), party(key, kind)), ("partner", "organization")),
    "numbers": (number, _number, ("available", "assigned", "reserved", "locked", "deleted")),
}
"""Subject -> a new key, how its stories are told, and which there are."""


class Inventory:
    """Two services that agree: subject -> key -> both lines."""

    def __init__(self, chance: Random, size: int) -> None:
        self.things: dict[records.Subject, dict[str, Lines]] = {subject: {} for subject in COMPARING}
        for subject, (_, _, stories) in _TELL.items():
            for _ in range(size):
                self.add(subject, chance.choice(stories))

    def add(self, subject: records.Subject, story: str) -> str:
        """One thing more, to which this has happened; its key."""
        fresh, tell, _ = _TELL[subject]
        key = fresh()
        self.things[subject][key] = tell(story, key)
        return key

    def read(self, subject: records.Subject, side: int) -> Iterator[Any]:
        """One side's list: 0 licensing's, 1 numbers'."""
        things = self.things[subject]
        return (line for key in sorted(things) if (line := things[key][side]) is not None)

    def differences(self) -> list[Difference]:
        """All that is found, reading both sides side by side."""
        return [
            found
            for subject, comparing in COMPARING.items()
            for key, *lines in side_by_side(self.read(subject, 0), self.read(subject, 1))
            for found in comparing.compare(key, *lines)
        ]
