"""CloudEvents 1.0 over Kafka: binary and structured mode in, binary mode out (X1, X6).

For both directions; decoding lies in `binary` and `structured`.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from trunkline.contracts.cloudevents.binary import Headers, decode
from trunkline.contracts.cloudevents.errors import CODES, MessageDecodeError
from trunkline.contracts.cloudevents.message import MAX_VALUE_BYTES, Message
from trunkline.contracts.cloudevents.structured import decode_batch, decode_structured
from trunkline.contracts.contract import Contract

__all__ = [
    "CODES",
    "MAX_VALUE_BYTES",
    "Contract",
    "Headers",
    "Message",
    "MessageDecodeError",
    "content_hash",
    "decode",
    "decode_batch",
    "decode_structured",
    "encode",
]

_write: Final = msgspec.json.Encoder().encode


def encode(
    contract: Contract,
    *,
    id: str,  # noqa: A002 - the attribute's own name
    source: str | None = None,
    subject: str,
    time: datetime,
    sequence: int | None,
    correlation_id: str | None,
    causation_id: str | None,
    data: Any,
    epoch: int = 0,
) -> tuple[list[tuple[str, bytes]], bytes]:
    """Write one event in binary mode: the record's headers and its value.

    `source` is the contract's own unless given. `epoch` is part of `sequence` already; where a log was restored from a
    back-up, it is written beside it. `time` must be aware; it is written in UTC with Z.
    Raises ValueError for a naive time.
    """
    if time.tzinfo is not UTC:
        if time.tzinfo is None:
            raise ValueError(f"{contract.name}: {time.isoformat()} has no offset")
        time = time.astimezone(UTC)
    headers = [
        *contract.headers,
        ("ce_id", id.encode()),
        ("ce_source", (source or contract.source).encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", _write(time)[1:-1]),
    ]
    if sequence is not None:
        headers.append(("ce_sequence", b"%d" % sequence))
    if epoch:
        headers.append(("ce_epoch", b"%d" % epoch))
    if correlation_id is not None:
        headers.append(("ce_correlationid", correlation_id.encode()))
    if causation_id is not None:
        headers.append(("ce_causationid", causation_id.encode()))
    return headers, _write(data)


def content_hash(message: Message) -> bytes:
    """Give 16 bytes that are equal when two messages say the same (S3).

    Type, subject, time, sequence and data count, in canonical spelling; the mode, the order of
    keys, blanks, and attributes or fields that the contract does not know do not.
    """
    identifying = (message.type, message.subject, message.time, message.sequence, message.data)
    return blake2b(_write(identifying), digest_size=16).digest()
