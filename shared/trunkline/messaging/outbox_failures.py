"""Streams whose next event cannot be published: set aside, so that the rest of the outbox goes on (X2).

A record that is too large for its topic, or an event that cannot be turned into a record, holds up its own stream only;
what that stream publishes later waits behind it, so that each key stays in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from trunkline.availability import root_cause
from trunkline.clock import Clock
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import FailedItem, FailedItems, concerns_item
from trunkline.messaging.kafka.producer import TooLargeToSend
from trunkline.messaging.outbox_page import Page, PublishingService, read_page, stream_records, streams_at
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.transport import Transport

LOOP = "relay"


class OutboxFailures:
    """The streams that one relay has set aside. Only the active relay of a store uses it."""

    def __init__(self, store: Store, service: PublishingService, transport: Transport, clock: Clock) -> None:
        """Prepare.

        Args:
            store: whose log is published.
            service: what its events publish.
            transport: where to.
            clock: the service's.
        """
        self._store = store
        self._service = service
        self._transport = transport
        self._failed = FailedItems(store, clock.now, LOOP)

    @property
    def aside(self) -> Mapping[str, int]:
        """Stream id -> the position from which on it is set aside."""
        return self._failed.positions

    async def load(self) -> None:
        """Read what is set aside: at the start of each term of the relay."""
        await asyncio.to_thread(self._failed.load)

    async def keep(self, page: Page) -> None:
        """Set aside the streams that failed while a page was made. Raises psycopg.Error, TooManyFailedItems."""
        for stream_id, (position, error) in page.failures.items():
            await asyncio.to_thread(self._failed.add, stream_id, error, position)

    async def isolate(self, after: int) -> int:
        """Publish the page after a position in halves, and set the streams aside whose records are too large.

        Returns:
            The position up to which all has arrived or is set aside.
        """
        page = await asyncio.to_thread(read_page, self._store, self._service, after, aside=self.aside)
        if page is None:
            return after
        await self.keep(page)
        streams = await asyncio.to_thread(streams_at, self._store, [r.position for r in page.outgoing])
        await self._halve(page.outgoing, streams)
        return page.end

    async def _halve(self, records: Sequence[OutgoingRecord], streams: Mapping[int, str]) -> None:
        records = [r for r in records if streams[r.position] not in self._failed]
        if not records:
            return
        try:
            await self._transport.send_page(records)
        except TooLargeToSend as error:
            if len(records) == 1:
                (record,) = records
                named = TooLargeToSend(f"{len(record.value or b''):,} bytes for the topic {record.topic}: {error}")
                await asyncio.to_thread(self._failed.add, streams[record.position], named, record.position)
                return
            middle = len(records) // 2
            await self._halve(records[:middle], streams)
            await self._halve(records[middle:], streams)

    async def retry(self, read: int) -> None:
        """Publish again what is due of the streams set aside, each up to a log position.

        Args:
            read: what the relay has read; events after it follow with its pages.
        """
        if self._failed:
            for item in await asyncio.to_thread(self._failed.due):
                await self._retry(item, read)

    async def _retry(self, item: FailedItem, read: int) -> None:
        position = item.position
        try:
            records = stream_records(self._store, self._service, item.key, item.position, read)
            while (found := await asyncio.to_thread(next, records, None)) is not None:
                position, record = found
                if record is not None:
                    await self._transport.send_page([record])
                position += 1
        except Exception as error:
            cause = root_cause(error)
            if not concerns_item(cause):
                raise
            await asyncio.to_thread(self._failed.add_again, item, cause, position)
        else:
            await asyncio.to_thread(self._failed.settle, item)
