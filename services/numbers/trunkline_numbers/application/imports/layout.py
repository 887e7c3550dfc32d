"""The cells of a file of numbers: what each column takes (R1, DOMAIN §9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trunkline.http.schemas import Domain
from trunkline.text import InvisibleCharacter, clean
from trunkline_numbers.application.imports.errors import (
    CellBlank,
    CellNotTrueOrFalse,
    DomainNotYours,
    DomainUnreadable,
    LegacyLockNotYours,
    TextInvisible,
    TextUnreadable,
)
from trunkline_numbers.application.phone_number import country_named

COUNTRY, NUMBER = "Country Code", "Phone Number"
_LONGEST: Final = 200
_TRUTHS: Final = {"TRUE": True, "FALSE": False}
_text = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}").fullmatch
_domain = re.compile(Domain.__metadata__[0].pattern).match  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Terms:
    """What comes with the file.

    Attributes:
        voice_carrier, sms_carrier: for the numbers that have that capability; None: the policy's (R2).
        vendor, sku: where the file names none.
        domains: the portal domains that may be named; None: any.
        legacy: whether locks without end may be brought in (N7).
    """

    voice_carrier: str | None = None
    sms_carrier: str | None = None
    vendor: str = ""
    sku: str = ""
    domains: frozenset[str] | None = None
    legacy: bool = False


def readers(terms: Terms) -> Mapping[str, Callable[[str], Any]]:
    """What reads the cells of each column beside the number's, from left to right; each raises what is wrong."""
    return {
        COUNTRY: lambda cell: country_named(filled(cell)),
        **dict.fromkeys(("Voice", "SMS", "Fax"), lambda cell: _truth(filled(cell))),
        **dict.fromkeys(("Vendor", "SKU", "Routing"), _label),
        **dict.fromkeys(("Golden", "Ported In"), _truth),
        "Domains": lambda cell: tuple(_domains(cell, terms.domains)),
        "Legacy Lock": lambda cell: _legacy(cell, terms.legacy),
    }


def short(text: str) -> str:
    """A cell as it is told again: cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def filled(cell: str) -> str:
    """A cell that may not be blank.

    Raises:
        CellBlank: it is.
    """
    if not cell:
        raise CellBlank
    return cell


def _truth(cell: str) -> bool:
    if not cell:
        return False
    try:
        return _TRUTHS[cell.upper()]
    except KeyError:
        raise CellNotTrueOrFalse(value=short(cell)) from None


def _legacy(cell: str, allowed: bool) -> bool:
    if (legacy := _truth(cell)) and not allowed:
        raise LegacyLockNotYours
    return legacy


def _label(cell: str) -> str:
    try:
        label = clean(cell)
    except InvisibleCharacter as error:
        raise TextInvisible(value=short(cell), what=error) from None
    if label and not _text(label):
        raise TextUnreadable(value=short(cell))
    return label


def _domains(cell: str, allowed: frozenset[str] | None) -> Iterator[str]:
    """The domains of a cell, with spaces, commas or semicolons between; each once."""
    for word in dict.fromkeys(cell.lower().replace(";", " ").replace(",", " ").split()):
        if not word.isascii() or not _domain(word):
            raise DomainUnreadable(value=short(word))
        if allowed is not None and word not in allowed:
            raise DomainNotYours(value=short(word))
        yield word
