"""Which telephone numbers a text names (N12, DOMAIN §9): possible ones are taken, unlikely ones with a warning."""

from __future__ import annotations

import re
from typing import ClassVar, Final

import phonenumbers

from trunkline.errors import Refused
from trunkline.text import describe
from trunkline_numbers.application.numbering_plan import NO_COUNTRY, plan_by_calling_code, plan_of

MOST: Final = 50
_CALLING_CODE: Final = re.compile(r"\+?([1-9][0-9]{0,2})", re.ASCII)
_WRITTEN: Final = re.compile(r"(?=.*[0-9])(?:\+|\(\+?)?[0-9(][0-9 ()./-]*", re.ASCII)
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d", "-"),
        "\uff0b": "+",
        "\uff08": "(",
        "\uff09": ")",
        "\uff0f": "/",
    }
)
"""Blanks, dashes and full-width signs that word processors and input methods write for the plain ones."""
_LONGEST: Final = 40
_UNLIKELY: Final = "is possible, but looks unassigned"
_REASONS: Final = {
    phonenumbers.ValidationResult.TOO_SHORT: "too short",
    phonenumbers.ValidationResult.TOO_LONG: "too long",
    phonenumbers.ValidationResult.INVALID_LENGTH: "of a length that the country does not have",
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "without its area code",
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: "without a calling code that exists",
}


class NumberUnreadable(Refused):
    """{value!r} is not a telephone number: {why}."""

    status: ClassVar[int] = 422


class NumberIsShortCode(Refused):
    """{value!r} is a short code of {country}, not a telephone number that a subscription can have."""

    status: ClassVar[int] = 422


class NumberTwice(Refused):
    """{value!r} is {number}, which was named before in the same call."""


class CountryUnknown(Refused):
    """{value!r} is no country with telephone numbers: it takes an ISO 3166 code such as SG, or 001 for none."""

    status: ClassVar[int] = 422


class CountryCodeUnknown(Refused):
    """{value!r} is neither an ISO 3166 code such as SG nor a calling code such as 65."""

    status: ClassVar[int] = 422


class TooManyNumbers(Refused):
    """{count} numbers are named; one call takes 1 to 50."""

    status: ClassVar[int] = 422


def named_numbers(numbers: str | list[str]) -> list[str]:
    """What is named, in order; a text has commas between.

    Raises:
        TooManyNumbers: none, or more than 50.
    """
    named = [part.strip() for part in (numbers.split(",") if isinstance(numbers, str) else numbers)]
    named = [part for part in named if part] if isinstance(numbers, str) else named
    if not 1 <= len(named) <= MOST:
        raise TooManyNumbers(count=len(named), pointer="#/numbers", value=len(named))
    return named


def check_country(country: str) -> None:
    """Refuse a country that has no telephone numbers.

    Raises:
        CountryUnknown: as it says.
    """
    if country != NO_COUNTRY and country not in phonenumbers.SUPPORTED_REGIONS:
        raise CountryUnknown(value=country, pointer="#/country")


def country_named(text: str) -> str:
    """The country that an ISO code in any case, or a calling code with or without `+`, names (R1).

    Of the countries that share a calling code it is the main one.

    Raises:
        CountryCodeUnknown: it names none.
    """
    named = text.strip()
    if named == NO_COUNTRY or named.upper() in phonenumbers.SUPPORTED_REGIONS:
        return named.upper()
    if called := _CALLING_CODE.fullmatch(named):
        plan = plan_by_calling_code(int(called[1]))
        if plan is not None:
            return plan.country
    raise CountryCodeUnknown(value=text[:60])


def read_number(text: str, country: str) -> tuple[str, str | None]:
    """A number in E.164 form, and a warning where it is possible but looks as if nobody had it.

    Args:
        text: with `+` and calling code, or national in `country`; blanks, brackets, dashes, dots and slashes may
            stand between the digits.
        country: ISO code, or `001`.

    Raises:
        NumberUnreadable: it cannot be a number of that country.
    """
    plan = plan_of(country)
    quick = plan.read(text) if plan is not None and len(text) <= _LONGEST else None
    if quick is not None:
        e164, _, likely = quick
        return e164, None if likely else f"{e164} {_UNLIKELY}"
    text = _plain(text)
    try:
        parsed = phonenumbers.parse(text, None if text.startswith("+") or country == NO_COUNTRY else country)
    except phonenumbers.NumberParseException as error:
        raise NumberUnreadable(value=text, why=str(error).rstrip(".").lower()) from None
    _check_possible(text, country, parsed)
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    warning = None if phonenumbers.is_valid_number(parsed) else f"{e164} {_UNLIKELY}"
    return e164, warning


def _plain(text: str) -> str:
    """A number as it is written, with plain signs between its digits.

    Raises:
        NumberUnreadable: it has other signs; one that nobody sees is named.
    """
    plain = text.translate(_ALIKE).strip()
    if len(text) <= _LONGEST and _WRITTEN.fullmatch(plain):
        return plain
    unseen = next((sign for sign in text if not sign.isprintable()), None)
    if unseen is not None:
        raise NumberUnreadable(value=text[:60], why=f"it has {describe(unseen)}, which nobody sees")
    raise NumberUnreadable(value=text[:60], why="only digits, with + at the beginning where it is international")


def _check_possible(text: str, country: str, parsed: phonenumbers.PhoneNumber) -> None:
    calling_code = parsed.country_code or 0
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        if not text.startswith("+") and phonenumbers.is_valid_short_number_for_region(parsed, country):
            raise NumberIsShortCode(value=text, country=country)
        raise NumberUnreadable(value=text, why=f"it is {_REASONS.get(reason, 'impossible')}")
    if country not in phonenumbers.region_codes_for_country_code(calling_code):
        raise NumberUnreadable(value=text, why=f"+{calling_code} is not the calling code of {country}")


def key_in_path(text: str) -> str:
    """The E.164 form of a number in a path: with `+`, with `%2B`, or bare digits.

    Raises:
        NumberUnreadable: it is none.
    """
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 3 <= len(digits) <= 15 and digits[0] != "0"):
        raise NumberUnreadable(
            value=text[:60], why="a number in a path is its E.164 form, 3 to 15 digits", part="path", pointer="#/number"
        )
    return f"+{digits}"
