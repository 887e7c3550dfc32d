"""Two versions of one event's schema compared: what changed, and whom it breaks (X7).

The rule. A change makes what is allowed wider, narrower, or both.

- Of an event that is published the reader is outside and was made for the old schema: whatever Trunkline may publish
  now must have been allowed before. So wider breaks: a field that is gone, or may be left out or null; a type, an
  enumeration or a bound that lets more through. Narrower is compatible.
- Of an event that is received the writer is outside and was made for the old schema: whatever it may send must still be
  allowed. So narrower breaks: a field that has to be given; a type, an enumeration, a pattern or a bound that lets
  less through. Wider is compatible; so is a field that is gone, since what is sent there is skipped.
- Readers skip the fields they do not know, on both sides. So a new field that may be left out is compatible with both,
  on the assumption that nobody used its name for something else before. A schema that refuses unknown fields
  (`additionalProperties`: false) has no such reader: there a new field is wider, and one that is gone narrower.
- What cannot be judged counts as breaking both: a pattern or a format that became another one, another meaning of
  a field that is left out (`default`), and every keyword that is not known here.
- Of an event whose direction is not known, either is enough.

Titles, descriptions and examples are no changes, nor is another way of writing the same (`alternatives`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from trunkline.contracts.compatibility import differences
from trunkline.contracts.compatibility.alternatives import alternatives, meaning, paired, resolved
from trunkline.contracts.compatibility.differences import HARMLESS, NARROWER, OTHER, WIDER, Difference
from trunkline.contracts.contract import Direction

Verdict = Literal["breaking", "compatible"]

_FIELDS: Final = ("properties", "required", "additionalProperties")
_PLAIN_NAME: Final = re.compile(r"[\w-]+")


class Change(NamedTuple):
    """One thing that changed.

    Attributes:
        place: the field as people name it: `data.swapped_out[].at`; `data.names.*` is any other field of `names`, and
            `data(product=number).sku` a field of one of several kinds of object.
        what: one sentence whose "it" is the place.
        verdict: whether it breaks who is outside.
    """

    place: str
    what: str
    verdict: Verdict


def compare(old: dict[str, Any], new: dict[str, Any], direction: Direction | None) -> list[Change]:
    """Compare two schemas of one event.

    Args:
        old: the one that who is outside was made for: a JSON Schema 2020-12, as `schema_form.parse_schema` gives it.
        new: the one that comes in its place.
        direction: of the event; None where it is not known.

    Returns:
        What changed, each once, in the order of the fields; empty when the same is allowed.
    """
    concerned = OTHER if direction is None else frozenset((direction,))
    found = dict.fromkeys(_Comparison(old, new).differences())
    return [Change(d.place, d.what, "breaking" if d.breaks & concerned else "compatible") for d in found]


@dataclass(frozen=True)
class _Fields:
    """The fields of one object: those with a name, which of them have to be there, and the rule for all others."""

    named: dict[str, Any]
    required: frozenset[str]
    others: Any
    closed: bool
    free: bool


class _Comparison:
    """Walks through two documents side by side."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self._old = old
        self._new = new
        self._under_way: set[tuple[int, int]] = set()

    def differences(self) -> Iterator[Difference]:
        """All differences; some may come twice."""
        if self._old.get("$schema") != self._new.get("$schema"):
            yield differences.unjudged("data", "$schema")
        yield from self._schemas("data", self._old, self._new)

    def _schemas(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        old, new = resolved(old, self._old), resolved(new, self._new)
        both = (id(old), id(new))
        if both in self._under_way:  # a schema that contains itself: what differs is told further up
            return
        was, now = alternatives(old, self._old), alternatives(new, self._new)
        free_was, free_now = (any(one.anything for one in side) for side in (was, now))
        if free_was or free_now:
            if not free_was:
                yield Difference(path, "It may be anything now.", WIDER)
            elif not free_now:
                yield Difference(path, "It could be anything and is restricted now.", NARROWER)
            return
        self._under_way.add(both)
        pairs, gone, come = paired(was, now)
        yield from differences.replaced(path, gone, come)
        several = any(sum(one.kind == "object" for one in side) > 1 for side in (was, now))
        for one, other in pairs:
            label = f"({other.label})" if several and other.label else ""
            yield from self._rules(path + label, one.rules, other.rules)
        self._under_way.remove(both)

    def _rules(self, path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
        """Compare rule by rule: a value has to keep all of them, so each may be judged by itself."""
        if any(name in old or name in new for name in _FIELDS):
            yield from self._fields(path, old, new)
        for name in dict.fromkeys((*old, *new)):
            was, now = old.get(name), new.get(name)
            if name == "items":
                yield from self._schemas(f"{path}[]", old.get(name, True), new.get(name, True))
            elif name == "type":
                yield from differences.types(path, was, now)
            elif name == "enum":
                yield from differences.values(path, was, now)
            elif name in differences.BOUNDS:
                yield from differences.bounds(path, name, was, now)
            elif name in ("pattern", "format"):
                yield from differences.texts(path, name, was, now)
            elif name not in _FIELDS and self._differ(name, old, new):
                yield differences.unjudged(path, name)

    def _differ(self, name: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
        if (name in old) != (name in new):
            return True
        return meaning(old[name], self._old) != meaning(new[name], self._new)

    def _fields(self, path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
        was, now = _fields(old, self._old), _fields(new, self._new)
        for name in dict.fromkeys((*was.named, *now.named)):
            at = f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{differences.text(name)}]"
            if name in was.named and name in now.named:
                before, after = was.named[name], now.named[name]
                yield from self._schemas(at, before, after)
                yield from differences.presence(at, before, after, name in was.required, name in now.required)
            elif name in now.named:
                yield from self._added(at, name, was, now)
            else:
                yield from self._removed(at, name, was, now)
        yield from self._others(f"{path}.*", was, now)
        if was.named.keys() != now.named.keys() and "patternProperties" in old | new:
            yield differences.unjudged(path, "patternProperties")  # it may cover the fields that are new or gone

    def _added(self, path: str, name: str, was: _Fields, now: _Fields) -> Iterator[Difference]:
        must = name in now.required
        breaks = (NARROWER if must else HARMLESS) | (WIDER if was.closed else HARMLESS)
        yield Difference(path, f"It is new and {'required' if must else 'may be left out'}.", breaks)
        if not was.closed and not was.free:
            yield from self._schemas(path, was.others, now.named[name])

    def _removed(self, path: str, name: str, was: _Fields, now: _Fields) -> Iterator[Difference]:
        yield Difference(path, "It is gone.", OTHER if now.closed else WIDER)
        if not now.closed and not now.free:
            yield from self._schemas(path, was.named[name], now.others)

    def _others(self, path: str, was: _Fields, now: _Fields) -> Iterator[Difference]:
        if was.closed and not now.closed:
            yield Difference(path, "Fields that are not named were refused and are allowed now.", WIDER)
        elif now.closed and not was.closed:
            yield Difference(path, "Fields that are not named are refused now.", NARROWER)
        else:
            yield from self._schemas(path, was.others, now.others)


def _fields(rules: dict[str, Any], root: dict[str, Any]) -> _Fields:
    """The fields of an object; one that is required has a name, even where no other keyword is about it."""
    others = rules.get("additionalProperties", True)
    allowed = alternatives(others, root)
    required = rules.get("required", ())
    named = dict.fromkeys(required, others) | rules.get("properties", {})
    named = {name: named[name] for name in dict.fromkeys((*rules.get("properties", {}), *required))}
    return _Fields(named, frozenset(required), others, not allowed, any(one.anything for one in allowed))
