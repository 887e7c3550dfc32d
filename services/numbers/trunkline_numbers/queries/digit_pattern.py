"""Part of a number to look for (N11): what stands for which digits, and what leads to them, as SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from trunkline.errors import Refused
from trunkline_numbers.projections.listing import threes

_PATTERN: Final = re.compile(r"(?P<open>\*?)(?P<plus>\+?)(?P<digits>[0-9]{1,15})(?P<more>\*?)", re.ASCII)


class PatternUnreadable(Refused):
    """{value!r} is no number pattern: 65, +65 and +65* stand for a beginning, *888 for an end, *88* for a part."""

    status: ClassVar[int] = 422


@dataclass(frozen=True)
class Pattern:
    """Digits, and where in the number they stand."""

    digits: str
    place: Literal["begin", "end", "within"]


def read_pattern(text: str) -> Pattern:
    """What a pattern stands for (N11); a space at the beginning is a `+` that a URL did not escape.

    Raises:
        PatternUnreadable: it is no pattern.
    """
    found = _PATTERN.fullmatch(f"+{text[1:]}" if text.startswith(" ") else text)
    if found is None or (found["open"] and found["plus"]):
        raise PatternUnreadable(value=text[:60], part="query", pointer="#/pattern")
    if not found["open"]:
        return Pattern(found["digits"], "begin")
    return Pattern(found["digits"], "within" if found["more"] else "end")


@dataclass(frozen=True)
class Part:
    """Digits at the end of a number or somewhere within it.

    Attributes:
        like: on `key`, which both tables and all their indexes have.
        listed: how an index of `l` leads to them; None: none does.
    """

    like: str
    listed: tuple[str, tuple[Any, ...]] | None


def part_of(pattern: Pattern) -> Part:
    """How a number that ends with these digits, or has them somewhere, is found."""
    digits = pattern.digits
    if pattern.place == "end":
        backward = digits[::-1]
        return Part(f"%{digits}", ("l.backward >= %s AND l.backward < %s", (backward, after(backward))))
    if len(digits) < 3:  # too common for an index to be of use
        return Part(f"%{digits}%", None)
    return Part(f"%{digits}%", ("l.threes @> %s::int2[]", (threes(digits),)))


def after(prefix: str) -> str:
    """The first text that sorts after all that begin so: `:` follows `9`."""
    last = prefix[-1]
    return prefix[:-1] + chr(ord(last) + 1)
