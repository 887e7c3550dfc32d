"""What a value takes is said in words: for every pattern that a request or an event is checked against (§9, O1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from tests.http.world import World, problem
from trunkline.cli.terminal.refused_values import refused_values
from trunkline.contracts import values
from trunkline.contracts.generate import SCHEMAS
from trunkline.contracts.validation_messages import FORMS, form, sentence, without_patterns


def patterns(schema: Any) -> Iterator[str]:
    """Every pattern in a JSON Schema or an OpenAPI document."""
    if isinstance(schema, dict):
        if isinstance(found := schema.get("pattern"), str):
            yield found
        for below in schema.values():
            yield from patterns(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from patterns(below)


async def test_then_each_pattern_of_the_operations_has_words(world: World) -> None:
    """§9: a new pattern in a request needs its sentence in `FORMS`."""
    found = set(patterns(world.app.openapi()))
    assert found
    assert {pattern for pattern in found if form(pattern) not in FORMS.values()} == set()


def test_then_each_pattern_of_the_events_has_words() -> None:
    """§9: a new pattern in a contract needs a description or its sentence in `FORMS`."""
    for file in SCHEMAS.glob("*.v1.json"):
        for pattern in set(patterns(json.loads(file.read_text(encoding="utf-8")))):
            assert form(pattern) in FORMS.values(), (file.name, pattern)


@pytest.mark.parametrize("kind", ["E164", "ForeignId", "Email", "Domain", "Country", "Label"])
def test_then_a_refused_event_has_no_regular_expression(kind: str) -> None:
    """§9: what msgspec says of a pattern is replaced; the place stays."""
    event = msgspec.defstruct("Event", [("field", getattr(values, kind))])
    with pytest.raises(msgspec.ValidationError) as told:
        msgspec.json.decode(b'{"field": "\\u0007"}', type=event)
    said = without_patterns(str(told.value))
    assert said.startswith("It takes ")
    assert said.endswith(" - at `$.field`")
    assert "^" not in said


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (UUID, "nobody", "it takes a UUID"),
        (int, "many", "it takes a whole number"),
        (bool, "perhaps", "it takes true or false"),
        (datetime, "soon", "it takes an instant, such as 2026-03-01T12:00:00Z"),
        (list[str], "x", "it takes a list"),
        (Literal["a", "b"], "c", "it takes 'a' or 'b'"),
    ],
)
def test_then_what_a_library_says_is_put_in_words(kind: Any, value: str, said: str) -> None:
    """§9: one sentence for each kind of value."""
    with pytest.raises(ValidationError) as told:
        TypeAdapter(kind).validate_python(value)
    assert sentence(told.value.errors()[0]) == said


async def test_then_a_request_is_refused_with_what_it_takes(world: World) -> None:
    """§9: over HTTP with pointers, for the command line with its options."""
    body = {"name": "", "owner_email": "a@[", "support_email": "s@p.example", "domains": "x"}
    told = problem(await world.admin.post("/licensing/partners", body), 422, "request-invalid")
    details = {error["pointer"]: error["detail"] for error in told["errors"]}
    assert details["#/domains"] == "it takes a list"
    given = {"--name": "", "--owner-email": "a@[", "--support-email": "s@p.example"}
    lines = refused_values(told["errors"], given)
    assert any(line.startswith("--name is ") for line in lines)
    assert not any("#/" in line or "^" in line for line in lines)


def test_then_options_are_found_by_name_or_by_value() -> None:
    """O1: `reserver_id` is what `--for` was given; what was typed nowhere is named by its field."""
    uuid = "it takes a UUID"
    errors = [
        {"pointer": "#/reserver_id", "value": "x", "detail": uuid},
        {"pointer": "#/numbers/0", "value": "1", "detail": uuid},
        {"pointer": "#/holder_id", "value": None, "detail": "it is missing"},
    ]
    assert refused_values(errors, {"--for": "x", "NUMBERS": ["1", "2"]}) == [
        f"--for is 'x'; {uuid}.",
        f"NUMBERS is '1'; {uuid}.",
        "holder id is missing.",
    ]
