"""The topic DeadLetters: what could not be read, as it came, and where it came from (X6)."""

from collections.abc import Sequence
from typing import Final

TOPIC: Final = "DeadLetters"

# The record's key, value and own headers are the original ones; these stand before them.
HEADERS: Final = {
    "dl_topic": "the topic it was read from",
    "dl_partition": "its partition, in digits",
    "dl_offset": "its offset, in digits",
    "dl_code": "why it is unreadable: a stable code",
    "dl_reason": "the same in one sentence",
    "dl_service": "who could not read it: `licensing` or `numbers`",
}


def headers(
    *,
    topic: str,
    partition: int,
    offset: int,
    code: str,
    reason: str,
    service: str,
    original: Sequence[tuple[str, bytes | None]] = (),
) -> list[tuple[str, bytes | None]]:
    """Give a dead letter's headers: its place and reason, then the original headers untouched."""
    values = (topic, str(partition), str(offset), code, reason, service)
    named = zip(HEADERS, values, strict=True)
    return [*((name, text.encode()) for name, text in named), *original]
