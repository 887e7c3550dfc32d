"""When the same event is said again, in whatever form, its content hash is the same (S3)."""

import json
from typing import Any

import pytest

from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import content_hash, decode, decode_structured

SUB = "5f0c2a1e-7d43-4b8e-9a61-3c2f8e1b7d90"
ORG = "9b1d4c7a-2e58-4f06-8c3d-71a5e9d0b246"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/billing",
    "type": "billing.subscription.started",
    "subject": SUB,
    "time": "2026-03-05T00:00:00Z",
    "sequence": "1",
    "data": {
        "product": "number",
        "number": "+6561234567",
        "sku": "did-sg",
        "subscription_id": SUB,
        "organization_id": ORG,
    },
}


def hash_of(event: dict[str, Any]) -> bytes:
    return content_hash(decode_structured(event, billing.CONTRACTS))


def test_then_the_hash_is_this_one_for_ever() -> None:
    """S3: hashes are stored; one that moved would quarantine honest repetitions."""
    assert hash_of(EVENT).hex() == "52ba5ad08d151179349ca70b579953e1"


def test_then_the_mode_makes_no_difference() -> None:
    """S3: binary and structured are two ways to say one thing."""
    headers = [(f"ce_{name}", told.encode()) for name, told in EVENT.items() if name != "data"]
    value = json.dumps(EVENT["data"], indent=4).encode()
    assert content_hash(decode(headers, value, billing.CONTRACTS)) == hash_of(EVENT)


@pytest.mark.parametrize("other", [
    {"data": dict(reversed(EVENT["data"].items()))},
    {"data": EVENT["data"] | {"reference": None}},
    {"data": EVENT["data"] | {"reference": ""}},
    {"data": EVENT["data"] | {"unknown": 5}},
    {"data": EVENT["data"] | {"organization_id": ORG.upper()}},
    {"traceparent": "00-1", "correlationid": "c", "dataschema": "x", "id": "evt-2"},
    {"time": "2026-03-05T01:00:00+01:00"},
    {"time": "2026-03-05T00:00:00.000Z"},
    {"sequence": 1},
    {"sequence": "01"},
], ids=str)  # fmt: skip
def test_then_spelling_makes_no_difference(other: dict[str, Any]) -> None:
    """S3: key order, unknown fields and attributes, offsets, case of identifiers."""
    assert hash_of(EVENT | other) == hash_of(EVENT)


@pytest.mark.parametrize("other", [
    {"time": "2026-03-05T00:00:00.000001Z"},
    {"sequence": "2"},
    {"data": EVENT["data"] | {"number": "+6561234568"}},
    {"data": EVENT["data"] | {"reference": "PO1"}},
    {"type": "billing.subscription.expired"},
], ids=str)  # fmt: skip
def test_then_another_payload_is_told_apart(other: dict[str, Any]) -> None:
    """S3: the same id with another payload must be noticed."""
    assert hash_of(EVENT | other) != hash_of(EVENT)
