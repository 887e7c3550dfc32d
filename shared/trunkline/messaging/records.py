"""A record as it comes from a topic, and one as it goes out to a topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

Headers = Sequence[tuple[str, bytes | None]]


class IncomingRecord(msgspec.Struct, frozen=True, gc=False):
    """One record that was fetched.

    Attributes:
        source: the name its position is kept under: `kafka/<cluster>/<topic>/<partition>`, `local/<service>`.
        offset: its place in that source.
        timestamp: milliseconds since 1970, as the broker has it.
        undecodable: why no client can decode it; then key, headers and value are unknown. None: it was decoded.
    """

    source: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Headers
    value: bytes | None
    timestamp: int = 0
    undecodable: str | None = None


class OutgoingRecord(NamedTuple):
    """One record to send. `position` is the log position of the event it says."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    position: int
