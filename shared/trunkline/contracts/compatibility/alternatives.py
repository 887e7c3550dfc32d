"""What a value may be by a JSON Schema, as a list of alternatives that can be distinguished and paired (X7).

The same thing can be written in many ways: `string` or null as `anyOf`, as a list of types or as a value of `enum`;
a definition in place or by `$ref`. Here all of them become one form, so that only what differs is compared.
"""

import json
from typing import Any, Final, NamedTuple

ANNOTATIONS: Final = {
    *("$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "description", "discriminator"),
    *("examples", "readOnly", "title", "writeOnly"),
}
"""Keywords that forbid no value. `discriminator` repeats which constant tells the alternatives of an `anyOf` apart;
the constants themselves are rules of theirs. Definitions count where a `$ref` leads to them."""

_TEXT, _FIGURE, _LIST, _OBJECT = ("string",), ("number",), ("array",), ("object",)
_ABOUT: Final = {
    **dict.fromkeys(("maxLength", "minLength", "pattern"), _TEXT),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum"), _FIGURE),
    **dict.fromkeys(("items", "maxItems", "minItems"), _LIST),
    **dict.fromkeys(("additionalProperties", "maxProperties", "minProperties", "properties", "required"), _OBJECT),
    "format": _TEXT + _FIGURE,
}
"""The kinds of value that a keyword says something about; it leaves the others alone."""


class Alternative(NamedTuple):
    """One kind of value that is allowed, and the rules for it.

    Attributes:
        kind: `string`, `number` (also for integers), `boolean`, `null`, `array`, `object`; "" for any.
        label: of an object, the fields that are constants, such as `product=number`; else "".
        rules: keywords and their values, without annotations; `const` is an `enum` of one.
    """

    kind: str
    label: str
    rules: dict[str, Any]

    @property
    def anything(self) -> bool:
        """Whether every value is allowed."""
        return not self.kind and not self.rules


def alternatives(schema: Any, root: dict[str, Any], within: frozenset[int] = frozenset()) -> list[Alternative]:
    """Give what a value may be.

    Args:
        schema: an object, or True (anything) or False (nothing: the list is empty).
        root: the document that local `$ref`s are resolved in.
        within: the schemas this one is an alternative of, by identity: one that leads back to itself adds nothing.
    """
    schema = resolved(schema, root)
    if isinstance(schema, bool):
        return [Alternative("", "", {})] if schema else []
    if id(schema) in within:
        return []
    rules = {name: value for name, value in schema.items() if name not in ANNOTATIONS}
    if set(rules) == {"anyOf"}:
        deeper = within | {id(schema)}
        return [one for option in rules["anyOf"] for one in alternatives(option, root, deeper)]
    if "const" in rules and "enum" not in rules:
        rules["enum"] = [rules.pop("const")]
    named = rules.pop("type", None)
    types = [named] if isinstance(named, str) else named
    if "enum" in rules:
        return _listed(types, rules, root)
    if types is None:
        return [Alternative("", "", rules)]
    return [_of_type(name, rules, root) for name in types]


def resolved(schema: Any, root: dict[str, Any]) -> Any:
    """Follow a `$ref` to a definition of the same document; one that leads elsewhere, or has rules beside it, stays."""
    seen: set[str] = set()
    while isinstance(schema, dict) and "$ref" in schema and not set(schema) - ANNOTATIONS - {"$ref"}:
        reference = schema["$ref"]
        target = _target(reference, root)
        if reference in seen or target is None:
            break
        seen.add(reference)
        schema = target
    return schema


def meaning(value: Any, root: dict[str, Any]) -> str:
    """Give a value of a keyword together with the definitions it leads to, as a text that is equal when both are."""
    reached: dict[str, Any] = {}
    left = [value]
    while left:
        at = left.pop()
        if isinstance(at, dict):
            reference = at.get("$ref")
            if isinstance(reference, str) and reference not in reached:
                reached[reference] = _target(reference, root)
                left.append(reached[reference])
            left += at.values()
        elif isinstance(at, list):
            left += at
    return json.dumps([value, reached], sort_keys=True)


def paired(
    old: list[Alternative], new: list[Alternative]
) -> tuple[list[tuple[Alternative, Alternative]], list[Alternative], list[Alternative]]:
    """Pair the alternatives of two schemas: those that are equal, then those of one kind and label, then the only ones
    of a kind.

    Returns:
        The pairs; what is only in the old one; what is only in the new one.
    """

    def alone(a: Alternative, b: Alternative) -> bool:
        return a.kind == b.kind and all(sum(o.kind == a.kind for o in side) == 1 for side in (old, new))

    pairs: list[tuple[Alternative, Alternative]] = []
    gone, come = list(old), list(new)
    for alike in (lambda a, b: a == b, lambda a, b: a[:2] == b[:2], alone):
        for one in tuple(gone):
            other = next((b for b in come if alike(one, b)), None)
            if other is not None:
                pairs.append((one, other))
                gone.remove(one)
                come.remove(other)
    return pairs, gone, come


def _target(reference: str, root: dict[str, Any]) -> Any:
    """The definition a reference names; None for what is not one of this document's."""
    if reference == "#":
        return root
    start, _, name = reference.rpartition("/")
    if start not in ("#/$defs", "#/definitions"):
        return None
    return root.get(start[2:], {}).get(name.replace("~1", "/").replace("~0", "~"))


def _listed(types: list[str] | None, rules: dict[str, Any], root: dict[str, Any]) -> list[Alternative]:
    """An alternative for each kind of value that an `enum` lists."""
    by_kind: dict[str, list[Any]] = {}
    for value in rules["enum"]:
        kind = _kind(value)
        whole = kind == "number" and isinstance(value, int)
        if types is None or kind in types or (whole and "integer" in types):
            by_kind.setdefault(kind, []).append(value)
    found = []
    for kind, values in by_kind.items():
        whole = kind == "number" and all(isinstance(value, int) for value in values)
        kept = {name: value for name, value in rules.items() if name != "enum" or kind != "null"}
        kept |= {"enum": values} if kind != "null" else {}
        found.append(_of_type("integer" if whole else kind, kept, root))
    return found


def _of_type(name: str, rules: dict[str, Any], root: dict[str, Any]) -> Alternative:
    kind = "number" if name == "integer" else name
    kept = {keyword: value for keyword, value in rules.items() if kind in _ABOUT.get(keyword, (kind,))}
    return Alternative(kind, _label(kept, root) if kind == "object" else "", {"type": name, **kept})


def _label(rules: dict[str, Any], root: dict[str, Any]) -> str:
    found = []
    for name, field in sorted(rules.get("properties", {}).items()):
        schema = resolved(field, root)
        if isinstance(schema, dict):
            values = [schema["const"]] if "const" in schema else schema.get("enum", ())
            found += [f"{name}={values[0]}"] if len(values) == 1 else []
    return ", ".join(found)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
