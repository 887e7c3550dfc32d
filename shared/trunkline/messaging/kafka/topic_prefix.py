"""Several installations on one broker: a prefix before the name of every topic, mapped where records enter and leave.

Everything else knows topics by the names of the contracts. Without a prefix nothing of this is in the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import Transport
from trunkline.messaging.records import IncomingRecord, OutgoingRecord


class PrefixedIntake:
    """An intake that is given records of prefixed topics. Positions keep the topics' full names."""

    def __init__(self, intake: Inbox, prefix: str) -> None:
        """Hand records on to `intake`, by the names of the contracts."""
        self._intake = intake
        self._length = len(prefix)

    def positions(self, sources: Iterable[str]) -> Mapping[str, int]:
        """The last offset of each source that has taken effect."""
        return self._intake.positions(sources)

    def accept(self, records: Sequence[IncomingRecord]) -> object:
        """Take records in their order; raises what the intake raises."""
        return self._intake.accept([replace(record, topic=record.topic[self._length :]) for record in records])


class PrefixedTransport:
    """A transport whose pages go to prefixed topics."""

    def __init__(self, transport: Transport, prefix: str) -> None:
        """Hand pages on to `transport`."""
        self._transport = transport
        self._prefix = prefix
        self.has_topics = transport.has_topics

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Deliver a page in order; raises what the transport raises."""
        await self._transport.send_page([one._replace(topic=self._prefix + one.topic) for one in page])
