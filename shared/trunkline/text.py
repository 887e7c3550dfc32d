"""One form for every text that people write: names, labels, remarks (§9).

Two spellings that look alike are one text: composed characters (NFC), no blanks around, single blanks within.
Characters that nobody sees are refused, since two texts that look alike would differ in them, or show in another order.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control, format (zero-width, bidirectional), surrogate and separator characters."""
_BLANKS: Final = re.compile(r"[^\S\n\r\t\v\f\x1c-\x1f\x85\u2028\u2029]+")
_ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\u0060\uff07", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
        **dict.fromkeys("\u201c\u201d\u201f\u2033\uff02", '"'),
    }
)


class InvisibleCharacter(ValueError):
    """A text has a character that nobody sees; the message names it with its place."""


def normalize(text: str) -> str:
    """A text in its one form: NFC, without blanks around, runs of blanks as one blank. Line breaks stay."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip()


def clean(text: str) -> str:
    """A text of one line in its one form.

    Raises:
        InvisibleCharacter: it has a control, bidirectional or zero-width character.
    """
    _check(text := normalize(text))
    return text


def clean_lines(text: str) -> str:
    """A text that may have line breaks, each line in its one form; CR LF becomes LF.

    Raises:
        InvisibleCharacter: it has a control character other than a line break, a bidirectional or zero-width one.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(clean(line) for line in lines).strip("\n")


def matching_form(text: str) -> str:
    """What two spellings of one name have in common: their one form without case, with plain apostrophes and dashes.

    For comparison only, never shown. Never raises: names that were stored before the rules for text are matched too.
    """
    if text.isascii():
        return normalize(text).replace("`", "'").lower()
    return unicodedata.normalize("NFC", normalize(text).translate(_ALIKE).casefold())


def storable(text: str) -> str:
    """A text as PostgreSQL can keep it: a null character and half a surrogate pair are written out.

    For what is kept as it came, since somebody must see it: remarks, refused requests, causes of failures.
    """
    return text.replace("\0", "␀").encode("utf-8", "backslashreplace").decode()


def _check(text: str) -> None:
    if text.isprintable():  # printable leaves out all that is refused, and more: unassigned, private use
        return
    for at, character in enumerate(text, start=1):
        if unicodedata.category(character) in _INVISIBLE:
            raise InvisibleCharacter(f"has {describe(character)} at character {at}, which nobody sees")


def describe(character: str) -> str:
    """A character by its code point and its Unicode name: `U+202E (RIGHT-TO-LEFT OVERRIDE)`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} ({name})" if name else f"U+{ord(character):04X}"
