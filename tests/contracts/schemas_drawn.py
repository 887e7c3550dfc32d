"""Small JSON Schemas, edits of them and values for them, for Hypothesis to draw from (X7)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
NAMES = ("a", "b", "c", "d")
NULL: Schema = {"type": "null"}
_LISTED = ("x", "y", 1, 2, None, True)


def _bounded(kind: str, lower: str, upper: str) -> st.SearchStrategy[Schema]:
    """One type with a lower and an upper bound, either of which may lack."""
    bounds = st.tuples(st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, 2, 3]))
    return bounds.map(
        lambda b: {"type": kind} | {n: v for n, v in zip((lower, upper), b, strict=True) if v is not None}
    )


_leaves = st.one_of(
    _bounded("string", "minLength", "maxLength"),
    _bounded("integer", "minimum", "maximum"),
    _bounded("number", "exclusiveMinimum", "maximum"),
    st.just({"type": "string", "pattern": "^x"}),
    st.just({"type": ["string", "null"], "maxLength": 3}),
    st.just({"type": "boolean"}),
    st.just(NULL),
    st.sampled_from(_LISTED).map(lambda value: {"const": value}),
    st.lists(st.sampled_from(_LISTED), min_size=1, max_size=3, unique_by=repr).map(lambda values: {"enum": values}),
    st.just({"$ref": "#/$defs/D"}),
)


@st.composite
def _objects(draw: st.DrawFn, below: st.SearchStrategy[Schema]) -> Schema:
    fields = draw(st.dictionaries(st.sampled_from(NAMES[:3]), below, max_size=3))
    required = [name for name in fields if draw(st.booleans())]
    others = draw(st.one_of(st.none(), st.just(False), below))
    made = {"type": "object", "properties": fields, "required": required}
    return made if others is None else made | {"additionalProperties": others}


def _larger(below: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    arrays = st.tuples(below, st.sampled_from([1, 2])).map(lambda a: {"type": "array", "items": a[0], "maxItems": a[1]})
    unions = st.lists(below, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    return st.one_of(_objects(below), arrays, unions)


parts = st.recursive(_leaves, _larger, max_leaves=5)
"""A schema that may name the definition D."""
_documents = st.tuples(parts, _leaves.filter(lambda leaf: "$ref" not in leaf))
documents = _documents.map(lambda d: d[0] | {"$defs": {"D": d[1]}})
"""A whole schema."""


@st.composite
def evolved(draw: st.DrawFn, document: Schema) -> Schema:
    """What a whole schema may become: one thing is changed in it, or in the definition it may name."""
    body, definition = {k: v for k, v in document.items() if k != "$defs"}, document["$defs"]["D"]
    if draw(st.integers(0, 3)):
        body = draw(_edited(body))
    else:
        definition = draw(_edited_leaf(definition))
    return body | {"$defs": {"D": definition}}


@st.composite
def _edited(draw: st.DrawFn, schema: Schema) -> Schema:
    """A part with one thing changed somewhere."""
    how = draw(st.sampled_from(["within", "within", "within", "within", "nullable", "anew"]))
    if how == "nullable":
        return {"anyOf": [schema, NULL]}
    if how == "anew":
        return draw(parts)
    if schema.get("type") == "object":
        return draw(_edited_object(schema))
    if "anyOf" in schema:
        at = draw(st.integers(0, len(schema["anyOf"]) - 1))
        options = list(schema["anyOf"])
        options[at : at + 1] = draw(st.sampled_from([[], [draw(_edited(options[at]))], [options[at], draw(parts)]]))
        return {"anyOf": options or [NULL]}
    if "items" in schema and draw(st.booleans()):
        return schema | {"items": draw(_edited(schema["items"]))}
    return draw(_edited_leaf(schema))


@st.composite
def _edited_leaf(draw: st.DrawFn, schema: Schema) -> Schema:
    """A part with one of its keywords changed."""
    listed = schema.get("enum") or [schema[name] for name in schema if name == "const"]
    if listed:
        value = draw(st.sampled_from(_LISTED))
        left = [other for other in listed if repr(other) != repr(value)]
        return {"enum": left if left and len(left) < len(listed) else [*listed, value]}
    name = draw(st.sampled_from(list(schema)))
    if isinstance(schema[name], int):
        return schema | {name: schema[name] + draw(st.sampled_from([-1, 1]))}
    if schema[name] in ("integer", "number"):
        return schema | {"type": "number" if schema[name] == "integer" else "integer"}
    return {other: value for other, value in schema.items() if other != name or name in ("items", "type")}


@st.composite
def _edited_object(draw: st.DrawFn, schema: Schema) -> Schema:
    fields, required = dict(schema["properties"]), set(schema["required"])
    name = draw(st.sampled_from(NAMES))
    how = draw(st.sampled_from(["field", "field", "presence", "named", "gone", "others"]))
    if how == "field":
        fields[name] = draw(_edited(fields[name])) if name in fields else draw(parts)
    elif how == "presence":
        required ^= {draw(st.sampled_from([*fields, *required] or [name]))}
    elif how == "named":
        required.add(name)
    elif how == "gone":
        fields.pop(name, None)
        required.discard(name)
    changed = schema | {"properties": fields, "required": sorted(required)}
    if how == "others":
        changed["additionalProperties"] = draw(st.one_of(st.booleans(), parts))
    return changed


@st.composite
def values(draw: st.DrawFn, schema: Any, root: Schema) -> Any:
    """A value for a schema, with no fields but those that it has a rule for; it may yet break one of the rules."""
    if schema is False:
        return None
    if "$ref" in schema:
        return draw(values(root["$defs"]["D"], root))
    if "anyOf" in schema:
        return draw(values(draw(st.sampled_from(schema["anyOf"])), root))
    if "const" in schema or "enum" in schema:
        return draw(st.sampled_from(schema.get("enum") or [schema["const"]]))
    if "type" not in schema:
        return draw(st.sampled_from(["x", 1, None, [], {}]))
    if schema["type"] == "array":
        return draw(st.lists(values(schema["items"], root), max_size=schema.get("maxItems", 3)))
    if schema["type"] == "object":
        fields, others = schema["properties"], schema.get("additionalProperties")
        rest = {} if others is None or others is True else others
        known = dict.fromkeys(NAMES if isinstance(others, dict) else schema["required"], rest) | fields
        chosen = [name for name in known if name in schema["required"] or draw(st.booleans())]
        return {name: draw(values(known[name], root)) for name in chosen}
    plain: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(["", "x", "y", "xy", "xyz", "xxyz"]),
        "integer": st.integers(-1, 4),
        "number": st.sampled_from([-1, 0, 0.5, 1, 2, 2.5, 3]),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    kind = schema["type"] if isinstance(schema["type"], str) else draw(st.sampled_from(schema["type"]))
    return draw(plain[kind])
