"""Which users a number serves (R5): one guard for every kind of binding, and the binding of an extension (X5).

A number has at most one voice binding (`pbx` or `trunk`) and at most one `sms` binding. It needs the capability, and
it must be Assigned to the organization, or Available and held by it. A binding whose number is reserved since its
subscription expired stays on the number: it is suspended, and nobody can make it then.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.eventstore.decider import Event
from trunkline_numbers.domain.number.errors import BindingNotAllowed, NumberInQuarantine, NumberNotBound, NumberUnknown
from trunkline_numbers.domain.number.events import BindingKind, NumberBound, NumberUnbound
from trunkline_numbers.domain.number.number import decided
from trunkline_numbers.domain.number.remarks import may_remark
from trunkline_numbers.domain.number.state import Absent, Assigned, Available, Binding, Number
from trunkline_numbers.domain.policy import Policy


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The extension that licensing asks a number for, and in which generation of its requests."""

    extension_id: str
    organization_id: str
    user_id: str | None
    generation: int


def bind(
    n: Number,
    kind: BindingKind,
    user_id: str | None,
    organization_id: str,
    policy: Policy,
    now: datetime,
    *,
    trunk_form: str | None = None,
    remark: str | None = None,
) -> list[Event]:
    """Let the number serve a trunk or SMS user, by hand; the same user again says nothing (R5).

    `trunk_form` is the legacy form by which a trunk knows the number (R9); who may bring it in is for the door to see.

    Raises:
        Refused: see `check_bindable`.
    """
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        has = binding(m, kind)
        if has is not None and (has.user_id, has.organization_id) == (user_id, organization_id):
            return []
        check_bindable(m, kind, organization_id, now)
        return [replace(_bound(m, kind, user_id, organization_id, now), trunk_form=trunk_form, remark=remark)]

    return decided(n, now, now, policy, fact)


def unbind(n: Number, kind: BindingKind, policy: Policy, now: datetime, *, remark: str | None = None) -> list[Event]:
    """End a binding by hand.

    Raises:
        NumberNotBound, NumberUnknown: there is none of this kind.
    """
    remark = may_remark(n.number, remark)

    def fact(m: Number) -> list[Event]:
        if isinstance(m.life, Absent):
            raise NumberUnknown(number=m.number)
        has = binding(m, kind)
        if has is None:
            raise NumberNotBound(number=m.number, kind=kind)
        return [replace(_unbound(m, has, "by_hand", now), remark=remark)]

    return decided(n, now, now, policy, fact)


def bind_extension(n: Number, requested: Asked, policy: Policy, now: datetime) -> list[Event]:
    """Let the number ring at an extension; where it does already, the generation is new and perhaps the user.

    Raises:
        Refused: see `check_bindable`.
    """

    def fact(m: Number) -> list[Event]:
        has = binding(m, "pbx")
        if has is None or has.extension_id != requested.extension_id:
            check_bindable(m, "pbx", requested.organization_id, now)
        return [_bound(m, "pbx", requested.user_id, requested.organization_id, now, requested)]

    return decided(n, now, now, policy, fact)


def unbind_extension(n: Number, extension_id: str, policy: Policy, now: datetime) -> list[Event]:
    """Let the number ring at this extension no more, as licensing asked; where it does not, nothing."""

    def fact(m: Number) -> list[Event]:
        has = binding(m, "pbx")
        return [_unbound(m, has, "asked", now)] if has is not None and has.extension_id == extension_id else []

    return decided(n, now, now, policy, fact)


def binding(n: Number, kind: BindingKind) -> Binding | None:
    """The number's binding of this kind; None where it has none."""
    return next((b for b in n.bindings if b.kind == kind), None)


def check_bindable(n: Number, kind: BindingKind, organization_id: str, now: datetime) -> None:
    """Refuse unless a user of this organization may be served by the number (R5).

    The sentence is for somebody who may see the number; whoever answers another one says less.

    Raises:
        NumberUnknown, NumberInQuarantine, BindingNotAllowed: why not.
    """
    life = n.life
    if isinstance(life, Absent):
        raise NumberUnknown(number=n.number)
    if not belongs(n, organization_id):
        why = f"it is {n.state}, and neither assigned to the organization nor available and held by it"
        raise BindingNotAllowed(number=n.number, kind=kind, why=why)
    if isinstance(life, Available):
        until = life.quarantined_until
        if until is not None and until > now and n.last_organization_id != organization_id:
            raise NumberInQuarantine(number=n.number, until=rfc3339(until))
    capability = "sms" if kind == "sms" else "voice"
    if not getattr(n.listing, capability):
        raise BindingNotAllowed(number=n.number, kind=kind, why=f"it is not capable of {capability}")
    if any((b.kind == "sms") == (kind == "sms") for b in n.bindings):
        user = "an SMS user" if kind == "sms" else "a voice user"
        raise BindingNotAllowed(number=n.number, kind=kind, why=f"it serves {user} already")


def belongs(n: Number, organization_id: str) -> bool:
    """Whether the number is Assigned to the organization, or Available and held by it."""
    match n.life:
        case Assigned() as life:
            return life.organization_id == organization_id
        case Available():
            return n.holder_id == organization_id
        case _:
            return False


def _bound(
    n: Number,
    kind: BindingKind,
    user_id: str | None,
    organization_id: str,
    at: datetime,
    requested: Asked | None = None,
) -> NumberBound:
    return NumberBound(
        at=at,
        kind=kind,
        user_id=user_id,
        organization_id=organization_id,
        state=n.state,  # type: ignore[arg-type] # not absent: that has been refused
        extension_id=requested.extension_id if requested else None,
        generation=requested.generation if requested else None,
    )


def _unbound(n: Number, b: Binding, cause: str, at: datetime) -> NumberUnbound:
    return NumberUnbound(
        at=at,
        kind=b.kind,
        user_id=b.user_id,
        organization_id=b.organization_id,
        extension_id=b.extension_id,
        generation=b.generation,
        cause=cause,  # type: ignore[arg-type]
        state=n.state,  # type: ignore[arg-type]
    )
