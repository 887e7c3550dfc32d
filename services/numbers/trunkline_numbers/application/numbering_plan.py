"""The numbering plan of one country, so that digits are judged in a microsecond and not in thirty.

Says exactly what `phonenumbers` says (parse, possible, valid, E.164), or None where only `phonenumbers` itself can
tell: other signs than digits, a national or an international prefix, an impossible length. A test holds the two
against each other over every country there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

NO_COUNTRY: Final = "001"
_TYPES: Final = (
    *("premium_rate", "toll_free", "shared_cost", "voip", "personal_number"),
    *("pager", "uan", "voicemail", "fixed_line", "mobile"),
)
_Matches = Callable[[str], Any]


class Plan:
    """How the numbers of one country are written."""

    def __init__(self, country: str, calling_code: int) -> None:
        """Take the plan out of the metadata of `phonenumbers`.

        Args:
            country: ISO code, or `001`.
            calling_code: the country's.
        """
        self.country = country
        self.calling_code = calling_code
        self.regions = COUNTRY_CODE_TO_REGION_CODE[calling_code]
        own = _metadata(calling_code, country)
        main = _metadata(calling_code, self.regions[0])
        self._international = f"+{calling_code}"
        self._trunk = str(calling_code)
        self._own_general = _whole(own.general_desc.national_number_pattern)
        self._own_lengths = frozenset(own.general_desc.possible_length)
        self._lengths = frozenset(main.general_desc.possible_length)
        self._local = frozenset(main.general_desc.possible_length_local_only)
        self._main_prefix = _beginning(main.national_prefix_for_parsing)
        self._own_prefix = _beginning(own.national_prefix_for_parsing)
        self._abroad = _beginning(own.international_prefix)
        self._parts = [_Region(code, _metadata(calling_code, code)) for code in self.regions]

    def read(self, text: str) -> tuple[str, str, bool] | None:
        """A number as it is written, national or international.

        Args:
            text: as it came.

        Returns:
            Its E.164 form, the country it belongs to, and whether it looks assigned; None: ask `phonenumbers`.
        """
        if text[:1] == "+":
            if not text.startswith(self._international):
                return None
            digits = text[len(self._international) :]
            prefix = self._main_prefix
        else:
            digits = text
            prefix = self._own_prefix
            if self._abroad is not None and self._abroad(digits):
                return None
            if digits.startswith(self._trunk) and not (
                len(digits) in self._own_lengths and self._own_general(digits) is not None
            ):
                return None
        if not (digits.isascii() and digits.isdigit()) or digits[0] == "0":
            return None
        if len(digits) not in self._lengths or len(digits) in self._local:
            return None
        if prefix is not None and (found := prefix(digits)) and (found.end() or found.lastindex):
            return None  # an empty match strips nothing
        region = self._region(digits)
        return self._international + digits, region or self.regions[0], region is not None

    def _region(self, digits: str) -> str | None:
        """The region whose number this is, as `phonenumbers` tells it; None where it looks like nobody's."""
        if len(self._parts) == 1:
            part = self._parts[0]
            return part.code if part.has(digits) else None
        for part in self._parts:
            if part.leading is not None:
                if part.leading(digits) is not None:
                    return part.code if part.has(digits) else None
            elif part.has(digits):
                return part.code
        return None


class _Region:
    """One of the regions that share a calling code: what looks like a number of it."""

    def __init__(self, code: str, metadata: Any) -> None:
        self.code = code
        self.leading = _beginning(metadata.leading_digits)
        self._general = metadata.general_desc
        self._types = [found for name in _TYPES if (found := getattr(metadata, name)) is not None]
        self._by_length: dict[int, tuple[_Matches, _Matches] | None] = {}

    def has(self, digits: str) -> bool:
        """Whether the digits look like an assigned number of the region, of whatever type."""
        length = len(digits)
        try:
            patterns = self._by_length[length]
        except KeyError:
            patterns = self._by_length[length] = self._patterns(length)
        return patterns is not None and patterns[0](digits) is not None and patterns[1](digits) is not None

    def _patterns(self, length: int) -> tuple[_Matches, _Matches] | None:
        typed = [t.national_number_pattern for t in self._types if t.national_number_pattern and _takes(t, length)]
        if not typed or not self._general.national_number_pattern or not _takes(self._general, length):
            return None
        return _whole(self._general.national_number_pattern), _whole("|".join(f"(?:{pattern})" for pattern in typed))


def _takes(described: Any, length: int) -> bool:
    return not described.possible_length or length in described.possible_length


def _whole(pattern: str) -> _Matches:
    return re.compile(pattern or r"(?!)").fullmatch


def _beginning(pattern: str | None) -> _Matches | None:
    return None if not pattern else re.compile(pattern).match


def _metadata(calling_code: int, country: str) -> Any:
    found = PhoneMetadata.metadata_for_region_or_calling_code(calling_code, country)
    assert found is not None
    return found


@cache
def plan_of(country: str) -> Plan | None:
    """The plan of a country by its ISO code; None where there is no such country with telephone numbers."""
    if country not in phonenumbers.SUPPORTED_REGIONS:
        return None
    return Plan(country, phonenumbers.country_code_for_region(country))


@cache
def plan_by_calling_code(calling_code: int) -> Plan | None:
    """The plan of the main country behind a calling code; None where there is no such code."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(calling_code)
    return None if regions is None else Plan(regions[0], calling_code)
