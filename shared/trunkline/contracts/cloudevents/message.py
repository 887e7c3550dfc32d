"""A readable message, and the checks that both CloudEvents modes share."""

from datetime import datetime
from typing import Any, Final

import msgspec

from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.contract import Contract
from trunkline.contracts.validation_messages import without_patterns
from trunkline.contracts.values import read_instant

MAX_VALUE_BYTES: Final = 1_048_576
# Identities become keys of an index: what is longer would be refused by the store, again and again.
MAX_ATTRIBUTE_BYTES: Final = 512
MAX_SEQUENCE: Final = 2**63 - 1


class Message(msgspec.Struct, frozen=True, gc=False):
    """One event as it was received: its CloudEvents attributes, and its data as a contract struct.

    `id` and `source` name the event, `subject` is what it is about (its key), `time` is the
    instant the fact counts from, in UTC, and `sequence` orders the subject's events if given.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    sequence: int | None
    correlation_id: str | None
    causation_id: str | None
    data: Any


def check_value(value: bytes | None) -> bytes:
    """Give the value if it has an acceptable size and is UTF-8.

    Raises Unreadable: value-missing, too-large, not-utf8.
    """
    if value is None:
        raise MessageDecodeError("value-missing", "The record has no value, so there is no event in it.")
    if len(value) > MAX_VALUE_BYTES:
        raise MessageDecodeError(
            "too-large",
            f"The value has {len(value):,} bytes; at most {MAX_VALUE_BYTES:,} are taken.",
        )
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise MessageDecodeError(
                "not-utf8", f"The value is not UTF-8: {error.reason} at byte {error.start}."
            ) from None
    return value


def check_text(name: str, text: str) -> str:
    """Give an attribute's text if it is printable, not blank and not too long.

    Raises Unreadable: attribute-invalid. `name` is how the sender calls the attribute.
    """
    if not text or not text.isprintable():
        raise MessageDecodeError("attribute-invalid", f"{name} is blank or has control characters.")
    if len(text) > MAX_ATTRIBUTE_BYTES or (not text.isascii() and len(text.encode()) > MAX_ATTRIBUTE_BYTES):
        raise MessageDecodeError("attribute-invalid", f"{name} is longer than {MAX_ATTRIBUTE_BYTES} bytes.")
    return text


def read_data(contract: Contract, data: bytes | msgspec.Raw) -> Any:
    """Decode an event's data; fields that the contract does not know are skipped.

    Raises Unreadable: data-invalid with the JSON path, not-json.
    """
    try:
        return contract.read(data)
    except msgspec.ValidationError as error:
        raise MessageDecodeError(
            "data-invalid", f"The data of {contract.name}: {without_patterns(str(error))}."
        ) from None
    except RecursionError:
        raise MessageDecodeError("data-invalid", f"The data of {contract.name}: nested too deep.") from None
    except msgspec.DecodeError as error:
        raise MessageDecodeError("not-json", f"The data of {contract.name}: {error}.") from None


def read_time(name: str, text: str) -> datetime:
    """Read an RFC 3339 time, in UTC. Raises Unreadable: attribute-invalid (`values.read_instant`)."""
    try:
        return read_instant(text)
    except ValueError as error:
        raise MessageDecodeError("attribute-invalid", f"{name}: {error}.") from None


def same_subject(contract: Contract, subject: str, data: Any) -> str:
    """Give the subject as the data spells it.

    Raises MessageDecodeError: subject-mismatch when the data is about another one.
    """
    key: str = contract.subject_of(data)
    if subject != key and subject.lower() != key:
        where = f"data.{contract.key}" if contract.key else "the only subject"
        raise MessageDecodeError("subject-mismatch", f"The subject is {subject!r} but {where} is {key!r}.")
    return key
