"""All channels, both directions, as an AsyncAPI 3.0 document (X1, X7)."""

from collections.abc import Iterable
from typing import Any, Final

from trunkline.contracts import dead_letters
from trunkline.contracts.cloudevents.message import MAX_ATTRIBUTE_BYTES
from trunkline.contracts.contract import Contract

# Of this document; a schema has its own in its name.
_VERSION: Final = "1.0.0"
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_BYTES}
_ABOUT: Final = (
    "Licensing and numbers, two event-sourced services. Each public event has the topic of its "
    "name; the record's key is the event's subject. CloudEvents 1.0: binary mode out, binary and "
    "structured mode in. At least once; ce_id is deterministic; ce_sequence orders a subject."
)


def document(contracts: Iterable[Contract]) -> dict[str, Any]:
    """Give the AsyncAPI document of these contracts and the dead letters."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for contract in contracts:
        channel = channels.setdefault(contract.topic, {"address": contract.topic, "messages": {}})
        channel["messages"][contract.name] = {"$ref": f"#/components/messages/{contract.name}"}
        operations.update(_operation(contract.direction, contract.topic))
        messages[contract.name] = _message(contract)
    channels[dead_letters.TOPIC] = {
        "address": dead_letters.TOPIC,
        "messages": {"DeadLetter": {"$ref": "#/components/messages/DeadLetter"}},
    }
    operations.update(_operation("said", dead_letters.TOPIC))
    messages["DeadLetter"] = _dead_letter()
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Trunkline", "version": _VERSION, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"Attributes": _attributes()}},
    }


def _operation(direction: str, topic: str) -> dict[str, Any]:
    verb, action = ("say", "send") if direction == "said" else ("hear", "receive")
    return {
        f"{verb}{topic}": {"action": action, "channel": {"$ref": f"#/channels/{topic}"}},
    }


def _message(contract: Contract) -> dict[str, Any]:
    own: dict[str, Any] = {"ce_type": {"const": contract.name}}
    if contract.source:
        own["ce_source"] = {"const": contract.source}
        own["ce_dataschema"] = {"const": contract.schema_file}
    key: dict[str, Any] = {"type": "string", "description": f"data.{contract.key}"}
    if not contract.key:
        key = {"const": contract.fixed_subject}
    return {
        "name": contract.name,
        "summary": contract.description,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Attributes"},
                {"type": "object", "properties": own},
            ]
        },
        "payload": {"$ref": f"schemas/{contract.schema_file}"},
        "bindings": {"kafka": {"key": key}},
    }


def _attributes() -> dict[str, Any]:
    uuid_or_any = {"type": "string", "maxLength": MAX_ATTRIBUTE_BYTES}
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"],
        "properties": {
            "content-type": {"type": "string", "examples": ["application/json"]},
            "ce_specversion": {"const": "1.0"},
            "ce_id": _TEXT,
            "ce_source": _TEXT,
            "ce_type": _TEXT,
            "ce_subject": _TEXT | {"description": "the record's key"},
            "ce_time": {"type": "string", "format": "date-time", "description": "with an offset"},
            "ce_sequence": {"type": "string", "pattern": "^[0-9]{1,19}$"},
            "ce_epoch": {
                "type": "string",
                "pattern": "^[0-9]{1,19}$",
                "description": "how often the log was restored from a back-up; absent: never",
            },
            "ce_dataschema": {"type": "string"},
            "ce_correlationid": uuid_or_any,
            "ce_causationid": uuid_or_any,
        },
    }


def _dead_letter() -> dict[str, Any]:
    named = {name: {"type": "string", "description": text} for name, text in dead_letters.HEADERS.items()}
    return {
        "name": "DeadLetter",
        "summary": "a record that could not be read: its own bytes, key and headers, and why",
        "headers": {"type": "object", "required": list(named), "properties": named},
        "payload": {"description": "the original bytes, whatever they are"},
    }
