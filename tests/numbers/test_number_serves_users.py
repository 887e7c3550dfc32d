"""When a number is bound to trunk and SMS users by hand, and unbound (R5, R9)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.numbers.facts import ACME, LISTING, QUARANTINE, RESELLER, SISTER, SUB, USER, Tale, day
from trunkline_numbers.domain.number import errors as refusals
from trunkline_numbers.domain.number.events import NumberBound, NumberUnbound

BOTH = replace(LISTING, sms=True)


def test_then_an_assigned_number_serves_a_user_of_its_organization() -> None:
    """R5: the exact number (R9); the same user again says nothing."""
    tale = Tale().added(0).assigned(ACME, SUB, 1).serving(2, remark="  the front desk ")
    bound = NumberBound(
        at=day(2), kind="trunk", user_id=USER, organization_id=ACME.id, state="assigned", remark="the front desk"
    )
    tale.then(bound)
    tale.serving(3).then_nothing()
    unbound = NumberUnbound(
        at=day(4), kind="trunk", user_id=USER, organization_id=ACME.id, cause="by_hand", state="assigned"
    )
    tale.unbound(4).then(unbound)
    tale.unbound(5).then_refused(refusals.NumberNotBound)


def test_then_an_available_number_serves_a_user_of_its_holder() -> None:
    """R5: held by the organization itself; a partner's, or nobody's, does not."""
    assert Tale().added(0, holder=ACME).serving(1).state.bindings
    for tale in (Tale().added(0), Tale().added(0, holder=RESELLER), Tale().added(0, holder=SISTER)):
        tale.serving(1).then_refused(refusals.BindingNotAllowed)


@pytest.mark.parametrize("state", ["reserved", "locked", "deleted"])
def test_then_no_other_state_will_do(state: str) -> None:
    """R5."""
    tale = Tale().added(0, holder=ACME)
    did = {
        "reserved": lambda: tale.reserved(ACME, 1),
        "locked": lambda: tale.locked(1),
        "deleted": lambda: tale.deleted(1),
    }
    did[state]().serving(2).then_refused(refusals.BindingNotAllowed)


def test_then_it_has_one_voice_user_and_one_sms_user() -> None:
    """R5: a second one of either is refused; trunk and PBX are both voice."""
    tale = Tale().added(0, listing=BOTH, holder=ACME).serving(1).serving(2, "sms")
    assert [b.kind for b in tale.state.bindings] == ["trunk", "sms"]
    pbx = Tale().added(0, listing=BOTH, holder=ACME).bound(1)
    pbx.serving(2).then_refused(refusals.BindingNotAllowed)
    assert len(pbx.serving(3, "sms").state.bindings) == 2


def test_then_it_needs_the_capability() -> None:
    """R5."""
    Tale().added(0, holder=ACME).serving(1, "sms").then_refused(refusals.BindingNotAllowed)
    mute = replace(BOTH, voice=False)
    Tale().added(0, listing=mute, holder=ACME).serving(1).then_refused(refusals.BindingNotAllowed)


def test_then_a_quarantine_keeps_it_from_users_too() -> None:
    """R5, N15: but not from those of its last organization."""
    tale = Tale(QUARANTINE).added(0).holds(1).keeps(("terminated", 10)).settled(60)
    tale.allocated(SISTER, 61).serving(62, organization=SISTER.id).then_refused(refusals.NumberInQuarantine)
    tale.taken_back(63).allocated(ACME, 64).serving(65)
    assert tale.state.bindings


def test_then_it_can_be_neither_locked_nor_deleted_nor_kept_for_another() -> None:
    """§3, R7."""
    tale = Tale().added(0, holder=ACME).serving(1)
    tale.locked(2).then_refused(refusals.NumberHasBinding)
    tale.locked(2, legacy=True).then_refused(refusals.NumberHasBinding)
    tale.deleted(2).then_refused(refusals.NumberHasBinding)
    tale.reserved(SISTER, 2).then_refused(refusals.NumberHasBinding)
    assert tale.reserved(ACME, 3).state.state == "reserved"
