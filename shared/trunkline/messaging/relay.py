"""From the log to the topics: the log is the outbox (X2).

A page of the log is mapped by the service's `published`, sent, acknowledged, and only then is the position recorded.
A crash in between sends the page again under the same ids; nothing is invented and nothing is lost. One relay is
active for a store; the others stand by. It is woken by commits, not by a slow poll.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from trunkline.contracts.envelope import encode
from trunkline.duties import Duties
from trunkline.messaging.record import Outgoing
from trunkline.recorded import recorded
from trunkline.service import Service
from trunkline.store import Store
from trunkline.telemetry import SAID
from trunkline.wake import Wake

log = structlog.get_logger(__name__)

FOLLOWER = "relay"
PAGE = 1000
FLIGHTS = 3
"""Pages on their way at once: with one, the broker waits for us and we for it."""


class Transport(Protocol):
    """Where a page goes. `has_topics`: to topics that others can read, not only to the other service."""

    has_topics: bool

    async def send_page(self, page: Sequence[Outgoing]) -> None:
        """Deliver a page in order; return once it is safe, raise if that is not certain."""
        ...


class Page:
    """What a stretch of the log says: records to send, and the position after it."""

    __slots__ = ("end", "outgoing")

    def __init__(self, end: int, outgoing: list[Outgoing]) -> None:
        self.end = end
        self.outgoing = outgoing


def read_page(store: Store, service: Service, after: int, limit: int = PAGE) -> Page | None:
    """The next page of what the service says after a log position; None at the log's end.

    Args:
        store: the service's store.
        service: its `published` decides what is said of an event.
        after: the position already sent.
        limit: most events of the log read at once.
    """
    rows = store.read_log(after, limit)
    if not rows:
        return None
    outgoing: list[Outgoing] = []
    codec, published = store.codec, service.published
    private = service.private
    for row in rows:
        if row[3] in private:
            continue
        event = recorded(codec, row)
        said = published(event)
        if said is None:
            continue
        contract, data = said
        subject = event.key
        headers, value = encode(
            contract,
            id=event.id,
            subject=subject,
            time=event.event.at,
            sequence=event.version,
            correlation_id=event.meta.correlation_id,
            causation_id=event.meta.causation_id,
            data=data,
        )
        outgoing.append(Outgoing(contract.topic, subject.encode(), value, headers, row[0]))
    return Page(rows[-1][0], outgoing)


class Relay:
    """Publishes one store's log."""

    def __init__(self, store: Store, service: Service, transport: Transport, wake: Wake, duties: Duties) -> None:
        """Prepare.

        Args:
            store: whose log is published.
            service: what its events say.
            transport: topics, or the other service's intake in this process.
            wake: set by every commit.
            duties: the duties of this process; only one relay of a store is active.
        """
        self._store = store
        self._service = service
        self._transport = transport
        self._wake = wake
        self._duties = duties
        self.position = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Publish until told to stop; whatever goes wrong is retried from the last recorded position."""
        delay = 0.05
        while not stopping():
            try:
                if not await asyncio.to_thread(self._duties.hold, FOLLOWER):
                    await self._wake.after(self._wake.count)
                    continue
                stored = (await asyncio.to_thread(self._store.positions, FOLLOWER)).get(FOLLOWER)
                self.position = stored or 0
                await self._publish(stored, stopping)
                delay = 0.05
            except Exception:
                log.warning("publishing was interrupted and goes on from the last recorded place", exc_info=True)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _publish(self, stored: int | None, stopping: Callable[[], bool]) -> None:
        """Keep a few pages on their way, in order; the position follows those that have arrived."""
        flights: deque[tuple[Page, asyncio.Future[None]]] = deque()
        read = self.position
        try:
            while flights or not stopping():
                seen = self._wake.count
                if len(flights) < FLIGHTS and not stopping():
                    page = await asyncio.to_thread(read_page, self._store, self._service, read)
                    if page is not None:
                        flights.append((page, asyncio.ensure_future(self._transport.send_page(page.outgoing))))
                        read = page.end
                        continue
                    if not flights:
                        await self._wake.after(seen)
                        continue
                await flights[0][1]
                said = 0
                while flights and flights[0][1].done():
                    page, sending = flights.popleft()
                    sending.result()
                    said += len(page.outgoing)
                    self.position = page.end
                await asyncio.to_thread(self._store.move, FOLLOWER, stored, self.position)
                stored = self.position
                SAID.labels(self._service.name).inc(said)
        finally:
            for _, sending in flights:
                sending.cancel()
            await asyncio.gather(*(sending for _, sending in flights), return_exceptions=True)
