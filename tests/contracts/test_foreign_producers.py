"""When somebody else's producer speaks CloudEvents, in either mode (X1, S1)."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from msgspec import UNSET

from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.envelope import MessageDecodeError, decode, decode_batch, decode_structured

SUBSCRIPTION = "5f0c2a1e-7d43-4b8e-9a61-3c2f8e1b7d90"
ORGANIZATION = "9b1d4c7a-2e58-4f06-8c3d-71a5e9d0b246"
DATA = {"subscription_id": SUBSCRIPTION, "organization_id": ORGANIZATION}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/billing/apac",
    "type": "billing.subscription.expired",
    "subject": SUBSCRIPTION,
    "time": "2026-03-05T00:00:00Z",
    "sequence": "3",
    "data": DATA,
}
STRUCTURED = [("content-type", b"application/cloudevents+json")]


def binary(**changed: str) -> list[tuple[str, bytes | None]]:
    told = {name: text for name, text in EVENT.items() if name != "data"} | changed
    return [(f"ce_{name}", text.encode()) for name, text in told.items()]


def structured(**changed: Any) -> bytes:
    return json.dumps(EVENT | changed).encode()


@pytest.mark.parametrize(("type_", "data"), [
    ("started", {"product": "number", "number": "+6561234567", "sku": "did-sg"}),
    ("started", {"product": "license", "license_code": "phone_system", "quantity": 5}),
    ("quantity_changed", {"quantity": 0}),
    ("expired", {}),
])  # fmt: skip
def test_then_both_modes_of_the_cloudevents_package_read_alike(type_: str, data: dict[str, Any]) -> None:
    """S1: what the common package sends in binary and in structured mode is the same message."""
    event = CloudEvent(
        {
            "id": "evt-7",
            "source": "/billing/apac",
            "type": f"billing.subscription.{type_}",
            "subject": SUBSCRIPTION,
            "time": datetime(2026, 3, 5, 8, tzinfo=UTC),
            "datacontenttype": "application/json",
            "sequence": "3",
            "traceparent": "unknown attributes are fine",
        },
        DATA | data,
    )
    one = kafka.to_binary(event, JSONFormat())
    other = kafka.to_structured(event, JSONFormat())
    read = decode(list(one.headers.items()), one.value, billing.CONTRACTS)
    assert read == decode(list(other.headers.items()), other.value, billing.CONTRACTS)
    assert (read.id, read.sequence, read.time) == ("evt-7", 3, datetime(2026, 3, 5, 8, tzinfo=UTC))


@pytest.mark.parametrize("kind", [
    "application/cloudevents+json",
    "application/cloudevents+json; charset=utf-8",
    "Application/CloudEvents+JSON;charset=UTF-8",
])  # fmt: skip
def test_then_the_content_type_tells_structured_mode(kind: str) -> None:
    """X1: with and without a charset, in any case."""
    message = decode([("Content-Type", kind.encode())], structured(), billing.CONTRACTS)
    assert message.data == billing.Expired(**DATA)


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.billing+json", ""])
def test_then_other_json_is_binary_mode_whatever_the_case_of_names(kind: str) -> None:
    """X1: header names are matched without regard to case."""
    headers = [(name.title(), content) for name, content in binary()]
    value = json.dumps(DATA).encode()
    read = decode([*headers, ("CONTENT-TYPE", kind.encode())], value, billing.CONTRACTS)
    assert read == decode_structured(structured(), billing.CONTRACTS)


def test_then_data_may_be_in_base64() -> None:
    """X1: structured mode allows it."""
    encoded = base64.b64encode(json.dumps(DATA).encode()).decode()
    event = {name: told for name, told in EVENT.items() if name != "data"}
    message = decode_structured(event | {"data_base64": encoded}, billing.CONTRACTS)
    assert message == decode_structured(structured(), billing.CONTRACTS)


def test_then_times_are_brought_to_utc_and_identifiers_to_lower_case() -> None:
    """S3: one instant and one identity have one spelling, so that repetitions are recognized."""
    loud = {name: told.upper() for name, told in DATA.items()}
    shouted = decode_structured(
        structured(subject=SUBSCRIPTION.upper(), time="2026-03-05T08:00:00+08:00", data=loud),
        billing.CONTRACTS,
    )
    assert shouted == decode_structured(structured(), billing.CONTRACTS)
    assert shouted.time.tzinfo is UTC


def test_then_sequence_is_optional_and_may_be_a_number() -> None:
    """S3: billing may count, or leave it to the time."""
    event = {name: told for name, told in EVENT.items() if name != "sequence"}
    assert decode_structured(event, billing.CONTRACTS).sequence is None
    assert decode_structured(structured(sequence=0), billing.CONTRACTS).sequence == 0
    assert decode_structured(structured(sequence="007"), billing.CONTRACTS).sequence == 7


def test_then_unknown_fields_are_skipped() -> None:
    """X7: forward compatible."""
    message = decode_structured(structured(data=DATA | {"new": [1]}), billing.CONTRACTS)
    assert message.data == billing.Expired(**DATA)


def test_then_a_change_tells_absent_from_null() -> None:
    """P0: what is not said does not change; a null partner is the platform itself."""
    told = {"organization_id": ORGANIZATION, "partner_id": None}
    event = EVENT | {"type": "party.organization.changed", "subject": ORGANIZATION, "data": told}
    message = decode_structured(event, parties.CONTRACTS)
    assert message.data == parties.OrganizationChanged(organization_id=ORGANIZATION, partner_id=None)
    assert message.data.name is UNSET


def test_then_a_bad_item_of_a_batch_leaves_its_siblings_alone() -> None:
    """S1, X6: each item has its own outcome, in the order sent."""
    body = b"[%b, 5, %b, %b]" % (structured(), structured(id=""), structured(id="evt-2"))
    first, second, third, fourth = decode_batch(body, billing.CONTRACTS)
    assert [getattr(item, "id", None) for item in (first, fourth)] == ["evt-1", "evt-2"]
    assert isinstance(second, MessageDecodeError)
    assert isinstance(third, MessageDecodeError)
    assert (second.code, third.code) == ("attribute-invalid", "attribute-invalid")


@pytest.mark.parametrize(("body", "code"), [
    (b"{}", "data-invalid"), (b"[1,", "not-json"), (b"\xff", "not-utf8"), (b"[" * 99_999, "not-json"),
])  # fmt: skip
def test_then_a_body_that_is_no_batch_is_refused_whole(body: bytes, code: str) -> None:
    """S1, X6: there is nothing to go on with."""
    with pytest.raises(MessageDecodeError) as caught:
        decode_batch(body, billing.CONTRACTS)
    assert caught.value.code == code
