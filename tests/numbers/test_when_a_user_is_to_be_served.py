"""When a number is to serve a user: of the PBX through its extension, of a trunk, or for SMS (R5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tests.numbers.bindings import EXT, OTHER_EXT, USER
from tests.numbers.facts import ACME, LISTING, QUARANTINE, SISTER, STRANGER, SUB, THIRD_SUB, Tale, day
from trunkline_numbers.domain.number.bindings import Asked, bind, bind_extension, unbind, unbind_extension
from trunkline_numbers.domain.number.errors import BindingNotAllowed, NumberInQuarantine, NumberNotBound, NumberUnknown
from trunkline_numbers.domain.number.events import NumberBound, NumberReserved, NumberUnbound
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.policy import DEFAULT

CAPABLE = replace(LISTING, sms=True)


def bound(n: Number, kind: Any = "trunk", organization: str = ACME.id, on: float = 99) -> Any:
    return bind(n, kind, USER, organization, DEFAULT, day(on))


def asked(generation: int = 1, extension: str = EXT, user: str | None = USER, organization: str = ACME.id) -> Asked:
    return Asked(extension, organization, user, generation)


def at(n: float) -> datetime:
    return day(n)


def test_then_it_must_be_assigned_to_the_organization_or_available_and_held_by_it() -> None:
    """R5: visible is not enough, and neither is a reservation."""
    may = {
        "assigned": Tale().added(0).holds(1),
        "held": Tale().added(0, holder=ACME),
    }
    for tale in may.values():
        tale.when(bound).then(NumberBound)
    may_not = {
        "visible": Tale().added(0),
        "held elsewhere": Tale().added(0, holder=STRANGER),
        "assigned elsewhere": Tale().added(0).holds(1, party=SISTER),
        "reserved": Tale().added(0).reserved(ACME, 90),
        "expired": Tale().added(0).holds(1).keeps(("expired", 90)),
        "locked": Tale().added(0, holder=ACME).locked(90),
        "deleted": Tale().added(0, holder=ACME).deleted(90),
    }
    for tale in may_not.values():
        tale.as_given().when(bound).then_refused(BindingNotAllowed)
    Tale().when(bound).then_refused(NumberUnknown)


def test_then_it_needs_the_capability() -> None:
    """R5: voice for the PBX and for trunks, SMS for SMS."""
    no_voice = replace(LISTING, voice=False, sms=True)
    Tale().added(0, holder=ACME).when(lambda n: bound(n, "sms")).then_refused(BindingNotAllowed)
    for ask in (lambda n: bound(n, "trunk"), lambda n: bind_extension(n, asked(), DEFAULT, day(99))):
        Tale().added(0, holder=ACME, listing=no_voice).when(ask).then_refused(BindingNotAllowed)
    Tale().added(0, holder=ACME, listing=no_voice).when(lambda n: bound(n, "sms")).then(NumberBound)


def test_then_one_voice_user_and_one_for_sms() -> None:
    """R5: PBX and trunk share the one voice binding."""
    tale = Tale().added(0, holder=ACME, listing=CAPABLE)
    tale.when(lambda n: bound(n, "trunk")).then(NumberBound).when(lambda n: bound(n, "sms")).then(NumberBound)
    tale.when(lambda n: bind_extension(n, asked(), DEFAULT, day(99))).then_refused(BindingNotAllowed)
    tale.when(lambda n: bind(n, "sms", "another", ACME.id, DEFAULT, day(99))).then_refused(BindingNotAllowed)
    tale.when(bound).then_nothing()
    assert {b.kind for b in tale.state.bindings} == {"trunk", "sms"}


def test_then_a_quarantine_keeps_it_from_a_new_holder() -> None:
    """N15, R5: until it is over only the organization it was last assigned to can have it."""
    tale = Tale(QUARANTINE).added(0, holder=ACME).holds(1, of=THIRD_SUB)
    tale.keeps(("terminated", 60), of=THIRD_SUB).settled(90).as_given()
    tale.when(bound).then(NumberBound)
    other = replace(tale.state, bindings=(), holder_id=STRANGER.id, holder_kind="organization")
    with pytest.raises(NumberInQuarantine):
        bound(other, organization=STRANGER.id)


def test_then_it_rings_at_an_extension_in_the_newest_generation() -> None:
    """X5: asked again for the same extension it is bound again, whatever has happened to the number meanwhile."""
    tale = Tale().added(0).holds(1)
    tale.when(lambda n: bind_extension(n, asked(), DEFAULT, at(2))).then(NumberBound)
    tale.when(lambda n: bind_extension(n, asked(1, OTHER_EXT), DEFAULT, at(2))).then_refused(BindingNotAllowed)
    tale.keeps(("expired", 3)).when(lambda n: bind_extension(n, asked(2, user=None), DEFAULT, at(4)))
    tale.then(NumberBound).then_state(lambda n: [(b.user_id, b.generation) for b in n.bindings] == [(None, 2)])


def test_then_only_its_own_extension_ends_the_binding() -> None:
    """X5: a withdrawal that comes after somebody else has the number does nothing to it."""
    tale = Tale().added(0).holds(1).when(lambda n: bind_extension(n, asked(), DEFAULT, at(2)))
    tale.when(lambda n: unbind_extension(n, OTHER_EXT, DEFAULT, at(3))).then_nothing()
    tale.when(lambda n: unbind_extension(n, EXT, DEFAULT, at(3))).then(NumberUnbound)
    assert tale.events[0].cause == "asked"  # type: ignore[attr-defined]
    tale.when(lambda n: unbind_extension(n, EXT, DEFAULT, at(3))).then_nothing()
    tale.then_state(lambda n: n.state == "assigned")


def test_then_a_binding_that_is_not_there_cannot_be_ended_by_hand() -> None:
    """R5: and says so."""
    Tale().added(0).when(lambda n: unbind(n, "trunk", DEFAULT, day(99))).then_refused(NumberNotBound)
    Tale().when(lambda n: unbind(n, "sms", DEFAULT, day(99))).then_refused(NumberUnknown)
    tale = Tale().added(0, holder=ACME).when(bound)
    tale.when(lambda n: unbind(n, "trunk", DEFAULT, day(99))).then(NumberUnbound)


def test_then_what_fell_due_is_settled_first() -> None:
    """N10: a number whose reservation is over is available to its holder at that instant, not reserved."""
    tale = Tale().added(0, holder=ACME).reserved(ACME, 1)
    tale.when(lambda n: bound(n, on=40)).as_given()
    assert isinstance(tale.events[-1], NumberBound)
    assert tale.state.state == "available"


def test_then_expiry_suspends_and_everything_else_ends_it() -> None:
    """X5: the generation that was bound is named by the end, so that licensing knows which of its requests is meant."""
    for cause, stays in {"expired": True, "terminated": False, "swapped": False}.items():
        tale = Tale().added(0).holds(1).when(lambda n: bind_extension(n, asked(7), DEFAULT, at(2)))
        tale.keeps((cause, 3), of=SUB).as_given()
        assert any(isinstance(e, NumberReserved) for e in tale.events)
        ended = [(e.cause, e.generation) for e in tale.events if isinstance(e, NumberUnbound)]
        assert ended == ([] if stays else [(cause, 7)])
        assert bool(tale.state.bindings) is stays


def test_then_another_binding_of_the_same_kind_takes_the_place_of_the_first() -> None:
    """R5: history that was written twice still has one."""
    event = NumberBound(at=at(1), kind="pbx", user_id=None, organization_id=ACME.id, state="available")
    n = evolve(evolve(Tale().added(0).state, event), event)
    assert len(n.bindings) == 1
