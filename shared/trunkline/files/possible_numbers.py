"""Whether a number can exist at all (DOMAIN §9)."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=65_536)
def is_possible(number: str | None) -> bool:
    """Whether some country has numbers of this length and beginning; none at all is fine.

    A look-up takes 20 µs, so the answers are remembered.

    Args:
        number: in E.164 form.
    """
    if number is None:
        return True
    import phonenumbers  # only here: a command that names no number starts without it

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
