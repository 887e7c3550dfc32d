"""When what a number is changes: capabilities, carriers, marks, domains, the trunk's form (R2, R8, R9, R10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.numbers.facts import ACME, LISTING, Tale, day
from trunkline_numbers.domain.number import errors as refusals
from trunkline_numbers.domain.number.events import NumberChanged, NumberReserved
from trunkline_numbers.domain.policy import Policy, SpecialPeriod

ADDED = replace(LISTING, voice_carrier="default")


def test_then_what_is_named_changes_and_nothing_else() -> None:
    """R8, R10: routing, domains, marks, SKU, vendor; all attributes after it, and the names of those that changed."""
    wanted = {
        "routing": "r1",
        "golden": True,
        "ported_in": True,
        "domains": ("a.example",),
        "sku": "s2",
        "vendor": "v2",
    }
    listing = replace(ADDED, **wanted)
    changed = ("sku", "vendor", "routing", "golden", "ported_in", "domains")
    tale = Tale().added(0).changed(1, **wanted)
    tale.then(NumberChanged(at=day(1), listing=listing, changed=changed, state="available"))
    tale.changed(2, golden=True, routing="r1").then_nothing()
    tale.changed(3).then_nothing()
    assert tale.changed(4, routing=None, domains=()).state.listing == replace(listing, routing=None, domains=())


def test_then_a_new_capability_gets_the_default_carrier() -> None:
    """R2, R8: unless one was chosen."""
    tale = Tale(Policy(sms_carrier="texts")).added(0).changed(1, sms=True)
    (event,) = tale.events
    assert isinstance(event, NumberChanged)
    assert (event.changed, event.listing.sms_carrier) == (("sms", "sms_carrier"), "texts")
    chosen = Tale().added(0).changed(1, sms=True, sms_carrier="mine")
    assert chosen.state.listing.sms_carrier == "mine"


def test_then_the_carrier_stays_while_a_user_is_served() -> None:
    """R8: also that of the other capability; the same one again is no change."""
    tale = Tale().added(0).holds(1).serving(2)
    for wanted in ({"voice_carrier": "other"}, {"sms_carrier": "other"}, {"voice_carrier": None}):
        tale.changed(3, **wanted).then_refused(refusals.NumberHasBinding)
    tale.changed(3, voice_carrier="default").then_nothing()
    assert tale.unbound(4).changed(5, voice_carrier="other").state.listing.voice_carrier == "other"


def test_then_a_capability_that_a_user_needs_stays() -> None:
    """R5, R8: voice under a trunk user, SMS under an SMS user; the others may change."""
    tale = Tale().added(0, listing=replace(LISTING, sms=True)).holds(1).serving(2).serving(3, "sms")
    tale.changed(4, voice=False).then_refused(refusals.NumberHasBinding)
    tale.changed(4, sms=False).then_refused(refusals.NumberHasBinding)
    tale.changed(4, fax=True)
    assert tale.state.listing.fax
    assert not tale.unbound(5, "sms").changed(6, sms=False).state.listing.sms


def test_then_a_mark_decides_the_period_of_what_comes_after() -> None:
    """R10, N15: not of a reservation that is there."""
    special = SpecialPeriod(property="golden", cause="manual", days=90)
    tale = Tale(Policy(special_periods=(special,))).added(0).reserved(ACME, 1).changed(2, golden=True)
    assert tale.state.life == Tale().added(0).reserved(ACME, 1).state.life
    (event,) = tale.released(3).reserved(ACME, 4).events
    assert isinstance(event, NumberReserved)
    assert event.ends_at - event.at == timedelta(days=90)


def test_then_a_trunks_own_form_may_become_another_but_never_comes_anew() -> None:
    """R9: new bindings take the exact number; a form from an import is changed where there is one."""
    tale = Tale().added(0).holds(1).serving(2)
    tale.changed(3, trunk_form="+651001").then_refused(refusals.TrunkFormNotKept)
    tale.changed(3, trunk_form=None).then_nothing()
    old = Tale().added(0).holds(1).serving(2, trunk_form="+651001").changed(3, trunk_form="+651002")
    old.then(NumberChanged(at=day(3), listing=ADDED, changed=("trunk_form",), state="assigned", trunk_form="+651002"))
    assert old.state.bindings[0].trunk_form == "+651002"
    assert old.changed(4, trunk_form=None).state.bindings[0].trunk_form is None
    old.changed(5, trunk_form="+651003").then_refused(refusals.TrunkFormNotKept)


def test_then_the_form_goes_with_its_binding() -> None:
    """R9: the next user has the exact number."""
    tale = Tale().added(0).holds(1).serving(2, trunk_form="+651001").unbound(3).serving(4)
    assert tale.state.bindings[0].trunk_form is None


@pytest.mark.parametrize("state", ["absent", "deleted"])
def test_then_what_is_not_in_the_inventory_cannot_be_changed(state: str) -> None:
    """R8, §3."""
    tale = Tale() if state == "absent" else Tale().added(0).deleted(1)
    refusal = refusals.NumberUnknown if state == "absent" else refusals.NumberNotInInventory
    tale.changed(2, golden=True).then_refused(refusal)
