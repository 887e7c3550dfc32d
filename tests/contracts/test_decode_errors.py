"""When a record cannot be read or understood, it has a code and a sentence, and nothing breaks (X6)."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trunkline.contracts import billing
from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.cloudevents.envelope import (
    CODES,
    MAX_VALUE_BYTES,
    Message,
    MessageDecodeError,
    decode,
    decode_batch,
    decode_structured,
)

SUB = "5f0c2a1e-7d43-4b8e-9a61-3c2f8e1b7d90"
ORG = "9b1d4c7a-2e58-4f06-8c3d-71a5e9d0b246"
DATA: dict[str, Any] = {"subscription_id": SUB, "organization_id": ORG}
VALUE = json.dumps(DATA).encode()
GOOD: dict[str, bytes | None] = {
    "ce_specversion": b"1.0",
    "ce_id": b"evt-1",
    "ce_source": b"/billing",
    "ce_type": b"billing.subscription.expired",
    "ce_subject": SUB.encode(),
    "ce_time": b"2026-03-05T00:00:00Z",
}
TYPES = {contract.name: contract for contract in catalogue.ALL}
PADDED = VALUE + b" " * (MAX_VALUE_BYTES - len(VALUE))


def refused(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> MessageDecodeError:
    with pytest.raises(MessageDecodeError) as caught:
        decode(headers, value, TYPES)
    assert caught.value.code in CODES
    assert caught.value.reason.endswith(".")
    return caught.value


@pytest.mark.parametrize(("name", "content", "code"), [
    ("ce_specversion", b"0.3", "spec-version"),
    ("ce_type", b"billing.subscription.exploded", "type-unknown"),
    ("ce_id", b"", "attribute-missing"),
    ("ce_id", None, "header-invalid"),
    ("ce_source", b"\xff\xfe", "header-invalid"),
    ("ce_source", b"nul\x00", "attribute-invalid"),
    ("ce_source", b"two\nlines", "attribute-invalid"),
    ("ce_id", b"x" * 513, "attribute-invalid"),
    ("ce_id", "é".encode() * 257, "attribute-invalid"),
    ("ce_subject", ORG.encode(), "subject-mismatch"),
    ("ce_time", None, "header-invalid"),
    ("ce_time", b"\xff", "header-invalid"),
    ("ce_time", b"yesterday", "attribute-invalid"),
    ("ce_time", b"2026-03-05T00:00:00", "attribute-invalid"),
    ("ce_time", b"0001-01-01T00:00:00+14:00", "attribute-invalid"),
    ("ce_time", b"9999-12-31T23:59:59Z", "attribute-invalid"),
    ("ce_sequence", None, "header-invalid"),
    ("ce_sequence", b"-1", "attribute-invalid"),
    ("ce_sequence", b"1_0", "attribute-invalid"),
    ("ce_sequence", "٣".encode(), "attribute-invalid"),
    ("ce_sequence", b"9223372036854775808", "attribute-invalid"),
    ("ce_correlationid", b"\xff", "header-invalid"),
    ("ce_causationid", None, "header-invalid"),
    ("content-type", b"text/plain", "content-type"),
    ("content-type", b"application/cloudevents-batch+json", "content-type"),
    ("content-type", None, "header-invalid"),
])  # fmt: skip
def test_then_a_bad_header_is_named(name: str, content: bytes | None, code: str) -> None:
    """X6: the reason says which header it was."""
    unreadable = refused([*(GOOD | {name: content}).items()], VALUE)
    assert unreadable.code == code
    assert name.removeprefix("ce_") in unreadable.reason


@pytest.mark.parametrize("name", sorted(GOOD))
def test_then_a_missing_attribute_is_named(name: str) -> None:
    """X6: no required attribute can be guessed."""
    unreadable = refused([(n, c) for n, c in GOOD.items() if n != name], VALUE)
    assert unreadable.code == ("spec-version" if name == "ce_specversion" else "attribute-missing")
    assert name in unreadable.reason


def test_then_a_header_given_twice_is_refused() -> None:
    """X6: which of the two was meant cannot be known; other headers may repeat."""
    assert refused([*GOOD.items(), ("CE_ID", b"evt-2")], VALUE).code == "header-invalid"
    traced = [*GOOD.items(), ("trace", b"\xff"), ("trace", None)]
    assert decode(traced, VALUE, TYPES).id == "evt-1"


@pytest.mark.parametrize(("value", "code"), [
    (None, "value-missing"),
    (b"", "not-json"),
    (b"hello", "not-json"),
    (b"\xff\xfe{}", "not-utf8"),
    (VALUE[:-1] + b', "new": "\xff"}', "not-utf8"),
    (PADDED + b" ", "too-large"),
    (b'{"new":' + b"[" * 9_999 + b"]" * 9_999 + b"}", "data-invalid"),
    (b"5", "data-invalid"),
])  # fmt: skip
def test_then_a_bad_value_is_named(value: bytes | None, code: str) -> None:
    """X6: bytes that are no event are told from an event of the wrong shape."""
    assert refused([*GOOD.items()], value).code == code


def test_then_the_largest_value_is_still_read() -> None:
    """X6: 1 MiB is taken, one byte more is not."""
    assert decode([*GOOD.items()], PADDED, TYPES).data == billing.Expired(**DATA)


@pytest.mark.parametrize(("type_", "data", "where"), [
    ("expired", {"organization_id": None}, "$.organization_id"),
    ("expired", {"organization_id": "not-a-uuid"}, "$.organization_id"),
    ("expired", {"organization_id": ORG + "\n"}, "$.organization_id"),
    ("quantity_changed", {"quantity": -1}, "$.quantity"),
    ("quantity_changed", {"quantity": 1.5}, "$.quantity"),
    ("quantity_changed", {"quantity": True}, "$.quantity"),
    ("quantity_changed", {"quantity": 2**31}, "$.quantity"),
    ("renewed", {"renewed_until": "2026-01-01"}, "$.renewed_until"),
    ("renewed", {"renewed_until": "2026-01-01T00:00:00"}, "$.renewed_until"),
    ("renewed", {"renewed_until": "9999-01-01T00:00:00Z"}, "1970"),
    ("started", {}, "`product`"),
    ("started", {"product": "fax"}, "$.product"),
    ("started", {"product": "number", "sku": "x"}, "`number`"),
    ("started", {"product": "number", "sku": "x", "number": "6561234567"}, "$.number"),
    ("started", {"product": "number", "sku": "x", "number": "+6561234567\n"}, "$.number"),
    ("started", {"product": "number", "sku": "\0", "number": "+6561234567"}, "$.sku"),
    ("started", {"product": "license", "license_code": "x", "quantity": 0}, "$.quantity"),
    ("started", {"product": "did_reservation", "quantity": 1}, "`plan_days`"),
    ("started", {"product": "did_reservation", "quantity": 1, "plan_days": 0}, "$.plan_days"),
    ("number_swapped", {"old_number": "+6561234567", "new_number": "+6561234567"}, "the same"),
])  # fmt: skip
def test_then_bad_data_is_named_with_its_place(type_: str, data: Any, where: str) -> None:
    """S1, X6: the reason carries the JSON path."""
    headers = GOOD | {"ce_type": f"billing.subscription.{type_}".encode()}
    unreadable = refused([*headers.items()], json.dumps(DATA | data).encode())
    assert unreadable.code == "data-invalid"
    assert where in unreadable.reason


@pytest.mark.parametrize(("data", "where"), [
    ({"email": "a@b@c"}, "$.email"),
    ({"email": "a@b,c"}, "$.email"),
    ({"email": "a b@c"}, "$.email"),
    ({"email": "a@c\r\nBcc: d"}, "$.email"),
    ({"name": ""}, "$.name"),
    ({"name": "x" * 201}, "$.name"),
    ({"name": "bell\a"}, "$.name"),
    ({"name": "line\n"}, "$.name"),
    ({"role": "king"}, "$.role"),
])  # fmt: skip
def test_then_a_bad_party_is_named_with_its_place(data: dict[str, str], where: str) -> None:
    """P0, X6: what could end up in a letter's head is checked at the door."""
    event = {name.removeprefix("ce_"): (content or b"").decode() for name, content in GOOD.items()}
    event |= {"type": "party.identity.changed"}
    with pytest.raises(MessageDecodeError) as caught:
        decode_structured(event | {"data": {"identity_id": SUB} | data}, TYPES)
    assert (caught.value.code, where in caught.value.reason) == ("data-invalid", True)


@pytest.mark.parametrize(("changed", "code"), [
    ({"specversion": None}, "spec-version"),
    ({"id": None}, "attribute-missing"),
    ({"id": 5}, "attribute-invalid"),
    ({"time": None}, "attribute-missing"),
    ({"time": "2026-03-05T00:00:00"}, "attribute-invalid"),
    ({"sequence": 1.5}, "attribute-invalid"),
    ({"sequence": True}, "attribute-invalid"),
    ({"sequence": -1}, "attribute-invalid"),
    ({"sequence": "+1"}, "attribute-invalid"),
    ({"type": "nobody.knows"}, "type-unknown"),
    ({"subject": ORG}, "subject-mismatch"),
    ({"datacontenttype": "application/xml"}, "content-type"),
    ({"data_base64": "e30="}, "data-invalid"),
    ({"data": 5}, "data-invalid"),
])  # fmt: skip
def test_then_structured_mode_has_the_same_codes(changed: dict[str, Any], code: str) -> None:
    """X6: the mode makes no difference to what is wrong."""
    event = {name.removeprefix("ce_"): (content or b"").decode() for name, content in GOOD.items()}
    body = json.dumps(event | {"data": DATA} | changed).encode()
    assert refused([("content-type", b"application/cloudevents+json")], body).code == code


@pytest.mark.parametrize(("told", "code"), [
    ({}, "value-missing"),
    ({"data_base64": "not base64!"}, "data-invalid"),
    ({"data_base64": "//8="}, "not-utf8"),
    ({"data_base64": "aGVsbG8="}, "not-json"),
])  # fmt: skip
def test_then_absent_or_broken_base64_data_is_named(told: dict[str, str], code: str) -> None:
    """X6: also what is wrapped once more."""
    event = {name.removeprefix("ce_"): (content or b"").decode() for name, content in GOOD.items()}
    with pytest.raises(MessageDecodeError) as caught:
        decode_structured(event | told, TYPES)
    assert caught.value.code == code


def read_or_code(read: Callable[[], Message]) -> Message | str:
    try:
        return read()
    except MessageDecodeError as unreadable:
        return unreadable.code


names = st.sampled_from([*GOOD, "Content-Type", "ce_sequence", "CE_ID"]) | st.text()
contents = st.none() | st.binary() | st.sampled_from([*GOOD.values(), b"application/cloudevents+json"])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just(SUB),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*DATA, "x"]), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.tuples(names, contents)), st.booleans(), st.none() | st.binary())
@example([], False, None)
@example([], False, b"{}")
def test_then_arbitrary_bytes_raise_nothing_else(
    headers: list[tuple[str, bytes | None]], complete: bool, value: bytes | None
) -> None:
    """X6: poison is parked, whatever it is made of."""
    read_or_code(lambda: decode([*GOOD.items(), *headers] if complete else headers, value, TYPES))


@settings(deadline=None)
@given(st.sampled_from(sorted(TYPES)), json_values, st.dictionaries(st.text(), json_values))
def test_then_arbitrary_json_raises_nothing_else(name: str, data: Any, more: Any) -> None:
    """X6: neither does JSON of any shape, in either mode or in a batch."""
    headers = GOOD | {"ce_type": name.encode()}
    event = {n.removeprefix("ce_"): (c or b"").decode() for n, c in headers.items()}
    body = json.dumps(more | event | {"data": data}).encode()
    outcome = read_or_code(lambda: decode_structured(body, TYPES))
    read_or_code(lambda: decode([*headers.items()], json.dumps(data).encode(), TYPES))
    (item,) = decode_batch(b"[" + body + b"]", TYPES)
    assert (item if isinstance(item, Message) else item.code) == outcome
