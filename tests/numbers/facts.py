"""One number, those who want it, and how it comes into each of its states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from trunkline.testing import Story
from trunkline_numbers.domain.number import attribute_commands as changing
from trunkline_numbers.domain.number import bindings as binding
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number import paid_reservation as covering
from trunkline_numbers.domain.number.events import Listing, NumberBound, NumberReserved
from trunkline_numbers.domain.number.number import NUMBER, settle
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.number.subscription_sync import Hold, Keep, Target, follow
from trunkline_numbers.domain.policy import DEFAULT, Policy

KEY = "+6512345678"


def uuid(kind: str, index: int = 1) -> str:
    """An id that says in its first digits what it is of."""
    return f"{kind.ljust(8, '0')}-0000-4000-8000-{index:012d}"


PARTNER, OTHER_PARTNER = uuid("facade", 1), uuid("facade", 2)
ACME = Party(uuid("ace", 1), "organization", PARTNER, ("acme.example",))
SISTER = Party(uuid("ace", 2), "organization", PARTNER)
STRANGER = Party(uuid("ace", 3), "organization", OTHER_PARTNER)
RESELLER = Party(PARTNER, "partner", PARTNER)
PARTNERS = {party.id: party.partner_id for party in (ACME, SISTER, STRANGER)}
USER = uuid("beef")
SUB, OTHER_SUB, THIRD_SUB, COVER = (uuid("5ab", place) for place in range(1, 5))
LISTING = Listing(country="SG", sku="did", vendor="carrier")
QUARANTINE = Policy(quarantine_days={"SG": 90})


def day(n: float) -> datetime:
    """So many times 24 hours after the number came into the inventory."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)


class Tale(Story[Number]):
    """A number's story in the words of the rules; the day each thing happens on comes last."""

    def __init__(self, policy: Policy = DEFAULT) -> None:
        super().__init__(NUMBER, KEY)
        self.policy = policy

    def added(self, on: float = 0, **own: Any) -> Tale:
        listing = own.pop("listing", LISTING)
        uploader, holder = own.pop("uploader_id", None), own.pop("holder", None)
        return self._do(by_hand.add, listing, uploader, holder, self.policy, day(on), **own)

    def reserved(self, party: Party, on: float) -> Tale:
        return self._do(by_hand.reserve, party, "asked for it", self.policy, day(on))

    def assigned(self, party: Party, subscription: str, on: float, status: str = "active") -> Tale:
        return self._do(by_hand.assign, party, subscription, status, None, self.policy, day(on))

    def extended(self, party: Party, until: float, on: float, cover: str = COVER, **own: Any) -> Tale:
        return self._do(covering.extend, party, cover, day(until), None, self.policy, day(on), **own)

    def uncovered(self, at: float, on: float | None = None, cover: str = COVER) -> Tale:
        return self._do(covering.uncover, cover, day(at), self.policy, day(at if on is None else on))

    def kept(self, until: float, at: float, on: float | None = None, cover: str = COVER, **own: Any) -> Tale:
        return self._do(covering.keep, cover, day(until), day(at), self.policy, day(at if on is None else on), **own)

    def released(self, on: float) -> Tale:
        return self._do(by_hand.release, "not needed", self.policy, day(on))

    def locked(self, on: float, **own: Any) -> Tale:
        return self._do(by_hand.lock, "to be checked", self.policy, day(on), **own)

    def unlocked(self, on: float) -> Tale:
        return self._do(by_hand.unlock, "checked", self.policy, day(on))

    def deleted(self, on: float, by: Party | None = None) -> Tale:
        return self._do(by_hand.delete, "faulty", "crackles", self.policy, day(on), by)

    def recovered(self, on: float) -> Tale:
        return self._do(by_hand.recover, "repaired", day(on))

    def settled(self, to: float, now: float | None = None) -> Tale:
        return self._do(settle, day(to), day(to if now is None else now), self.policy)

    def follows(
        self, target: Target, at: float, on: float | None = None, *, party: Party = ACME, of: str = SUB
    ) -> Tale:
        """Something was heard of a subscription: its fact's instant, and the day it was heard on."""
        return self._do(follow, party, of, target, day(at), self.policy, day(at if on is None else on))

    def holds(self, at: float, on: float | None = None, *, party: Party = ACME, of: str = SUB) -> Tale:
        return self.follows(Hold(day(at)), at, on, party=party, of=of)

    def keeps(self, *facts: tuple[Any, float], on: float | None = None, of: str = SUB, party: Party = ACME) -> Tale:
        """`facts` as (cause, day), the newest last."""
        keep = Keep(tuple((cause, day(at)) for cause, at in facts))
        return self.follows(keep, facts[-1][1], on, party=party, of=of)

    def allocated(self, holder: Party, on: float, by: Party | None = None) -> Tale:
        return self._do(changing.allocate, holder, by, PARTNERS.get, None, self.policy, day(on))

    def taken_back(self, on: float, by: Party | None = None) -> Tale:
        return self._do(changing.take_back, by, None, self.policy, day(on))

    def changed(self, on: float, **changes: Any) -> Tale:
        return self._do(changing.change, changing.Changes(**changes), None, self.policy, day(on))

    def serving(self, on: float, kind: Any = "trunk", organization: str = ACME.id, **own: Any) -> Tale:
        return self._do(binding.bind, kind, USER, organization, self.policy, day(on), **own)

    def unbound(self, on: float, kind: Any = "trunk") -> Tale:
        return self._do(binding.unbind, kind, self.policy, day(on))

    def bound(self, on: float, kind: Any = "pbx", organization: str = ACME.id) -> Tale:
        state: Any = self.state.state
        event = NumberBound(at=day(on), kind=kind, user_id="user-1", organization_id=organization, state=state)
        return self._do(lambda _: [event])

    def _do(self, decide: Any, *args: Any, **own: Any) -> Tale:
        self.when(lambda n: partial(decide, n, *args, **own)())
        return self

    def at(self, n: float) -> datetime:
        """The instant of a day."""
        return day(n)

    def as_given(self) -> Tale:
        """What has been told so far was no mistake of the test."""
        assert self.refused is None, f"{type(self.refused).__name__}: {self.refused}"
        return self


def reserved_by(cause: Any, at: float) -> Tale:
    """Reserved for the organization because its subscription lost it."""
    return Tale().added(0).holds(1).keeps((cause, at))


NOW = 100
"""The day on which every state below is met by something."""


def states() -> dict[str, Tale]:
    """A number in every state there is, as it stands on day `NOW`."""
    quarantined = Tale(QUARANTINE).added(0).holds(1, party=STRANGER, of=THIRD_SUB)
    found = {
        "absent": Tale(),
        "available": Tale().added(0),
        "available, lapsed": reserved_by("expired", 10).settled(70),
        "available, quarantined": quarantined.keeps(("terminated", 60), of=THIRD_SUB, party=STRANGER).settled(90),
        "available, bound": Tale().added(0, holder=ACME).bound(1),
        "available, held elsewhere": Tale().added(0, holder=STRANGER),
        "reserved": Tale().added(0).reserved(ACME, 90),
        "reserved, for another": Tale().added(0).reserved(STRANGER, 90),
        "reserved, for its partner": Tale().added(0).reserved(RESELLER, 90),
        "reserved, expired": reserved_by("expired", 90),
        "reserved, terminated": reserved_by("terminated", 90),
        "reserved, swapped": reserved_by("swapped", 99.5),
        "reserved, charged": Tale().added(0).reserved(ACME, 90).extended(ACME, 200, 91),
        "reserved, only charged": Tale().added(0).reserved(ACME, 60).extended(ACME, 200, 61),
        "reserved, partner charged": Tale().added(0).reserved(RESELLER, 90).extended(ACME, 200, 91),
        "reserved, overdue": Tale().added(0).reserved(STRANGER, 60),
        "assigned": Tale().added(0).holds(1),
        "locked": Tale().added(0).locked(90),
        "locked, legacy": Tale().added(0, legacy_lock=True),
        "deleted": Tale().added(0).deleted(90),
    }
    return {name: tale.as_given() for name, tale in found.items()}


def outcome(tale: Tale, *, causes: bool = False) -> str:
    """What was decided, in a word or two: the tables' way to say it."""
    if tale.refused is not None:
        return tale.refused.code.removeprefix("number-")
    said = [_word(event, causes=causes) for event in tale.events]
    return " ".join(said).replace("Expired Released", "+") or "-"


def _word(event: Any, *, causes: bool) -> str:
    word = type(event).__name__.removeprefix("Number").removeprefix("Reservation").removeprefix("Assignment")
    return f"R:{event.cause}" if causes and isinstance(event, NumberReserved) else word
