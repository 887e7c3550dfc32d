"""One extension: a Phone System license that became a key to dial, with perhaps a person, add-ons and a number (L1-L4).

    (none) -- provisioned --> extension -- deleted --> (gone, final)
                                | assigned, changed           ^ by hand (L15); its subscription is over (S5);
                                | its number: see below       | its row's number was refused (L12)

    number:  none -- requested --> requested -- bound --> bound <-- suspended, resumed --> suspended -- lost --> lost
                                       +-- refused, or no answer in time --> refused

Keys are unique in an organization and a person has at most one extension: both are claims that a piece of work takes
and gives back beside the events (`claims`). Units are counted by their pools (`license_pool`), in the same work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from trunkline.eventstore.decider import Decider
from trunkline.eventstore.epochs import sequence_of
from trunkline_licensing.domain.extension.events import (
    EVENTS,
    ON_IT,
    AnyEvent,
    BulkRow,
    ExtensionAssigned,
    ExtensionChanged,
    ExtensionDeleted,
    ExtensionNumberBound,
    ExtensionNumberLost,
    ExtensionNumberRefused,
    ExtensionNumberResumed,
    ExtensionNumberSuspended,
    ExtensionProvisioned,
    Facts,
    HungAddon,
    NumberBindingRequested,
    NumberOn,
    NumberStatus,
    NumberUnbindingRequested,
)
from trunkline_licensing.domain.pool.errors import (
    ExtensionUnknown,
    ExtFormat,
    ExtOverflow,
    NameBlank,
    NameTooLong,
    NumberFormat,
)

FEWEST_DIGITS: Final = 3
MOST_DIGITS: Final = 5
LONGEST_NAME: Final = 100

# -- state ------------------------------------------------------------------------------------------------------------


class Extension(msgspec.Struct, frozen=True):
    """All that decisions need to know of an extension.

    Attributes:
        facts: what it is (what it was, once deleted); None: not provisioned.
        generation: of its newest request for a number; 0: it never asked.
        bulk: the row that made it.
        row_waits: that row waits for the answer about the number it asked for.
    """

    id: str
    facts: Facts | None = None
    generation: int = 0
    deleted: bool = False
    bulk: BulkRow | None = None
    row_waits: bool = False

    @property
    def alive(self) -> bool:
        """Whether there is such an extension now."""
        return self.facts is not None and not self.deleted

    @property
    def claims(self) -> frozenset[str]:
        """What nobody else can have: its key in its organization, and its person (L2)."""
        if self.facts is None or self.deleted:
            return frozenset()
        held = {key_claim(self.facts.organization_id, self.facts.ext_key)}
        return frozenset(held | ({user_claim(self.facts.user_id)} if self.facts.user_id else set()))


def key_claim(organization_id: str, ext_key: str) -> str:
    """The claim to a key in an organization."""
    return f"ext:{organization_id}/{ext_key}"


def user_claim(identity_id: str) -> str:
    """The claim to a person."""
    return f"user:{identity_id}"


def evolve(x: Extension, event: AnyEvent) -> Extension:
    """The extension after one more event. Assigns only; never guards."""
    match event:
        case ExtensionProvisioned():
            waits = event.bulk is not None and event.after.number is not None
            return replace(x, facts=event.after, bulk=event.bulk, row_waits=waits)
        case ExtensionAssigned() | ExtensionChanged():
            return replace(x, facts=event.after)
        case ExtensionDeleted():
            return replace(x, facts=event.after, deleted=True)
        case NumberBindingRequested():
            row_waits = x.row_waits and x.generation == 0
            return _number(replace(x, generation=event.generation, row_waits=row_waits), _asked(x, event))
        case NumberUnbindingRequested():
            held = x.facts.number if x.facts is not None else None
            x = replace(x, generation=max(x.generation, event.generation))
            return _number(x, None) if held is not None and held.generation <= event.generation else x
        case _:
            refused = isinstance(event, ExtensionNumberRefused)
            return _number(replace(x, row_waits=x.row_waits and refused), _answered(event))


def _asked(x: Extension, event: NumberBindingRequested) -> NumberOn:
    held = x.facts.number if x.facts is not None else None
    if event.answer_by is None and held is not None:
        return replace(held, generation=event.generation)
    return NumberOn(number=event.number, generation=event.generation, answer_by=event.answer_by)


def _answered(event: NumberAnswered) -> NumberOn:
    on = NumberOn(number=event.number, generation=event.generation, status=_STATUS[type(event)])
    match event:
        case ExtensionNumberRefused():
            return replace(on, code=event.code, reason=event.reason)
        case ExtensionNumberLost():
            return replace(on, code=event.cause)
        case _:
            return on


NumberAnswered = (
    ExtensionNumberBound
    | ExtensionNumberRefused
    | ExtensionNumberLost
    | ExtensionNumberSuspended
    | ExtensionNumberResumed
)
_STATUS: Final[dict[type[AnyEvent], NumberStatus]] = {
    ExtensionNumberBound: "bound",
    ExtensionNumberRefused: "refused",
    ExtensionNumberLost: "lost",
    ExtensionNumberSuspended: "suspended",
    ExtensionNumberResumed: "bound",
}


def _number(x: Extension, number: NumberOn | None) -> Extension:
    return x if x.facts is None else replace(x, facts=replace(x.facts, number=number))


def due(x: Extension) -> datetime | None:
    """When a request for a number that nobody has answered counts as refused (X5)."""
    if x.facts is None or x.deleted or x.facts.number is None or x.facts.number.status != "requested":
        return None
    return x.facts.number.answer_by


EXTENSION: Decider[Extension] = Decider("extension", Extension, evolve, EVENTS, due)

# -- what a key and a name must be ------------------------------------------------------------------------------------


def check_key(ext_key: str) -> None:
    """Refuse what is no extension key (L1): 3 to 5 ASCII digits.

    Raises:
        ExtFormat: it is none.
    """
    if not (ext_key.isascii() and ext_key.isdigit() and FEWEST_DIGITS <= len(ext_key) <= MOST_DIGITS):
        raise ExtFormat(value=ext_key)


def check_name(name: str) -> None:
    """Refuse a directory name that is too long (L15), or that no line can hold.

    Raises:
        NameBlank: it has nothing but blanks.
        NameTooLong: it has more than 100 characters, or one that nobody sees.
    """
    if not name.strip():
        raise NameBlank
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise NameTooLong(length=len(name), value=name)


def e164(text: str) -> str:
    """A number in E.164 form, from digits with or without `+` before them.

    Raises:
        NumberFormat: it is none.
    """
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and FEWEST_DIGITS <= len(digits) <= 15 and digits[0] != "0"):
        raise NumberFormat(value=text)
    return f"+{digits}"


def keys_from(start: str, count: int) -> list[str]:
    """So many consecutive keys (L1); leading zeros are kept, and 999 is followed by 1000.

    Raises:
        ExtFormat: the first one is no key.
        ExtOverflow: the last one would have 6 digits.
    """
    check_key(start)
    if len(str(int(start) + count - 1)) > MOST_DIGITS:
        raise ExtOverflow(count=count, start=start, value=start)
    return [str(n).zfill(len(start)) for n in range(int(start), int(start) + count)]


# -- decisions --------------------------------------------------------------------------------------------------------


def provision(facts: Facts, at: datetime, bulk: BulkRow | None = None) -> list[AnyEvent]:
    """A new extension; a number among its facts is asked for in the same breath (L1, X5)."""
    events: list[AnyEvent] = [ExtensionProvisioned(at=at, after=facts, bulk=bulk)]
    number = facts.number
    if number is not None and number.answer_by is not None:
        requested = NumberBindingRequested(
            at=at,
            number=number.number,
            generation=number.generation,
            organization_id=facts.organization_id,
            user_id=facts.user_id,
            answer_by=number.answer_by,
        )
        events.append(requested)
    return events


def assign(x: Extension, user_id: str, at: datetime, epoch: int = 0) -> list[AnyEvent]:
    """Let it serve a person (L2); whom it served before, it serves no more. Whether they are free is the caller's look.

    `epoch` is that of the service's log: see `next_generation`.

    Raises:
        ExtensionUnknown: there is no such extension any more.
    """
    facts = _facts(x)
    if facts.user_id == user_id:
        return []
    assigned = ExtensionAssigned(at=at, after=replace(facts, user_id=user_id))
    return [assigned, *tell_user(evolve(x, assigned), facts.user_id, at, epoch)]


def change(
    x: Extension,
    at: datetime,
    cause: str = "by_hand",
    *,
    ext_key: str | UnsetType = UNSET,
    directory_name: str | UnsetType | None = UNSET,
    user_id: UnsetType | None = UNSET,
    addons: Sequence[HungAddon] | UnsetType = UNSET,
    suspended: Iterable[str] | UnsetType = UNSET,
    subscription_id: str | None = None,
    epoch: int = 0,
) -> list[AnyEvent]:
    """Make some of its facts others (L15); what is so already says nothing.

    Args:
        x: the extension.
        at: when.
        cause: why: see `ExtensionChanged`.
        ext_key: checked already, and free.
        directory_name: None: none.
        user_id: None: it serves nobody any more; see `assign` for a person.
        addons: all it is to have.
        suspended: the licenses of it that nothing covers.
        subscription_id: what became of which subscription, if that is the cause.
        epoch: of the service's log: see `next_generation`.

    Raises:
        ExtensionUnknown: there is no such extension any more.
    """
    facts = _facts(x)
    fields: dict[str, object] = {"ext_key": ext_key, "directory_name": directory_name, "user_id": user_id}
    if addons is not UNSET:
        fields["addons"] = tuple(sorted(addons, key=lambda addon: addon.code))
        fields["suspended"] = tuple(c for c in facts.suspended if c not in facts.codes or c in _codes(addons))
    if suspended is not UNSET:
        fields["suspended"] = tuple(sorted(suspended))
    after = replace(facts, **{name: value for name, value in fields.items() if value is not UNSET})
    changed = tuple(name for name in fields if getattr(after, name) != getattr(facts, name))
    if not changed:
        return []
    is_now = ExtensionChanged(at=at, after=after, changed=changed, cause=cause, subscription_id=subscription_id)
    return [is_now, *tell_user(evolve(x, is_now), facts.user_id, at, epoch)]


def delete(x: Extension, at: datetime, cause: str, subscription_id: str | None = None) -> list[AnyEvent]:
    """End it (L15). A number that is on it, or may yet come on it, is given back first (X5). Said again, nothing."""
    if x.facts is None or x.deleted:
        return []
    given_up = give_up_number(x, at, cause)
    after = replace(x.facts, number=None) if given_up else x.facts
    return [*given_up, ExtensionDeleted(at=at, after=after, cause=cause, subscription_id=subscription_id)]


def give_up_number(x: Extension, at: datetime, cause: str) -> list[AnyEvent]:
    """Tell numbers that the number asked for last counts no more (X5); nothing where none is, or may come, on it."""
    number = x.facts.number if x.facts is not None else None
    if x.facts is None or number is None or number.status not in ON_IT:
        return []
    unbinding = NumberUnbindingRequested(
        at=at,
        number=number.number,
        generation=number.generation,
        organization_id=x.facts.organization_id,
        user_id=x.facts.user_id,
        cause=cause,
    )
    return [unbinding]


def next_generation(x: Extension, epoch: int) -> int:
    """The generation of the next request for a number.

    A log that was restored has forgotten requests that numbers remembers. So the epoch leads here too (X1): a new
    request is newer than every one that was made before the restore.
    """
    return max(x.generation, sequence_of(epoch, 0)) + 1


def tell_user(x: Extension, text: str | None, at: datetime, epoch: int = 0) -> list[AnyEvent]:
    """Tell numbers whom a bound number rings at, where that is another person than it was `text` (X5).

    A number that is only asked for is told of once it is bound. `epoch`: see `next_generation`.
    """
    number = x.facts.number if x.facts is not None else None
    if x.facts is None or number is None or number.status not in ("bound", "suspended") or x.facts.user_id == text:
        return []
    again = NumberBindingRequested(
        at=at,
        number=number.number,
        generation=next_generation(x, epoch),
        organization_id=x.facts.organization_id,
        user_id=x.facts.user_id,
    )
    return [again]


def _facts(x: Extension) -> Facts:
    if x.facts is None or x.deleted:
        raise ExtensionUnknown(extension_id=x.id)
    return x.facts


def _codes(addons: Sequence[HungAddon]) -> set[str]:
    return {addon.code for addon in addons}
