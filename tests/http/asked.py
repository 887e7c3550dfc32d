"""Requests made from the OpenAPI document: what an operation takes, naming what a test wants named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

OPEN = {"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"}
_WORDS = {
    "country": "SG",
    "remark": "a test says so",
    "at": "2026-01-01T00:00:00Z",
    "since": "2026-01-01T00:00:00Z",
    "name": "x",
}
"""What fields of these names take, whatever operation they are of."""


def operations(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation that needs a token: method, path, description."""
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if path not in OPEN:
                yield method.upper(), path, operation


class Asked:
    """Makes the request of an operation: all that it must have, and every field whose name is known."""

    def __init__(self, spec: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        self._schemas = spec.get("components", {}).get("schemas", {})
        self._known = {**_WORDS, **known}

    def request(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the client: `params`, and `json` or `content` where there is a body."""
        made: dict[str, Any] = {"params": self._query(operation)}
        bodies = operation.get("requestBody", {}).get("content", {})
        if "application/json" in bodies:
            made["json"] = self._value("", bodies["application/json"].get("schema", {}))
        elif bodies:
            made |= {"content": b"x", "headers": {"Content-Type": next(iter(bodies))}}
        return made

    def fields(self, operation: Mapping[str, Any]) -> list[str]:
        """The names of the fields of its body, where that is JSON."""
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return list(schema.get("properties", ()))

    def _query(self, operation: Mapping[str, Any]) -> dict[str, str]:
        wanted = [p for p in operation.get("parameters", ()) if p["in"] == "query" and p.get("required")]
        return {p["name"]: str(self._value(p["name"], p["schema"])) for p in wanted}

    def _value(self, name: str, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self._value(name, self._schemas[schema["$ref"].rpartition("/")[2]])
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._known.get(name) or [self._value(name.removesuffix("s"), schema.get("items", {}))]
        if name in self._known:
            return self._known[name]
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self._value(name, schema[several][-1 if kind == "null" else 0])
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        return self._plain(name, kind, schema)

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        fields, must = schema.get("properties", {}), set(schema.get("required", ()))
        return {name: self._value(name, of) for name, of in fields.items() if name in must or name in self._known}

    def _plain(self, name: str, kind: str | None, schema: Mapping[str, Any]) -> Any:
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        if kind == "boolean":
            return False
        if name.endswith("_id"):
            return str(uuid4())
        if name.endswith("email"):
            return "a@b.example"
        if schema.get("format") == "date-time":
            return _WORDS["at"]
        return "x"
