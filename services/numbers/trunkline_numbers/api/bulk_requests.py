"""Several numbers named in one body: read, in the asker's sight, and refused together (R4, P2, §9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from trunkline.errors import Refused
from trunkline.security.authorization import visible
from trunkline_numbers.application.phone_number import NumberUnreadable, key_in_path
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.state import Number

MOST: Final = 1_000
_TOLD: Final = 10

Several = Annotated[
    list[str], Field(min_length=1, max_length=MOST, description="E.164, with or without `+`; each counts once.")
]


class NumbersUnreadable(Refused):
    """{names} cannot be read: a number is its E.164 form, 3 to 15 digits, with or without +."""

    status: ClassVar[int] = 422


class NumbersUnknown(Refused):
    """Nothing was done: {names} not in the inventory."""

    status: ClassVar[int] = 404


class NumbersInTheWay(Refused):
    """Nothing was done: {names} stand in the way of it."""


def read_keys(numbers: Sequence[str]) -> list[str]:
    """The numbers named, each once, in order.

    Raises:
        NumbersUnreadable: with each one that is none.
    """
    keys: dict[str, None] = {}
    errors: list[dict[str, Any]] = []
    for index, text in enumerate(numbers):
        try:
            keys[key_in_path(text.strip())] = None
        except NumberUnreadable as refused:
            errors.append(_error(index, text, refused))
    if errors:
        raise NumbersUnreadable(names=named([str(e["value"]) for e in errors]), errors=errors)
    return list(keys)


def check_seen(numbers: Sequence[Number], visibility: Visibility) -> None:
    """Refuse where one of them is outside the asker's branch, or does not exist.

    Raises:
        NumbersUnknown: naming them.
    """
    hidden = {
        n.number: index for index, n in enumerate(numbers) if not visible(visibility.branch, visibility.number(n))
    }
    if hidden:
        errors = [_error(index, number, visibility.number(numbers[index]).unknown) for number, index in hidden.items()]
        raise NumbersUnknown(names=f"{named(list(hidden))} {'is' if len(hidden) == 1 else 'are'}", errors=errors)


def in_the_way(refused: Sequence[tuple[int, str, Refused]]) -> NumbersInTheWay:
    """The refusal of a whole command: of each number in the way its place, its name, and why."""
    errors = []
    for index, number, why in refused:
        details: Any = why.facts.get("errors") or [{}]
        errors.append({**details[0], **_error(index, number, why)})
    return NumbersInTheWay(names=named([number for _, number, _ in refused]), errors=errors)


def named(names: Sequence[str]) -> str:
    """The first ones by name, the rest by count."""
    shown = ", ".join(names[:_TOLD])
    return shown if len(names) <= _TOLD else f"{shown} and {len(names) - _TOLD:,} more"


def _error(index: int, value: str, refused: Refused) -> dict[str, Any]:
    return {
        "in": "body",
        "pointer": f"#/numbers/{index}",
        "value": value[:60],
        "code": refused.code,
        "detail": refused.sentence,
    }
