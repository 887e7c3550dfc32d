"""`/docs`: every operation on one page that needs no network, no script, and nothing but this process."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; text-transform: capitalize }
details { border: 1px solid #ddd; border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code { font: 14px ui-monospace, monospace }
summary b { display: inline-block; width: 4.2rem; font: bold 13px ui-monospace, monospace; color: #06506b }
summary span { color: #666; margin-left: .8rem }
table { border-collapse: collapse; margin: .5rem 0 1rem } td, th { text-align: left; padding: .15rem 1rem .15rem 0 }
td { vertical-align: top } th { font-weight: 600; border-bottom: 1px solid #ddd }
"""


def docs_router(app: FastAPI) -> APIRouter:
    """The page of an application."""
    router = APIRouter(tags=["health"])

    @router.get("/docs", summary="This page", response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        return HTMLResponse("".join(_page(app.openapi())))

    return router


def _page(spec: dict[str, Any]) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>Trunkline</title><style>{_STYLE}</style>"
    yield f"<h1>Trunkline</h1><p>{escape(spec['info'].get('description', ''))}</p>"
    yield "<p>Everything but health needs <code>Authorization: Bearer …</code> (<code>trunkline token issue</code>)."
    yield ' Errors are problem details with a stable <code>code</code>. For programs: <a href="/openapi.json">'
    yield "openapi.json</a>.</p>"
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append((method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        for method, path, operation in operations:
            yield from _operation(spec, method, path, operation)


def _operation(spec: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b><code>{escape(path)}</code>"
    yield f"<span>{escape(operation.get('summary', ''))}</span></summary>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    parameters = [(p["name"], p["in"], p.get("required", False), p) for p in operation.get("parameters", [])]
    yield from _table(spec, "Parameters", parameters)
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from _table(spec, f"Body ({media})", _fields(spec, body.get("schema", {})))
    yield "<table><tr><th>Answer<th></tr>"
    for status, answer in operation.get("responses", {}).items():
        yield f"<tr><td><code>{escape(status)}</code><td>{escape(answer.get('description', ''))}</tr>"
    yield "</table></details>"


def _fields(spec: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, bool, dict[str, Any]]]:
    schema = _resolved(spec, schema)
    required = schema.get("required", [])
    return [(name, "", name in required, {"schema": field}) for name, field in schema.get("properties", {}).items()]


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = spec["components"]["schemas"][name] if name else schema
    return found


def _table(spec: dict[str, Any], title: str, rows: list[tuple[str, str, bool, dict[str, Any]]]) -> Iterator[str]:
    if not rows:
        return
    yield f"<table><tr><th>{escape(title)}<th><th><th></tr>"
    for name, location, required, text in rows:
        schema = text.get("schema", {})
        says = text.get("description") or schema.get("description") or ""
        yield f"<tr><td><code>{escape(name)}</code><td>{escape(_kind(spec, schema))}"
        yield f"<td>{escape(' '.join(filter(None, (location, 'required' if required else ''))))}<td>{escape(says)}</tr>"
    yield "</table>"


def _kind(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if options := schema.get("anyOf"):
        return " or ".join(_kind(spec, option) for option in options)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(spec, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")
