"""Every text field and every instant of the OpenAPI document: what cannot be stored is refused with its place (§9)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.http.world import World, created, event, problem
from trunkline.contracts import parties
from trunkline.contracts.cloudevents.message import read_data
from trunkline.text import matching_form
from trunkline_numbers.application.imports.layout import _label

_NUMBER = "+6531000001"
_HALVES = ('"x\\ud83d"', '"\\udc00x"')
_EXTREME = (
    "9999-12-31T23:59:59-10:00",
    "0001-01-01T00:00:00+10:00",
    "1969-12-31T23:59:59Z",
    "3000-01-01T00:00:00Z",
)


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in spec["paths"].items():
        if path.startswith(("/licensing", "/numbers")):
            for method, operation in operations.items():
                yield method.upper(), path, operation


def _path(path: str, operation: dict[str, Any]) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = _NUMBER if parameter["name"] == "number" else str(uuid4())
            path = path.replace("{" + parameter["name"] + "}", value)
    return path


def _resolved(schema: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _leaves(schema: dict[str, Any], spec: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and the options it has."""
    schema = _resolved(schema, spec)
    return [leaf for option in schema.get("anyOf", []) for leaf in _leaves(option, spec)] or [schema]


def _json_bodies(spec: dict[str, Any]) -> Iterator[tuple[str, str, str, list[dict[str, Any]]]]:
    """Method, path, and each field of each JSON body with the schemas it may have."""
    for method, path, operation in _operations(spec):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for option in _leaves(body, spec):
            for name, field in option.get("properties", {}).items():
                yield method, _path(path, operation), name, _leaves(field, spec)


async def test_then_no_text_of_a_body_has_half_a_surrogate_pair(world: World) -> None:
    """§9: 422 with the JSON pointer, from every operation with a JSON body, before anything else is looked at."""
    count = 0
    for method, path, name, leaves in _json_bodies(world.app.openapi()):
        if not any(leaf.get("type") == "string" for leaf in leaves):
            continue
        for text in _HALVES:
            body = f'{{"{name}": {text}}}'.encode()
            answer = await world.admin(method, path, content=body, headers={"Content-Type": "application/json"})
            told = problem(answer, 422, "request-invalid")
            assert told["errors"][0]["pointer"] == f"#/{name}", (method, path, name)
            count += 1
    assert count > 50


async def test_then_nul_is_never_more_than_a_wrong_request(world: World) -> None:
    """§9: in every text of every body and query: refused with its place, or matching nothing; never a failure."""
    spec, count = world.app.openapi(), 0
    for method, path, operation in _operations(spec):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                url = f"{_path(path, operation)}?{parameter['name']}=a%00b"
                assert (await world.admin(method, url)).status_code < 500, url
                count += 1
    for method, path, name, leaves in _json_bodies(spec):
        if any(leaf.get("type") == "string" for leaf in leaves):
            answer = await world.admin(method, path, json={name: "a\x00b"})
            assert 400 <= answer.status_code < 500, (method, path, name)
            count += 1
    assert count > 80


@pytest.mark.parametrize("query", ["extensions?q", "licenses/units?user", "licenses/units?license"])
async def test_then_nul_in_a_search_is_named(world: World, query: str) -> None:
    """§9: where PostgreSQL would have to compare it."""
    answer = await world.admin.get(f"/licensing/organizations/{world.east_org}/{query}=a%00b")
    told = problem(answer, 422, "request-invalid")
    assert (told["errors"][0]["in"], told["errors"][0]["pointer"]) == ("query", f"#/{query.partition('?')[2]}")


async def test_then_an_instant_that_no_clock_can_show_is_refused(world: World) -> None:
    """§9: every date-time of a query or a body; 422, never a failure."""
    spec, count = world.app.openapi(), 0
    for method, path, operation in _operations(spec):
        for parameter in operation.get("parameters", []):
            leaves = _leaves(parameter["schema"], spec)
            if parameter["in"] == "query" and any(leaf.get("format") == "date-time" for leaf in leaves):
                for instant in _EXTREME:
                    answer = await world.admin(method, _path(path, operation), params={parameter["name"]: instant})
                    told = problem(answer, 422)
                    assert told["errors"][0]["pointer"] == f"#/{parameter['name']}", (path, instant)
                    count += 1
    for method, path, name, leaves in _json_bodies(spec):
        if any(leaf.get("format") == "date-time" for leaf in leaves):
            for instant in _EXTREME:
                told = problem(await world.admin(method, path, json={name: instant}), 422)
                assert f"#/{name}" in {wrong["pointer"] for wrong in told["errors"]}, (path, name, instant)
                count += 1
    assert count >= 4 * 5


@pytest.mark.parametrize("body", [b"\xed\xa0\xbd", b'{"name": "\xed\xa0\xbd"}', b'{"name": "\xff"}'])
async def test_then_a_body_that_is_no_utf8_is_refused(world: World, body: bytes) -> None:
    """§9: JSON is UTF-8; half a surrogate pair written as bytes is not."""
    answer = await world.admin(
        "POST", "/licensing/partners", content=body, headers={"Content-Type": "application/json"}
    )
    problem(answer, 400, "request-unreadable")


async def test_then_only_the_event_with_half_a_surrogate_pair_is_unreadable(world: World) -> None:
    """X6, S1: its siblings in the batch take effect."""
    good = [event("started", str(uuid4()), world.east_org, product="license", license_code="team_chat", quantity=1)]
    good.append(event("expired", good[0]["subject"], world.east_org, "2026-02-01T00:00:00Z"))
    bad = event("expired", str(uuid4()), world.east_org) | {"id": "x\ud83d"}
    body = json.dumps([good[0], bad, good[1]]).encode()
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    answer = await world.admin("POST", "/licensing/billing-events", content=body, headers=headers)
    assert [result["verdict"] for result in answer.json()["results"]] == ["accepted", "unreadable", "accepted"]
    single = {"Content-Type": "application/cloudevents+json"}
    alone = await world.admin("POST", "/licensing/billing-events", content=json.dumps(bad).encode(), headers=single)
    problem(alone, 422, "event-unreadable")
    created(await world.bill(good[0]))


async def test_then_binary_mode_reads_its_headers_as_the_binding_says(world: World) -> None:
    """S3, X1: `a%FF` and `a%FE` are refused, never merged; a quoted or encoded id is the id of the other modes."""
    one = event("started", str(uuid4()), world.east_org, product="license", license_code="team_chat", quantity=1)
    one["id"] = 'café "1"'
    headers = {f"ce-{name}": value for name, value in one.items() if name != "data"}
    path = "/licensing/billing-events"
    for id_ in ("a%FF", "a%FE"):
        problem(await world.admin.post(path, one["data"], headers=headers | {"ce-id": id_}), 422, "event-unreadable")
    for id_ in ("caf%C3%A9%20%221%22", '"caf%C3%A9 \\"1\\""', "caf%c3%a9 %221%22"):
        created(await world.admin.post(path, one["data"], headers=headers | {"ce-id": id_}))
    assert created(await world.bill(one))["duplicate"] == 1
    raw = [(name.encode(), value.encode()) for name, value in (headers | {"ce-id": 'café "1"'}).items()]
    assert created(await world.admin("POST", path, json=one["data"], headers=raw))["duplicate"] == 1


_NOT_PEOPLES: frozenset[str] = frozenset(
    (
        *("by", "loop", "key", "value", "value_base64", "event_id", "token_id", "issuer", "subject", "source", "id"),
        *("start_from", "ext_key", "trunk_form"),
        *("number", "numbers", "first", "last", "old_number", "new_number"),
    )
)
"""Texts that machines give and compare byte by byte, or that have a form of their own."""
_DECIDED: frozenset[str] = frozenset({"remark", "directory_name"})
"""Texts that the decision brings into their one form: a number's remark, an extension's name."""


async def test_then_every_text_that_people_write_is_taken_in_one_form(world: World) -> None:
    """§9: a character that nobody sees is refused in each of them, with its place."""
    refused: set[str] = set()
    for method, path, name, leaves in _json_bodies(world.app.openapi()):
        if name in _NOT_PEOPLES or not any(leaf.get("type") == "string" and "enum" not in leaf for leaf in leaves):
            continue
        body = json.dumps({name: "x\u202ey"}).encode()
        answer = await world.admin(method, path, content=body, headers={"Content-Type": "application/json"})
        places = [error["pointer"] for error in answer.json().get("errors", [])]
        if f"#/{name}" in places:
            refused.add(name)
        else:
            assert name in _DECIDED, (method, path, name, answer.text)
    assert {"name", "remark", "vendor", "sku"} <= refused


async def test_then_one_text_is_one_thing_whatever_it_came_through(world: World) -> None:
    """§9: composed and decomposed, with blanks around and within: HTTP, topic, both kinds of file."""
    written, one = "  Zoe\u0308   Lund ", "Zo\u00eb Lund"
    made = await world.admin.post("/licensing/organizations", {"name": written, "billing_email": "b@o.example"})
    assert created(made)["name"] == one
    said = json.dumps(
        {"organization_id": str(uuid4()), "partner_id": None, "name": written, "billing_email": "b@o.example"}
    )
    assert read_data(parties.CONTRACTS["party.organization.registered"], said.encode()).name == one
    number = world.numbers(1)[0]
    added = {"numbers": [number], "vendor": written, "country": "SG", "sku": written}
    created(await world.admin.post("/numbers", added))
    shown = created(await world.admin.get(f"/numbers/{number}"))
    assert (shown["vendor"], shown["sku"]) == (one, one)
    created(await world.admin.post(f"/numbers/{number}/lock", {"remark": written}))
    newest = created(await world.admin.get(f"/numbers/{number}/history?sort=-at"))["items"][0]
    assert newest["remark"] == one
    assert _label(written) == one
    assert matching_form(written) == matching_form(one)
