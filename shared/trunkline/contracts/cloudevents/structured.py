"""CloudEvents 1.0 in structured mode: the whole event is one JSON object, or several a batch."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import (
    MAX_SEQUENCE,
    Message,
    check_text,
    check_value,
    read_data,
    read_time,
    same_subject,
)
from trunkline.contracts.contract import Contract


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: str | None = None
    sequence: int | float | str | None = None
    datacontenttype: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    data: Raw | UnsetType = UNSET
    data_base64: str | None = None


_envelope: Final = msgspec.json.Decoder(_Envelope)
_batch: Final = msgspec.json.Decoder(list[Raw])


def decode_structured(body: bytes | dict[str, Any], types: Mapping[str, Contract]) -> Message:
    """Read one event in JSON format: bytes as sent, or an object that was parsed before.

    Raises Unreadable with any of its codes except header-invalid.
    """
    if isinstance(body, dict):
        body = msgspec.json.encode(body)
    return _message(check_value(body), types)


def decode_batch(body: bytes, types: Mapping[str, Contract]) -> list[Message | MessageDecodeError]:
    """Read a JSON batch; each item is a Message or the reason why it is none, in the order sent.

    Raises MessageDecodeError (not-utf8, not-json, data-invalid) when the body is no JSON array at all.
    The size limit holds for each item; the route limits the body.
    """
    try:
        body.decode()
        items = _batch.decode(body)
    except UnicodeDecodeError as error:
        raise MessageDecodeError("not-utf8", f"The batch is not UTF-8: {error.reason} at byte {error.start}.") from None
    except msgspec.ValidationError as error:
        raise MessageDecodeError("data-invalid", f"A batch is a JSON array: {error}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        parts = _split(body)
        if parts is None:
            raise MessageDecodeError("not-json", f"The batch: {error}.") from None
        return [_item(part, types) for part in parts]
    return [_item(bytes(item), types) for item in items]


def _split(body: bytes) -> list[bytes] | None:
    """The items of an array in which some text has half a surrogate pair; None where the body is no JSON array.

    msgspec refuses the whole array for such a text. Python's parser takes it, so that only its own item is unreadable.
    """
    try:
        items = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return [json.dumps(item).encode() for item in items] if isinstance(items, list) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _item(body: bytes, types: Mapping[str, Contract]) -> Message | MessageDecodeError:
    try:
        return decode_structured(body, types)
    except MessageDecodeError as unreadable:
        return unreadable


def _message(body: bytes, types: Mapping[str, Contract]) -> Message:
    event = _read_envelope(body)
    if event.specversion != "1.0":
        raise MessageDecodeError("spec-version", f"specversion is {event.specversion!r}, not '1.0'.")
    name = _present("type", event.type)
    contract = types.get(name)
    if contract is None:
        raise MessageDecodeError("type-unknown", f"The type {name[:200]!r} is not known here.")
    if event.time is None:
        raise MessageDecodeError("attribute-missing", "time is missing.")
    identity = check_text("id", _present("id", event.id))
    source = check_text("source", _present("source", event.source))
    subject = check_text("subject", _present("subject", event.subject))
    data = read_data(contract, _data(event))
    return Message(
        identity,
        source,
        name,
        same_subject(contract, subject, data),
        read_time("time", event.time),
        _sequence(event.sequence),
        check_text("correlationid", event.correlationid) if event.correlationid else None,
        check_text("causationid", event.causationid) if event.causationid else None,
        data,
    )


def _read_envelope(body: bytes) -> _Envelope:
    try:
        return _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise MessageDecodeError("attribute-invalid", f"The CloudEvent: {error}.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageDecodeError("not-json", f"The CloudEvent: {error}.") from None


def _present(name: str, text: str | None) -> str:
    if text is None:
        raise MessageDecodeError("attribute-missing", f"{name} is missing.")
    return text


def _sequence(sequence: float | str | None) -> int | None:
    if isinstance(sequence, float):  # JSON Schema takes 5.0 for the integer 5
        sequence = int(sequence) if sequence.is_integer() else -1
    if isinstance(sequence, str):
        # int() alone would take signs, blanks, underscores and foreign digits.
        short = len(sequence) <= 19 and sequence.isascii() and sequence.isdigit()
        sequence = int(sequence) if short else -1
    if sequence is not None and not 0 <= sequence <= MAX_SEQUENCE:
        raise MessageDecodeError("attribute-invalid", f"sequence is no whole number from 0 to {MAX_SEQUENCE}.")
    return sequence


def _data(event: _Envelope) -> bytes | Raw:
    kind = (event.datacontenttype or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise MessageDecodeError("content-type", f"datacontenttype is {kind[:100]!r}, not JSON.")
    if event.data_base64 is None:
        if event.data is UNSET:
            raise MessageDecodeError("value-missing", "The CloudEvent has no data.")
        return event.data
    if event.data is not UNSET:
        raise MessageDecodeError("data-invalid", "The CloudEvent has both data and data_base64.")
    try:
        return check_value(base64.b64decode(event.data_base64, validate=True))
    except (binascii.Error, ValueError) as error:
        raise MessageDecodeError("data-invalid", f"data_base64: {error}.") from None
