"""Where the pages of an outbox go: topics, or the other service's intake in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trunkline.messaging.records import OutgoingRecord


class Transport(Protocol):
    """Where a page goes. `has_topics`: to topics that others can read, not only to the other service."""

    has_topics: bool

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Deliver a page in order; return once it is safe, raise if that is not certain."""
        ...
