"""What people say of why they act on a number: where it must be said, and what can be kept (DOMAIN §1)."""

from __future__ import annotations

from typing import Final

from trunkline.text import InvisibleCharacter, clean_lines
from trunkline_numbers.domain.number.errors import RemarkMissing, RemarkUnreadable

LONGEST: Final = 1_000
"""Characters of a remark."""


def must_remark(number: str, remark: str | None, wanted: str) -> str:
    """A remark without the white space around it; `wanted` says what is done to the number: `reserved`.

    Raises:
        RemarkMissing, RemarkUnreadable: none, or one that cannot be kept.
    """
    checked = may_remark(number, remark)
    if checked is None:
        raise RemarkMissing(number=number, wanted=wanted)
    return checked


def may_remark(number: str, remark: str | None) -> str | None:
    """The same where it is welcome only; nothing but white space is none.

    Raises:
        RemarkUnreadable: too long, or with a character that nobody sees, other than line breaks (`text.clean_lines`).
    """
    if remark is None or not remark.strip():
        return None
    try:
        remark = clean_lines(remark)
    except InvisibleCharacter as error:
        raise RemarkUnreadable(number=number, problem=str(error).removeprefix("has ")) from None
    if len(remark) > LONGEST:
        raise RemarkUnreadable(number=number, problem=f"{len(remark):,} characters")
    return remark or None
