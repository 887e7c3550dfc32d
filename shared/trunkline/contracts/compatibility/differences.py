"""What it means when one rule of a JSON Schema differs: the sentence, and whether more or less is allowed now (X7)."""

import json
from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from trunkline.contracts.compatibility.alternatives import Alternative
from trunkline.contracts.contract import Direction

Breaks = frozenset[Direction]

HARMLESS: Final[Breaks] = frozenset()
WIDER: Final[Breaks] = frozenset(("said",))
"""More is allowed than before: this breaks the readers of what is said."""
NARROWER: Final[Breaks] = frozenset(("heard",))
"""Less is allowed than before: this breaks the writers of what is heard."""
OTHER: Final[Breaks] = WIDER | NARROWER
"""Something else is allowed, or nobody can tell."""

_LOWEST: Final = {"exclusiveMinimum": -inf, "minItems": 0, "minLength": 0, "minProperties": 0, "minimum": -inf}
_HIGHEST: Final = dict.fromkeys(("exclusiveMaximum", "maxItems", "maxLength", "maxProperties", "maximum"), inf)
BOUNDS: Final = _LOWEST | _HIGHEST
"""Bounds, and what holds where there is none."""

_WORDS: Final = {"": "of any type", "array": "an array", "integer": "an integer", "null": "null", "object": "an object"}


class Difference(NamedTuple):
    """One difference between two schemas.

    Attributes:
        place: the field, as in `compatibility.Change`.
        what: one sentence whose "it" is the place.
        breaks: the directions in which it breaks who is outside.
    """

    place: str
    what: str
    breaks: Breaks


def unjudged(path: str, name: str) -> Difference:
    """A keyword that differs and is not known here: nobody can say that it does no harm."""
    return Difference(path, f"{name} is not the same; what that means is not known here.", OTHER)


def replaced(path: str, gone: Sequence[Alternative], come: Sequence[Alternative]) -> Iterator[Difference]:
    """Alternatives that only one of the two schemas has."""
    was, now = (_listed(_words(one) for one in side) for side in (gone, come))
    if gone and come:
        yield Difference(path, f"It is {now} now; it was {was}.", OTHER)
    elif come:
        yield Difference(path, f"It may also be {now}.", WIDER)
    elif gone:
        yield Difference(path, f"It may no longer be {was}.", NARROWER)


def types(path: str, old: str | None, new: str | None) -> Iterator[Difference]:
    """The type within one kind of value: only numbers have two."""
    if old == "integer" and new != old:
        yield Difference(path, "It may have a fraction; it was an integer.", WIDER)
    elif new == "integer" and old != new:
        yield Difference(path, "It is an integer now; it could have a fraction.", NARROWER)


def values(path: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[Difference]:
    """The values of an enumeration; None where there is no enumeration."""
    was, now = ([text(value) for value in side or ()] for side in (old, new))
    come, gone = [v for v in now if v not in was], [v for v in was if v not in now]
    if old is None:
        yield Difference(path, f"It is {_listed(now)} now; its values were not listed.", NARROWER)
    elif new is None:
        yield Difference(path, f"It may be other than {_listed(was)}; its values are no longer listed.", WIDER)
    else:
        if come:
            yield Difference(path, f"It may also be {_listed(come)}.", WIDER)
        if gone:
            yield Difference(path, f"It may no longer be {_listed(gone)}.", NARROWER)


def bounds(path: str, name: str, old: float | None, new: float | None) -> Iterator[Difference]:
    """A bound on size or value; None where there is none."""
    was, now = (BOUNDS[name] if side is None else side for side in (old, new))
    if was == now:
        return
    narrower = now > was if name in _LOWEST else now < was
    yield Difference(path, _became(name, old, new), NARROWER if narrower else WIDER)


def texts(path: str, name: str, old: str | None, new: str | None) -> Iterator[Difference]:
    """A pattern or a format; whether one that became another lets more or less through cannot be judged."""
    if old != new:
        breaks = NARROWER if old is None else WIDER if new is None else OTHER
        yield Difference(path, _became(name, old, new), breaks)


def presence(path: str, old: Any, new: Any, required_before: bool, required_now: bool) -> Iterator[Difference]:
    """Whether a field that both have may be left out, and what it means then.

    Args:
        path: the field.
        old: its old schema.
        new: its new schema.
        required_before: whether it had to be there.
        required_now: whether it has to be there.
    """
    if required_now and not required_before:
        yield Difference(path, "It is required now; it could be left out.", NARROWER)
    elif required_before and not required_now:
        yield Difference(path, "It may be left out now; it was required.", WIDER)
    elif not required_now:
        was, now = (_default(schema) for schema in (old, new))
        if was != now:
            yield Difference(path, f"Left out, it means {now} now; it meant {was}.", OTHER)


def text(value: Any) -> str:
    """A value as it stands in JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _default(schema: Any) -> str:
    return text(schema["default"]) if isinstance(schema, dict) and "default" in schema else "nothing in particular"


def _became(name: str, old: Any, new: Any) -> str:
    if new is None:
        return f"There is no {name} now; it was {old}."
    return f"{name} is {new} now; {'there was none' if old is None else f'it was {old}'}."


def _words(one: Alternative) -> str:
    if one.label:
        return f"an object with {one.label}"
    if "enum" in one.rules:
        return _listed(text(value) for value in one.rules["enum"])
    name = one.rules.get("type", "")
    return _WORDS.get(name, f"a {name}")


def _listed(words: Any) -> str:
    *most, last = dict.fromkeys(words) or ("nothing",)
    return f"{', '.join(most)} or {last}" if most else last
