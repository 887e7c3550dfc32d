"""From the log to the topics: the log is the outbox (X2).

A page of the log is mapped by the service's `published`, sent, acknowledged, and only then is the position recorded.
A crash in between sends the page again under the same ids; nothing is invented and nothing is lost. One relay is
active for a store; the others stand by. It is woken by commits, not by a slow poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from trunkline.contracts.envelope import encode
from trunkline.duties import Duties
from trunkline.messaging.record import Outgoing
from trunkline.recorded import Recorded, stored_name
from trunkline.service import Service
from trunkline.store import Overtaken, Store
from trunkline.tail import Written
from trunkline.telemetry import SAID
from trunkline.wake import Wake

log = structlog.get_logger(__name__)

FOLLOWER = "relay"
PAGE = 1000
AT_ONCE = 50
"""Events that are said without a thread: so few do not hold up the loop."""
RECORD_SECONDS = 0.2
"""At least so long between two records of the position."""
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
    private = service.private
    events = (store.event(row) for row in rows if row[3] not in private)
    return Page(rows[-1][0], [said for event in events if (said := say(service, event)) is not None])


def page_of(service: Service, after: int, written: Sequence[Written], epoch: int = 0) -> Page:
    """The same of what was just written in this process: it follows `after` without a gap, in one epoch."""
    private = service.private
    events = (
        Recorded(position, stream_id, version, meta, event, epoch)
        for position, (stream_id, version, meta, event) in enumerate(written, start=after + 1)
        if stored_name(type(event)) not in private
    )
    outgoing = [said for event in events if (said := say(service, event)) is not None]
    return Page(after + len(written), outgoing)


def say(service: Service, event: Recorded) -> Outgoing | None:
    """What a service says of one event, as a record to send; None for what it keeps to itself."""
    said = service.published(event)
    if said is None:
        return None
    contract, data = said
    subject = event.key
    headers, value = encode(
        contract,
        id=event.id,
        subject=subject,
        time=event.event.at,
        sequence=event.sequence,
        epoch=event.epoch,
        correlation_id=event.meta.correlation_id,
        causation_id=event.meta.causation_id,
        data=data,
    )
    return Outgoing(contract.topic, subject.encode(), value, headers, event.position)


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
        self._in_doubt = True
        self._elsewhere = 0
        self._term = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Publish until told to stop; whatever goes wrong is retried from the last recorded position."""
        delay = 0.05
        while not stopping():
            try:
                self._term = await asyncio.to_thread(self._duties.hold, FOLLOWER)
                if not self._term:
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

    async def _next_page(self, read: int) -> Page | None:
        """What follows a position: from memory, else from the store, if there may be anything.

        There may be after a commit of another process, after one of ours that memory does not have, and now and then:
        a word of the others' commits may get lost.
        """
        tail = self._store.tail
        written = tail.take(read, PAGE)
        if written:
            epoch = self._store.epochs.current
            if len(written) <= AT_ONCE:
                return page_of(self._service, read, written, epoch)
            return await asyncio.to_thread(page_of, self._service, read, written, epoch)
        elsewhere = self._wake.elsewhere
        if not self._in_doubt and elsewhere == self._elsewhere and tail.end <= read:
            return None
        page = await asyncio.to_thread(read_page, self._store, self._service, read)
        self._in_doubt = page is not None
        self._elsewhere = elsewhere
        return page

    async def _publish(self, stored: int | None, stopping: Callable[[], bool]) -> None:
        """Keep a few pages on their way, in order; the position follows those that have arrived."""
        flights = _Flights()
        self._store.tail.wanted = self._in_doubt = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(flights, stopping), name="relay send")
                tasks.create_task(self._follow(flights), name="relay follow")
                tasks.create_task(self._write_down(flights, stored), name="relay position")
        finally:
            self._store.tail.wanted = False
            self._store.tail.clear()
            await flights.cancel()

    async def _send(self, flights: _Flights, stopping: Callable[[], bool]) -> None:
        """Send page after page, until told to stop."""
        read = self.position
        while not stopping():
            seen = self._wake.count
            page = await self._next_page(read)
            if page is None:
                if not await self._wake.after(seen):
                    self._in_doubt = True
                    await self._still_holds()
                continue
            read = page.end
            await flights.room.acquire()
            flights.begun.put_nowait((page, asyncio.ensure_future(self._transport.send_page(page.outgoing))))
        flights.begun.put_nowait(None)

    async def _still_holds(self) -> None:
        """Raise Overtaken if the duty was lost, though it may be held anew: with it the last position may be lost."""
        if await asyncio.to_thread(self._duties.hold, FOLLOWER) != self._term:
            raise Overtaken(f"{FOLLOWER}: the duty was lost meanwhile")

    async def _follow(self, flights: _Flights) -> None:
        """Move the position past each page that has arrived."""
        while (flight := await flights.begun.get()) is not None:
            page, flights.first = flight
            await flights.first
            flights.room.release()
            self.position = page.end
            SAID.labels(self._service.name).inc(len(page.outgoing))
            flights.arrived.set()
        flights.ended = True
        flights.arrived.set()

    async def _write_down(self, flights: _Flights, stored: int | None) -> None:
        """Record the position, not for each page: what arrived after it is said once more after a crash."""
        while not flights.ended or self.position != (stored or 0):
            await flights.arrived.wait()
            flights.arrived.clear()
            if (at := self.position) != (stored or 0):
                await asyncio.to_thread(self._store.move, FOLLOWER, stored, at)
                stored = at
                if not flights.ended:
                    await asyncio.sleep(RECORD_SECONDS)


class _Flights:
    """Pages on their way, oldest first."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(FLIGHTS)
        self.begun: asyncio.Queue[tuple[Page, asyncio.Future[None]] | None] = asyncio.Queue()
        self.first: asyncio.Future[None] | None = None
        self.arrived = asyncio.Event()
        self.ended = False

    async def cancel(self) -> None:
        """Give up those that have not arrived."""
        left = [] if self.first is None else [self.first]
        while not self.begun.empty():
            if (flight := self.begun.get_nowait()) is not None:
                left.append(flight[1])
        for sending in left:
            sending.cancel()
        await asyncio.gather(*left, return_exceptions=True)
