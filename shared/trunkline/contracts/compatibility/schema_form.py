"""A JSON Schema read from a file that anybody may have written (X7)."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

_Type = Literal["array", "boolean", "integer", "null", "number", "object", "string"]
_BOM: Final = b"\xef\xbb\xbf"


class _Form(msgspec.Struct):
    """The keywords that `compatibility` understands, in the form that it takes for granted; others may be anything."""

    ref: str | UnsetType = field(name="$ref", default=UNSET)
    defs: dict[str, _Form | bool] | UnsetType = field(name="$defs", default=UNSET)
    definitions: dict[str, _Form | bool] | UnsetType = UNSET
    type: _Type | list[_Type] | UnsetType = UNSET
    enum: list[Any] | UnsetType = UNSET
    any_of: list[_Form | bool] | UnsetType = field(name="anyOf", default=UNSET)
    properties: dict[str, _Form | bool] | UnsetType = UNSET
    required: list[str] | UnsetType = UNSET
    other_fields: _Form | bool | UnsetType = field(name="additionalProperties", default=UNSET)
    items: _Form | bool | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    above: float | UnsetType = field(name="exclusiveMinimum", default=UNSET)
    below: float | UnsetType = field(name="exclusiveMaximum", default=UNSET)
    min_length: float | UnsetType = field(name="minLength", default=UNSET)
    max_length: float | UnsetType = field(name="maxLength", default=UNSET)
    min_items: float | UnsetType = field(name="minItems", default=UNSET)
    max_items: float | UnsetType = field(name="maxItems", default=UNSET)
    min_fields: float | UnsetType = field(name="minProperties", default=UNSET)
    max_fields: float | UnsetType = field(name="maxProperties", default=UNSET)


def parse_schema(body: bytes) -> dict[str, Any]:
    """Read a JSON Schema; where it has a keyword that is understood, its value has the form that it must have.

    Raises:
        msgspec.ValidationError: it is JSON but no schema; the message names the place.
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no JSON that can be read.
    """
    schema: dict[str, Any] = msgspec.json.decode(body.removeprefix(_BOM))
    msgspec.convert(schema, _Form)
    return schema
