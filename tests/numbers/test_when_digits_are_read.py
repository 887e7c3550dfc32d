"""When the digits of a number are read the quick way: as `phonenumbers` reads them, in every country (R1, §9)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, ValidationResult

from trunkline.errors import Refused
from trunkline_numbers.application.numbering_plan import Plan, plan_by_calling_code, plan_of
from trunkline_numbers.application.phone_number import country_named, read_number

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = range(11)


def slowly(text: str, country: str) -> tuple[str, str | None, bool] | None:
    """E.164, region and whether it looks assigned, in the words of `phonenumbers`; None: not possible."""
    try:
        read = phonenumbers.parse(text, None if text.startswith("+") else country)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(read) != ValidationResult.IS_POSSIBLE:
        return None
    e164 = phonenumbers.format_number(read, PhoneNumberFormat.E164)
    return e164, phonenumbers.region_code_for_number(read), phonenumbers.is_valid_number(read)


def agrees(plan: Plan, text: str) -> bool:
    """Whether the quick way gave an answer, which then must be the slow way's."""
    quick = plan.read(text)
    if quick is None:
        return False
    slow = slowly(text, plan.country)
    assert slow is not None, text
    assert (quick[0], quick[2]) == (slow[0], slow[2]), text
    assert not slow[2] or quick[1] == slow[1], text
    return True


def near(plan: Plan, chance: random.Random) -> Iterator[str]:
    """Texts that look like numbers of a country: its examples, their neighbours, with every kind of prefix."""
    for kind in TYPES:
        example = phonenumbers.example_number_for_type(plan.country, kind)
        if example is None:
            continue
        digits = phonenumbers.national_significant_number(example)
        for _ in range(4):
            kept = digits[: chance.randint(1, len(digits))]
            length = max(1, len(digits) + chance.choice((0, 0, 0, -1, 1)))
            near_by = (kept + "".join(chance.choices("0123456789", k=length)))[:length]
            yield from (near_by, f"+{plan.calling_code}{near_by}", f"{plan.calling_code}{near_by}")
            yield from (f"{prefix}{near_by}" for prefix in "018")


@pytest.mark.parametrize("letter", sorted({country[0] for country in COUNTRIES}))
def test_then_every_country_reads_as_phonenumbers_reads(letter: str) -> None:
    """R1: E.164, region and looks, for numbers of every type and their neighbours."""
    chance = random.Random(letter)
    for country in COUNTRIES:
        if country.startswith(letter):
            plan = plan_of(country)
            assert plan is not None
            assert sum(agrees(plan, text) for text in near(plan, chance)), country


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COUNTRIES), st.from_regex(r"\+?[0-9]{1,17}", fullmatch=True))
def test_then_any_digits_read_as_phonenumbers_reads(country: str, text: str) -> None:
    """R1."""
    plan = plan_of(country)
    assert plan is not None
    agrees(plan, text)
    agrees(plan, f"+{plan.calling_code}{text.removeprefix('+')}")


def test_then_ordinary_numbers_are_read_the_quick_way() -> None:
    """R1: else nobody would gain by it."""
    for country, text in (("SG", "31580001"), ("SG", "+6531580001"), ("US", "2125550123"), ("GB", "+442079460123")):
        plan = plan_of(country)
        assert plan is not None
        assert agrees(plan, text)
    assert plan_of("ZZ") is None
    assert plan_by_calling_code(999) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("+", "number-unreadable"),
        ("", "number-unreadable"),
        ("3158O001", "number-unreadable"),
        ("+6531580001234567", "number-unreadable"),
        ("１２３４５６７８", "number-unreadable"),
        ("+14155550100", "number-unreadable"),
        ("0", "number-unreadable"),
        ("995", "number-is-short-code"),
        ("1777", "number-is-short-code"),
        ("3158\n0001", "number-unreadable"),
    ],
)
def test_then_what_is_no_number_has_its_own_sentence(text: str, code: str) -> None:
    """§9: letters, a lone `+`, 16 digits, another country's number, short codes: each a code and a sentence."""
    with pytest.raises(Refused) as told:
        read_number(text, "SG")
    assert told.value.code == code
    assert repr(text[:60]) in told.value.sentence


def test_then_a_country_is_named_by_its_code_or_its_calling_code() -> None:
    """R1: ISO in any case, or the calling code with or without `+`."""
    for text in ("SG", "sg", " Sg ", "65", "+65"):
        assert country_named(text) == "SG"
    assert country_named("1") == "US"
    for text in ("", "+", "0065", "XX", "999", "S", "６５", "65a"):
        with pytest.raises(Refused, match="calling code"):
            country_named(text)
