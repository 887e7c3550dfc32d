"""CloudEvents 1.0 in binary mode: attributes are `ce_…` headers, the value is the data (X1, X6).

This is the hot path. A producer sends the same header names in the same order every time, so
each such layout is judged once: case, repetition, and where every attribute stands.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

import msgspec

from trunkline.contracts.cloudevents.errors import MessageDecodeError
from trunkline.contracts.cloudevents.message import (
    MAX_ATTRIBUTE_BYTES,
    MAX_SEQUENCE,
    Message,
    check_text,
    check_value,
    read_data,
    read_time,
    same_subject,
)
from trunkline.contracts.cloudevents.structured import decode_structured
from trunkline.contracts.contract import Contract
from trunkline.contracts.values import FIRST_YEAR, LAST_YEAR, Instant

Headers = Sequence[tuple[str, bytes | None]]

_STRUCTURED: Final = "application/cloudevents+json"
# The spellings that really occur are looked up; any other is taken apart. No header: JSON.
_BINARY_TYPES: Final = frozenset(
    (b"", b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")
)
_TEXTS: Final = (
    "ce_id", "ce_source", "ce_subject", "ce_type", "ce_correlationid", "ce_causationid"
)  # fmt: skip
_REQUIRED: Final = 4
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_SEAMS: Final = b"\n" * (len(_TEXTS) - 1)
_MOST_LAYOUTS: Final = 256
_ABSENT: Final = -1
_PLAIN_LENGTHS: Final = frozenset((len("2026-03-01T00:00:00Z"), len("2026-03-01T00:00:00.000000Z")))
_T, _Z = b"TZ"
_read_time: Final = msgspec.json.Decoder(Instant).decode


class _Layout:
    """Where the attributes stand in the headers; what is absent stands in the place after them."""

    __slots__ = ("kind", "sequence", "texts", "time", "version")

    def __init__(self, names: Sequence[str]) -> None:
        places: dict[str, int] = {}
        for index, name in enumerate(map(str.lower, names)):
            if name in places and (name.startswith("ce_") or name == "content-type"):
                raise MessageDecodeError("header-invalid", f"The header {name} is given twice.")
            places[name] = index
        self.texts: Final = itemgetter(*(places.get(name, _ABSENT) for name in _TEXTS))
        self.kind: Final = places.get("content-type", _ABSENT)
        self.version: Final = places.get("ce_specversion", _ABSENT)
        self.time: Final = places.get("ce_time", _ABSENT)
        self.sequence: Final = places.get("ce_sequence", _ABSENT)


_layouts: Final[dict[tuple[str, ...], _Layout]] = {}


def decode(headers: Headers, value: bytes | None, types: Mapping[str, Contract]) -> Message:
    """Read one Kafka record in binary or structured mode, whatever the case of header names.

    In: the record's headers and value, and the contracts that are understood here by type name.
    Out: the message, its subject and identifiers in canonical spelling, its time in UTC; of a tombstone
    on a compacted topic without data.
    Raises Unreadable and nothing else, whatever the bytes (X6).
    """
    tombstone = value is None and any(contract.compacted for contract in types.values())
    value = b"" if tombstone else check_value(value)
    names, contents = zip(*headers, strict=True) if headers else ((), ())
    layout = _layouts.get(names) or _learn(names)
    contents = (*contents, b"")
    if (kind := contents[layout.kind]) not in _BINARY_TYPES and _is_structured(kind):
        return decode_structured(value, types)
    if (version := contents[layout.version]) != b"1.0":
        _refuse_version(version, layout.version)
    identity, source, subject, name, correlation, causation = _texts(layout.texts(contents))
    contract = types.get(name)
    if contract is None:
        raise MessageDecodeError("type-unknown", f"The type {name!r} is not known here.")
    time = _time(contents[layout.time])
    sequence = None if layout.sequence < 0 else _sequence(contents[layout.sequence])
    if tombstone:
        check_value(b"" if contract.compacted else None)
        return Message(identity, source, name, subject, time, sequence, correlation or None, causation or None, None)
    data = read_data(contract, value)
    if subject != contract.subject_of(data):
        subject = same_subject(contract, subject, data)
    return Message(
        identity,
        source,
        name,
        subject,
        time,
        sequence,
        correlation or None,  # of these two a blank one is as good as none
        causation or None,
        data,
    )


def _learn(names: tuple[str, ...]) -> _Layout:
    layout = _Layout(names)
    if len(_layouts) < _MOST_LAYOUTS:  # whoever makes names up only loses the short cut
        _layouts[names] = layout
    return layout


def _texts(contents: tuple[bytes | None, ...]) -> Sequence[str]:
    """Read the attributes that are text: all at once, and one by one to name the one at fault."""
    try:
        joined = b"\n".join(contents)  # type: ignore[arg-type] # null is the TypeError below
    except TypeError:
        joined = b""
    # Without the printable ASCII only the seams may be left: neither control nor foreign ones.
    if (
        joined.translate(None, _PRINTABLE) == _SEAMS
        and len(joined) <= MAX_ATTRIBUTE_BYTES
        and b"" not in contents[:_REQUIRED]
    ):
        return joined.decode().split("\n")
    return [
        _text(name, content, required=index < _REQUIRED)
        for index, (name, content) in enumerate(zip(_TEXTS, contents, strict=True))
    ]


def _text(name: str, content: bytes | None, *, required: bool = True) -> str:
    if content is None:
        raise MessageDecodeError("header-invalid", f"The header {name} is null.")
    if not content:
        if required:
            raise MessageDecodeError("attribute-missing", f"The header {name} is missing or blank.")
        return ""
    try:
        return check_text(f"The header {name}", content.decode())
    except UnicodeDecodeError as error:
        raise MessageDecodeError("header-invalid", f"The header {name} is not UTF-8: {error.reason}.") from None


def _time(content: bytes | None) -> datetime:
    # What Trunkline and most others write; every other form is read by the rules of RFC 3339, which msgspec bends.
    if content and len(content) in _PLAIN_LENGTHS and content[10] == _T and content[-1] == _Z:
        try:
            time: datetime = _read_time(b'"%b"' % content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return read_time("The header ce_time", _text("ce_time", content))
        if time.tzinfo is UTC and FIRST_YEAR <= time.year <= LAST_YEAR:
            return time
    return read_time("The header ce_time", _text("ce_time", content))


def _sequence(content: bytes | None) -> int:
    if content is None:
        raise MessageDecodeError("header-invalid", "The header ce_sequence is null.")
    if content.isdigit() and len(content) <= 19 and (sequence := int(content)) <= MAX_SEQUENCE:
        return sequence
    raise MessageDecodeError(
        "attribute-invalid", f"The header ce_sequence is no whole number from 0 to {MAX_SEQUENCE}."
    )


def _is_structured(kind: bytes | None) -> bool:
    media = _text("content-type", kind).partition(";")[0].strip().lower()
    if media == _STRUCTURED:
        return True
    if media == "application/json" or (media.endswith("+json") and not media.startswith("application/cloudevents")):
        return False
    raise MessageDecodeError(
        "content-type", f"The header content-type is {media[:100]!r}, which is no JSON CloudEvent."
    )


def _refuse_version(version: bytes | None, index: int) -> None:
    given: Any = "missing" if index == _ABSENT else repr(_text("ce_specversion", version))
    raise MessageDecodeError("spec-version", f"The header ce_specversion is {given}, not '1.0'.")
