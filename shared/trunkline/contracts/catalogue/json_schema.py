"""Contracts as JSON Schema 2020-12, one file for each event and version (X7)."""

from typing import Any, Final

import msgspec

from trunkline.contracts.contract import Contract
from trunkline.contracts.values import GUARD

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(contract: Contract) -> dict[str, Any]:
    """Give the schema of a contract's data; its `$id` is the file's name, so it needs no host."""
    data = _without_guards(msgspec.json.schema(contract.data))
    definitions: dict[str, Any] = data.pop("$defs", {})
    if "$ref" in data:  # one struct: its definition is the schema itself
        data = definitions.pop(data["$ref"].rpartition("/")[2])
    head = {
        "$schema": DIALECT,
        "$id": contract.schema_file,
        "title": contract.name,
        "description": data.pop("description", contract.description),
    }
    data.pop("title", None)
    shown: dict[str, Any] = head | data | ({"$defs": definitions} if definitions else {})
    return shown


def _without_guards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_guards(value) for key, value in value.items()}
    if isinstance(value, list):
        return [_without_guards(item) for item in value]
    return value.replace(GUARD, "") if isinstance(value, str) else value
