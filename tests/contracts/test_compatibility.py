"""When two versions of a public event's schema are compared: what changed, where, and whom it breaks (X7)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.compatibility.compatibility import compare
from trunkline.contracts.compatibility.releases import Version, schemas_of
from trunkline.contracts.contract import Direction

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SHORT: Schema = {"type": "string", "maxLength": 64}
CODED: Schema = {"type": "string", "pattern": "^a"}
UNKNOWN = "is not the same; what that means is not known here."
NUMBER: Schema = {"type": "integer", "minimum": 1}
NULL: Schema = {"type": "null"}
INSTALLED = schemas_of(catalogue.ALL)
SAID, HEARD = "SubscriptionNumberSwapped", "billing.subscription.started"


def one_field(schema: Any, *, required: bool = True, **rules: Any) -> Schema:
    """An event with one field, `at`."""
    return {"type": "object", "properties": {"at": schema}, "required": ["at"] if required else [], **rules}


def told(old: Schema, new: Schema, direction: Direction | None = None) -> list[tuple[str, str, str]]:
    """What is said of a change."""
    return [tuple(change) for change in compare(old, new, direction)]


def breaks(old: Schema, new: Schema) -> str:
    """Whom a change breaks: the readers of what is said, the writers of what is heard."""
    broken = {d: any(c.verdict == "breaking" for c in compare(old, new, d)) for d in ("said", "heard")}
    return " and ".join(direction for direction, is_broken in broken.items() if is_broken) or "nobody"


def enum(*values: Any) -> Schema:
    """A list of values."""
    return {"enum": list(values)}


def either(*options: Schema) -> Schema:
    """One of several."""
    return {"anyOf": list(options)}


# -- one rule at a time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "sentence", "broken"),
    [
        (TEXT, either(TEXT, NULL), "It may also be null.", "said"),
        (either(TEXT, NULL), TEXT, "It may no longer be null.", "heard"),
        (TEXT, NUMBER, "It is an integer now; it was a string.", "said and heard"),
        (NUMBER, {"type": "number", "minimum": 1}, "It may have a fraction; it was an integer.", "said"),
        ({"type": "number"}, {"type": "integer"}, "It is an integer now; it could have a fraction.", "heard"),
        (enum("a", "b"), enum("a", "b", "c"), 'It may also be "c".', "said"),
        (enum("a", "b"), enum("a"), 'It may no longer be "b".', "heard"),
        (TEXT, enum("a", "b"), 'It is "a" or "b" now; its values were not listed.', "heard"),
        (enum("a"), TEXT, 'It may be other than "a"; its values are no longer listed.', "said"),
        ({"const": "a"}, enum("a", "b"), 'It may also be "b".', "said"),
        (SHORT, SHORT | {"maxLength": 32}, "maxLength is 32 now; it was 64.", "heard"),
        (SHORT, TEXT, "There is no maxLength now; it was 64.", "said"),
        (TEXT, {"type": "string", "minLength": 1}, "minLength is 1 now; there was none.", "heard"),
        (NUMBER, {"type": "integer", "minimum": 0}, "minimum is 0 now; it was 1.", "said"),
        (NUMBER, {"type": "integer", "minimum": 2}, "minimum is 2 now; it was 1.", "heard"),
        (NUMBER, NUMBER | {"maximum": 9}, "maximum is 9 now; there was none.", "heard"),
        (TEXT, CODED, "pattern is ^a now; there was none.", "heard"),
        (CODED, TEXT, "There is no pattern now; it was ^a.", "said"),
        (CODED, CODED | {"pattern": "^b"}, "pattern is ^b now; it was ^a.", "said and heard"),
        (TEXT, {"type": "string", "format": "date-time"}, "format is date-time now; there was none.", "heard"),
        (TEXT, True, "It may be anything now.", "said"),
        ({}, TEXT, "It could be anything and is restricted now.", "heard"),
        (NUMBER, NUMBER | {"multipleOf": 5}, f"multipleOf {UNKNOWN}", "said and heard"),
        ({"not": TEXT}, {"not": NULL}, f"not {UNKNOWN}", "said and heard"),
        ({"$ref": "far.json"}, {"$ref": "away.json"}, f"$ref {UNKNOWN}", "said and heard"),
    ],
)  # fmt: skip
def test_then_a_rule_that_differs_breaks_who_is_outside(old: Schema, new: Schema, sentence: str, broken: str) -> None:
    """X7: more breaks the reader of what is said, less the writer of what is heard, and what is not known both."""
    changes = compare(one_field(old), one_field(new), None)
    assert [(change.place, change.what) for change in changes] == [("data.at", sentence)]
    assert breaks(one_field(old), one_field(new)) == broken


@pytest.mark.parametrize(
    ("old", "new", "changes", "broken"),
    [
        (one_field(TEXT), one_field(TEXT, required=False), ["It may be left out now; it was required."], "said"),
        (one_field(TEXT, required=False), one_field(TEXT), ["It is required now; it could be left out."], "heard"),
        ({"type": "object"}, one_field(TEXT), ["It is new and required."], "heard"),
        ({"type": "object"}, one_field(TEXT, required=False), ["It is new and may be left out."], "nobody"),
        (one_field(TEXT), {"type": "object"}, ["It is gone."], "said"),
        (one_field(TEXT, required=False), {"type": "object"}, ["It is gone."], "said"),
        ({"type": "object", "additionalProperties": False}, one_field(TEXT, required=False, additionalProperties=False),
         ["It is new and may be left out."], "said"),
        (one_field(TEXT, additionalProperties=False), {"type": "object", "additionalProperties": False},
         ["It is gone."], "said and heard"),
        ({"type": "object", "required": ["at"]}, one_field(TEXT),
         ["It could be anything and is restricted now."], "heard"),
        ({"type": "object", "additionalProperties": NUMBER}, one_field(TEXT, additionalProperties=NUMBER),
         ["It is new and required.", "It is a string now; it was an integer."], "said and heard"),
        (one_field(TEXT, additionalProperties=NUMBER), {"type": "object", "additionalProperties": NUMBER},
         ["It is gone.", "It is an integer now; it was a string."], "said and heard"),
        (one_field(TEXT, additionalProperties=TEXT), {"type": "object", "additionalProperties": TEXT},
         ["It is gone."], "said"),
        (one_field(TEXT | {"default": "a"}, required=False), one_field(TEXT | {"default": "b"}, required=False),
         ['Left out, it means "b" now; it meant "a".'], "said and heard"),
    ],
)  # fmt: skip
def test_then_a_field_that_comes_or_goes_breaks_who_misses_it(
    old: Schema, new: Schema, changes: list[str], broken: str
) -> None:
    """X7: unknown fields are skipped, so an optional new field breaks nobody; one that must be given the writer."""
    assert [change.what for change in compare(old, new, None)] == changes
    assert {change.place for change in compare(old, new, None)} == {"data.at"}
    assert breaks(old, new) == broken


def test_then_refusing_unknown_fields_is_a_change_of_its_own() -> None:
    """X7: whoever may send more than is named is broken by it."""
    open_, closed = one_field(TEXT), one_field(TEXT, additionalProperties=False)
    assert told(open_, closed, "heard") == [("data.*", "Fields that are not named are refused now.", "breaking")]
    assert [change[2] for change in told(closed, open_, "said")] == ["breaking"]
    assert breaks(one_field(TEXT, additionalProperties=TEXT), one_field(TEXT, additionalProperties=NULL)) != "nobody"


def test_then_fields_told_by_a_pattern_are_not_judged() -> None:
    """X7: a new field may have had a rule by its name; that is told instead of being passed over."""
    by_pattern = {"type": "object", "patternProperties": {"^a": NUMBER}}
    assert [c.what for c in compare(by_pattern, by_pattern | one_field(TEXT), "heard")][-1].startswith("patternProp")


# -- places and forms ---------------------------------------------------------------------------------------------


def test_then_the_place_is_named_as_people_name_it() -> None:
    """X7: lists, maps, definitions and kinds of object, down to the field."""
    old = deepcopy(INSTALLED[Version(SAID, 1)])
    new = deepcopy(old)
    new["$defs"]["SwappedOut"]["required"].remove("at")
    assert told(old, new, "said") == [("data.swapped_out[].at", "It may be left out now; it was required.", "breaking")]
    maps = ({"type": "object", "additionalProperties": {"type": "array", "items": kind}} for kind in (TEXT, NUMBER))
    assert [change[0] for change in told(one_field(next(maps)), one_field(next(maps)))] == ["data.at.*[]"]
    odd = ({"type": "object", "properties": {"a b": kind}} for kind in (TEXT, NUMBER))
    assert [change[0] for change in told(next(odd), next(odd))] == ['data["a b"]']


def test_then_kinds_of_object_are_told_apart_by_their_constants() -> None:
    """X7: each is compared with its own like, whatever its definition is called; one more or one less has its name."""
    old = INSTALLED[Version(HEARD, 1)]
    new = deepcopy(old)
    new["$defs"]["Number"] = new["$defs"].pop("NumberStarted")
    new["anyOf"][0]["$ref"] = new["discriminator"]["mapping"]["number"] = "#/$defs/Number"
    assert told(old, new) == []
    new["$defs"]["Number"]["properties"]["sku"] = NUMBER
    place = "data(product=number).sku"
    assert told(old, new, "heard") == [(place, "It is an integer now; it was a string.", "breaking")]
    fewer = deepcopy(old) | {"anyOf": old["anyOf"][:2]}
    what = "It may no longer be an object with product=did_reservation."
    assert told(old, fewer, "heard") == [("data", what, "breaking")]
    assert told(fewer, old, "heard") == [("data", what.replace("no longer", "also"), "compatible")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (either(TEXT, NULL), {"type": ["null", "string"]}),
        (either(enum("a"), NULL), enum("a", None)),
        ({"const": 1}, {"type": "integer", "enum": [1]}),
        (TEXT, {"type": "string", "minLength": 0, "description": "a text", "title": "Text", "examples": ["a"]}),
        (either(TEXT, NUMBER), either(NUMBER, either(TEXT))),
        ({"type": "object"}, {"type": "object", "additionalProperties": True, "properties": {}, "required": []}),
        ({}, True),
    ],
)
def test_then_the_same_in_other_words_is_no_change(one: Schema, other: Schema) -> None:
    """X7: what counts is what is allowed; descriptions allow nothing."""
    assert told(one_field(one), one_field(other)) == []
    assert told(one_field(other), one_field(one)) == []
    named = one_field({"$ref": "#/$defs/A"}) | {"$defs": {"A": {"$ref": "#/$defs/B", "title": "A"}, "B": one}}
    assert told(one_field(other), named) == []


def test_then_a_schema_that_contains_itself_comes_to_an_end() -> None:
    """X7: a tree of things is compared once for each place, not for ever."""

    def tree(leaf: Schema) -> Schema:
        fields = {"leaf": leaf, "below": {"type": "array", "items": {"$ref": "#"}}}
        return {"type": "object", "properties": fields, "required": ["leaf", "below"]}

    assert told(tree(TEXT), tree(TEXT)) == []
    assert [change[0] for change in told(tree(TEXT), tree(NUMBER))] == ["data.leaf"]
    endless = {"$ref": "#/$defs/A", "$defs": {"A": either({"$ref": "#/$defs/A"}, TEXT)}}
    assert told(endless, TEXT) == []
    assert told({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, TEXT) != []


def test_then_what_an_unknown_keyword_leads_to_is_compared_too() -> None:
    """X7: the words are the same, the definition they name is not."""
    old = {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": TEXT}}
    assert told(old, deepcopy(old)) == []
    assert [change[1].split()[0] for change in told(old, old | {"$defs": {"A": NUMBER}})] == ["allOf"]
    assert breaks({"$schema": "one"} | TEXT, {"$schema": "another"} | TEXT) == "said and heard"
