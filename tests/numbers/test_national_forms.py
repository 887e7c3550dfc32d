"""Telephone numbers in the national forms of their countries (R1, N12, §9)."""

from __future__ import annotations

from collections.abc import Collection

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from trunkline.files.csv_reader import read_csv
from trunkline_numbers.application.imports import parse
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.phone_number import NumberUnreadable, read_number

_TYPES = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE, PhoneNumberType.VOIP)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_then_the_national_example_of_every_region_is_read(region: str) -> None:
    """R1: as `phonenumbers` writes it, nationally and internationally."""
    count = 0
    for kind in _TYPES:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL):
            written = phonenumbers.format_number(example, form)
            assert read_number(written, region)[0] == e164, written
        count += 1
    assert count


@pytest.mark.parametrize(("written", "country", "e164"), [
    ("(415) 555-2671", "US", "+14155552671"),
    ("(020) 7946 0123", "GB", "+442079460123"),
    ("+44 (0)20 7946 0123", "GB", "+442079460123"),
    ("030/12345678", "DE", "+493012345678"),
    ("030\u00a012345\u2013678", "DE", "+493012345678"),
    ("(+65) 6123 4567", "SG", "+6561234567"),
    ("\uff0b65 6123 4567", "SG", "+6561234567"),
    (" 6123\u20114567 ", "SG", "+6561234567"),
])  # fmt: skip
def test_then_what_people_write_between_digits_is_read(written: str, country: str, e164: str) -> None:
    """R1: brackets, slashes, typographic blanks and dashes."""
    assert read_number(written, country)[0] == e164


@pytest.mark.parametrize(("written", "why"), [
    ("\u202a+6561234567\u202c", "U+202A (LEFT-TO-RIGHT EMBEDDING)"),
    ("6123\u200b4567", "U+200B (ZERO WIDTH SPACE)"),
    ("6123 4567 x12", "only digits"),
    ("6123 4567;ext=12", "only digits"),
    ("6123 4567 #12", "only digits"),
    ("65+61234567", "only digits"),
    ("\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "only digits"),
    ("()", "only digits"),
    ("", "only digits"),
])  # fmt: skip
def test_then_what_is_no_number_says_why(written: str, why: str) -> None:
    """§9: unseen signs by name; extensions and foreign digits stay refused."""
    with pytest.raises(NumberUnreadable) as refused:
        read_number(written, "SG")
    assert why in refused.value.sentence


def test_then_a_file_may_have_the_national_example_of_every_region() -> None:
    """R1, N12: beside its country, in one file; each row becomes the number that the international form is."""
    rows: list[str] = []
    expected: list[str] = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, PhoneNumberType.FIXED_LINE)
        e164 = "" if example is None else phonenumbers.format_number(example, PhoneNumberFormat.E164)
        if example is None or e164 in expected:  # some islands share their numbers
            continue
        rows.append(f'{region},"{phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)}",TRUE,FALSE,FALSE\n')
        expected.append(e164)
    text = "Country Code,Phone Number,Voice,SMS,Fax\n" + "".join(rows)
    file = read_csv(text.encode(), parse.LAYOUT, max_bytes=10**6)
    read: set[str] = set()

    def present(numbers: Collection[str]) -> set[str]:
        read.update(numbers)
        return set()

    found = parse.preview(file, Terms(), present)
    assert read == set(expected)
    assert found.good == len(expected) > 200
