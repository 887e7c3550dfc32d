"""Contracts as JSON Schema 2020-12, one file for each event and version (X7)."""

from typing import Any, Final

import msgspec

from trunkline.contracts.contract import Contract
from trunkline.contracts.values import GUARD

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(contract: Contract) -> dict[str, Any]:
    """Give the schema of a contract's data; its `$id` is the file's name, so it needs no host."""
    told = _without_guards(msgspec.json.schema(contract.data))
    definitions: dict[str, Any] = told.pop("$defs", {})
    if "$ref" in told:  # one struct: its definition is the schema itself
        told = definitions.pop(told["$ref"].rpartition("/")[2])
    head = {
        "$schema": DIALECT,
        "$id": contract.schema_file,
        "title": contract.name,
        "description": told.pop("description", contract.said),
    }
    told.pop("title", None)
    shown: dict[str, Any] = head | told | ({"$defs": definitions} if definitions else {})
    return shown


def _without_guards(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _without_guards(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_without_guards(item) for item in told]
    return told.replace(GUARD, "") if isinstance(told, str) else told
