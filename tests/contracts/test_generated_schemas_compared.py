"""When any schema is compared with what became of it: what is called compatible is (X7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.contracts.schemas_drawn import Schema, documents, evolved, values
from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.catalogue.json_schema import schema
from trunkline.contracts.compatibility.compatibility import compare
from trunkline.contracts.contract import Contract, Direction


def harmless(old: Schema, new: Schema, direction: Direction) -> bool:
    """Whether it is said that nothing breaks."""
    return all(change.verdict == "compatible" for change in compare(old, new, direction))


def valid(value: Any, under: Schema) -> bool:
    """Whether a value keeps all rules of a schema, as another program finds."""
    return bool(Draft202012Validator(under).is_valid(value))


@given(st.data(), documents)
def test_then_what_could_be_sent_is_still_heard(data: st.DataObject, old: Schema) -> None:
    """X7: where a change of something heard is compatible, whatever was valid stays valid."""
    new = data.draw(evolved(old))
    assume(harmless(old, new, "heard"))
    for value in data.draw(st.lists(values(old, old), min_size=1, max_size=5)):
        assert valid(value, new) or not valid(value, old), value


@given(st.data(), documents)
def test_then_what_is_said_was_allowed_before(data: st.DataObject, old: Schema) -> None:
    """X7: the mirror: where a change of something said is compatible, no reader meets what it cannot know."""
    new = data.draw(evolved(old))
    assume(harmless(old, new, "said"))
    for value in data.draw(st.lists(values(new, new), min_size=1, max_size=5)):
        assert valid(value, old) or not valid(value, new), value


@given(documents)
def test_then_it_does_not_differ_from_itself(drawn: Schema) -> None:
    """X7: no change, in whichever direction, read from another file or not."""
    assert compare(drawn, drawn, None) == []
    assert compare(drawn, _read_again(drawn), None) == []


@given(st.data(), documents)
def test_then_what_differs_one_way_differs_the_other_way(data: st.DataObject, old: Schema) -> None:
    """X7: going back is a change whenever going on is one, at the same places."""
    new = data.draw(evolved(old))
    there, back = compare(old, new, None), compare(new, old, None)
    assert bool(there) == bool(back)


@given(st.data(), documents)
def test_then_either_direction_is_enough_where_none_is_known(data: st.DataObject, old: Schema) -> None:
    """X7: breaking if it breaks the reader of what is said or the writer of what is heard."""
    new = data.draw(evolved(old))
    said, heard, unknown = (compare(old, new, direction) for direction in ("said", "heard", None))
    either = [
        "breaking" if "breaking" in (s.verdict, h.verdict) else "compatible" for s, h in zip(said, heard, strict=True)
    ]
    assert [change.verdict for change in unknown] == either


@pytest.mark.parametrize("contract", catalogue.ALL, ids=repr)
def test_then_a_contract_is_what_it_is_in_other_words(contract: Contract) -> None:
    """X7: without its descriptions, and with its keywords in another order, every public event is the same."""
    told = schema(contract)
    assert compare(told, _read_again(told), contract.direction) == []


def _read_again(part: Any, *, names: bool = False) -> Any:
    """The same in another order, without descriptions; `names`: the keys are names of fields or definitions."""
    if isinstance(part, dict):
        kept = [(key, value) for key, value in part.items() if names or key not in ("description", "title")]
        return {
            key: _read_again(value, names=key in ("properties", "$defs") and not names) for key, value in kept[::-1]
        }
    if isinstance(part, list):
        return [_read_again(item) for item in part]
    return part
