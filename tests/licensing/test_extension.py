"""When an extension is provisioned, changed and deleted, as pure decisions (L1, L2, L15, L16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trunkline.testing import Story
from trunkline_licensing.domain.extension.events import (
    BulkRow,
    ExtensionAssigned,
    ExtensionChanged,
    ExtensionDeleted,
    ExtensionProvisioned,
    Facts,
    HungAddon,
    NumberBindingRequested,
    NumberOn,
    NumberUnbindingRequested,
)
from trunkline_licensing.domain.extension.extension import (
    EXTENSION,
    assign,
    change,
    check_key,
    check_name,
    delete,
    due,
    e164,
    keys_from,
    provision,
)
from trunkline_licensing.domain.pool.catalogue import CONTACT_CENTER, DEVICES, STANDARD, Addon, Catalogue
from trunkline_licensing.domain.pool.errors import (
    AddonPrerequisite,
    AddonUnknown,
    ExtensionUnknown,
    ExtFormat,
    ExtOverflow,
    NameTooLong,
    NumberFormat,
)

ORG = "0a9e0000-0000-4000-8000-000000000001"
SUB = "5ab5c1b7-0000-4000-8000-000000000001"
X = "7e570000-0000-4000-8000-000000000101"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
CHAT, PHONE = HungAddon("team_chat", SUB), HungAddon("device_ip_phone", SUB)


def facts(**own: Any) -> Facts:
    return Facts(**{"organization_id": ORG, "ext_key": "101", "subscription_id": SUB, **own})


def extension(**own: Any) -> Story[Any]:
    return Story(EXTENSION, X).given(ExtensionProvisioned(at=NOW, after=facts(**own)))


def test_then_it_is_born_with_all_it_has() -> None:
    """L1, X5: a number among its facts is asked for in the same breath."""
    asked = NumberOn(number="+6531580101", generation=1, answer_by=NOW + timedelta(seconds=60))
    row = BulkRow("b", 7)
    born = Story(EXTENSION, X).when(lambda _: provision(facts(user_id="u", number=asked), NOW, row))
    born.then(ExtensionProvisioned, NumberBindingRequested)
    born.then_state(lambda x: x.facts.number == asked and x.generation == 1 and x.bulk == row)
    born.then_state(lambda x: due(x) == asked.answer_by and x.claims == {f"ext:{ORG}/101", "user:u"})


def test_then_a_person_is_assigned_once() -> None:
    """L2."""
    told = extension().when(lambda x: assign(x, "u", LATER)).then(ExtensionAssigned(at=LATER, after=facts(user_id="u")))
    told.when(lambda x: assign(x, "u", LATER)).then_nothing()
    told.when(lambda x: change(x, LATER, user_id=None)).then(ExtensionChanged)
    told.then_state(lambda x: x.claims == {f"ext:{ORG}/101"})


def test_then_a_change_names_what_changed_and_why() -> None:
    """L15: several at once; what is so already is not named."""
    told = extension(directory_name="Desk").when(lambda x: change(x, LATER, ext_key="102", directory_name="Desk"))
    told.then(
        ExtensionChanged(
            at=LATER, after=facts(ext_key="102", directory_name="Desk"), changed=("ext_key",), cause="by_hand"
        )
    )
    told.when(lambda x: change(x, LATER, ext_key="102")).then_nothing()


def test_then_an_addon_that_goes_takes_its_suspension_along() -> None:
    """L3, S5: `suspended` names only what is on it."""
    told = extension(addons=(PHONE, CHAT), suspended=("phone_system", "team_chat"))
    told.when(lambda x: change(x, LATER, "terminated", addons=[PHONE], subscription_id=SUB)).then(ExtensionChanged)
    told.then_state(lambda x: x.facts.codes == ("device_ip_phone",) and x.facts.suspended == ("phone_system",))


def test_then_deleting_gives_back_its_number_and_its_claims() -> None:
    """L15, L16: once; nothing can be done to it afterwards."""
    told = extension(user_id="u").given(
        NumberBindingRequested(at=NOW, number="+6531580101", generation=1, organization_id=ORG, answer_by=LATER)
    )
    told.when(lambda x: delete(x, LATER, "by_hand")).then(NumberUnbindingRequested, ExtensionDeleted)
    told.then_state(lambda x: x.deleted and not x.claims and due(x) is None)
    told.when(lambda x: delete(x, LATER, "by_hand")).then_nothing()
    told.when(lambda x: change(x, LATER, ext_key="103")).then_refused(ExtensionUnknown)
    told.when(lambda x: assign(x, "u", LATER)).then_refused(ExtensionUnknown)


@pytest.mark.parametrize("key", ["", "12", "123456", "12a", "１２３", "٣٤٥", "1 2", "-12", "+123"])
def test_then_what_is_no_key_is_refused(key: str) -> None:
    """L1, §9: 3 to 5 ASCII digits."""
    with pytest.raises(ExtFormat):
        check_key(key)


def test_then_keys_follow_each_other() -> None:
    """L1: leading zeros stay, 999 is followed by 1000, 99999 by nothing."""
    assert keys_from("008", 3) == ["008", "009", "010"]
    assert keys_from("998", 3) == ["998", "999", "1000"]
    assert keys_from("99998", 2) == ["99998", "99999"]
    with pytest.raises(ExtOverflow):
        keys_from("99998", 3)


def test_then_names_and_numbers_are_what_they_must_be() -> None:
    """L15, L8, §9: 100 characters; 3 to 15 digits with or without +."""
    check_name("é" * 100)
    for name in ("é" * 101, "a\tb", "a\x00"):
        with pytest.raises(NameTooLong):
            check_name(name)
    assert e164("6531580101") == e164("+6531580101") == "+6531580101"
    for number in ("", "+", "12", "0123", "+" + "1" * 16, "1٢3", "12 34"):
        with pytest.raises(NumberFormat):
            e164(number)


# -- add-ons ----------------------------------------------------------------------------------------------------------


def test_then_there_are_the_nine_codes() -> None:
    """L21."""
    assert {addon.code: addon.name for addon in STANDARD} == {
        "call_recording": "Call Recording",
        "device_desktop_app": "Desktop",
        "license_dnc_checking_enabled": "DNC",
        "device_ip_phone": "IP Phone",
        "device_mobile_app": "Mobile",
        "device_web_rtc": "Web Phone",
        "license_number": "Number",
        "team_chat": "Team Chat",
        "license_center": "Contact Center",
    }


@pytest.mark.parametrize("device", DEVICES)
def test_then_contact_center_needs_any_device(device: str) -> None:
    """L17, §10.13: one of the four is enough; without one, all are named."""
    known = Catalogue()
    known.check([CONTACT_CENTER, device])
    with pytest.raises(AddonPrerequisite) as told:
        known.check([CONTACT_CENTER, "team_chat"])
    assert f"({device})" in told.value.sentence


def test_then_what_is_lacking_already_may_go_on_lacking() -> None:
    """L17, S5: a device that was withdrawn with its subscription does not stand in the way of other changes."""
    known = Catalogue()
    known.check([CONTACT_CENTER, "team_chat"], before=[CONTACT_CENTER])
    with pytest.raises(AddonPrerequisite):
        known.check([CONTACT_CENTER], before=[CONTACT_CENTER, "device_ip_phone"])


def test_then_a_new_code_is_data() -> None:
    """L21: with prerequisites of its own; an unknown one is refused by name."""
    known = Catalogue([Addon("wallboard", "Wallboard", ((CONTACT_CENTER,), ("team_chat",)))])
    with pytest.raises(AddonPrerequisite, match=r"Contact Center .* and Team Chat"):
        known.check(["wallboard"])
    known.check(["wallboard", CONTACT_CENTER, "device_ip_phone", "team_chat"])
    with pytest.raises(AddonUnknown, match="wallboard"):
        Catalogue().check(["wallboard"])
