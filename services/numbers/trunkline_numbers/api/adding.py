"""Which telephone numbers a text names (N12, DOMAIN §9): possible ones are taken, unlikely ones with a warning."""

from __future__ import annotations

import re
from typing import ClassVar, Final

import phonenumbers

from trunkline.refusal import Refused

MOST: Final = 50
_WRITTEN: Final = re.compile(r"\+?[0-9][0-9 ().-]*$", re.ASCII)
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


class NumberTwice(Refused):
    """{value!r} is {number}, which was named before in the same call."""


class CountryUnknown(Refused):
    """{value!r} is no country with telephone numbers: it takes an ISO 3166 code such as SG, or 001 for none."""

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
    if country != "001" and country not in phonenumbers.SUPPORTED_REGIONS:
        raise CountryUnknown(value=country, pointer="#/country")


def read_number(text: str, country: str) -> tuple[str, str | None]:
    """A number in E.164 form, and a warning where it is possible but looks as if nobody had it.

    Args:
        text: with `+` and calling code, or national in `country`.
        country: ISO code, or `001`.

    Raises:
        NumberUnreadable: it cannot be a number of that country.
    """
    if len(text) > 40 or not _WRITTEN.match(text):
        raise NumberUnreadable(value=text[:60], why="only digits, with + at the beginning where it is international")
    try:
        parsed = phonenumbers.parse(text, None if text.startswith("+") or country == "001" else country)
    except phonenumbers.NumberParseException as error:
        raise NumberUnreadable(value=text, why=str(error).rstrip(".").lower()) from None
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise NumberUnreadable(value=text, why=f"it is {_REASONS.get(reason, 'impossible')}")
    calling_code = parsed.country_code or 0
    if country not in phonenumbers.region_codes_for_country_code(calling_code):
        raise NumberUnreadable(value=text, why=f"+{calling_code} is not the calling code of {country}")
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    warning = None if phonenumbers.is_valid_number(parsed) else f"{e164} is possible, but looks unassigned"
    return e164, warning


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
