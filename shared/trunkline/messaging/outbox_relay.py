"""From the log to the topics: the log is the outbox (X2).

A page of the log is mapped by the service's `published`, sent, acknowledged, and only then is the position recorded.
A crash in between sends the page again under the same ids; nothing is invented and nothing is lost. One relay is
active for a store; the others stand by. It is woken by commits, not by a slow poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from trunkline.availability import Availability, database_availability, is_unavailable, root_cause
from trunkline.clock import Clock, SystemClock
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.eventstore.event_store import CheckpointConflict, Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.messaging.kafka.producer import TooLargeToSend
from trunkline.messaging.outbox_failures import LOOP, OutboxFailures
from trunkline.messaging.outbox_page import PAGE, Page, PublishingService, outgoing_record, page_of, read_page
from trunkline.messaging.retry import Backoff
from trunkline.messaging.transport import Transport
from trunkline.telemetry import EVENTS_PUBLISHED

__all__ = ["FOLLOWER", "PAGE", "OutboxRelay", "Page", "Transport", "outgoing_record", "page_of", "read_page"]

FOLLOWER = LOOP
AT_ONCE = 50
"""Events that are said without a thread: so few do not hold up the loop."""
RECORD_SECONDS = 0.2
"""At least so long between two records of the position."""
FLIGHTS = 3
"""Pages on their way at once: with one, the broker waits for us and we for it."""


class OutboxRelay:
    """Publishes one store's log."""

    def __init__(
        self,
        store: Store,
        service: PublishingService,
        transport: Transport,
        commit_signal: CommitSignal,
        leader_election: LeaderElection,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: whose log is published.
            service: what its events say.
            transport: topics, or the other service's intake in this process.
            commit_signal: set by every commit.
            leader_election: the duties of this process; only one relay of a store is active.
            clock: the service's, for what is set aside; None: the machine's.
        """
        self._store = store
        self._service = service
        self._transport = transport
        self._commit_signal = commit_signal
        self._leader_election = leader_election
        self._failures = OutboxFailures(store, service, transport, clock or SystemClock())
        self._database: Availability = database_availability(store.url)
        self._who = f"{service.name}/{FOLLOWER}"
        self.position = 0
        self._in_doubt = True
        self._elsewhere = 0
        self._term = 0

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Publish until told to stop, always from the last recorded position.

        A database that is away is waited for. Raises whatever else interrupts it: run it again.
        """
        backoff = Backoff()
        try:
            while not stopping():
                arrived = self.position
                try:
                    await self._run_term(stopping)
                except Exception as error:  # noqa: BLE001 - `_recover` raises what it cannot mend
                    if self.position != arrived:
                        backoff.reset()
                    await self._recover(root_cause(error), backoff)
        finally:
            self._database.forget(self._who)

    async def _run_term(self, stopping: Callable[[], bool]) -> None:
        """Publish as long as the relay is this process's."""
        self._term = await asyncio.to_thread(self._leader_election.hold, FOLLOWER)
        if not self._term:
            self._database.mark_restored(self._who)
            await self._commit_signal.after(self._commit_signal.count)
            return
        stored = (await asyncio.to_thread(self._store.positions, FOLLOWER)).get(FOLLOWER)
        await self._failures.load()
        self.position = stored or 0
        await self._publish(stored, stopping)

    async def _recover(self, error: BaseException, backoff: Backoff) -> None:
        """Do what lets the next term succeed, or wait for it. Raises an error that is neither rival nor server."""
        if isinstance(error, TooLargeToSend):
            await self._record(await self._failures.isolate(self.position))
            return
        if isinstance(error, psycopg.Error) and is_unavailable(error):
            self._database.mark_lost(error, self._who)
        elif not isinstance(error, CheckpointConflict):
            raise error
        await asyncio.sleep(backoff.pause())

    async def _record(self, position: int) -> None:
        """Record a position up to which all has arrived or is set aside."""
        stored = (await asyncio.to_thread(self._store.positions, FOLLOWER)).get(FOLLOWER)
        if position > (stored or 0):
            await asyncio.to_thread(self._store.move, FOLLOWER, stored, position)

    async def _next_page(self, read: int) -> Page | None:
        """What follows a position: from memory, else from the store, if there may be anything.

        There may be after a commit of another process, after one of ours that memory does not have, and now and then:
        a word of the others' commits may get lost.
        """
        tail = self._store.tail
        aside = self._failures.aside
        written = tail.take(read, PAGE)
        if written:
            epoch = self._store.epochs.current
            if len(written) <= AT_ONCE:
                return page_of(self._service, read, written, aside, epoch)
            return await asyncio.to_thread(page_of, self._service, read, written, aside, epoch)
        elsewhere = self._commit_signal.elsewhere
        if not self._in_doubt and elsewhere == self._elsewhere and tail.end <= read:
            return None
        page = await asyncio.to_thread(read_page, self._store, self._service, read, aside=aside)
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
            seen = self._commit_signal.count
            await self._failures.retry(read)
            page = await self._next_page(read)
            if page is None:
                if self.position == read:  # all that was read has arrived
                    self._database.mark_restored(self._who)
                if not await self._commit_signal.after(seen):
                    self._in_doubt = True
                    await self._still_holds()
                continue
            if page.failures:
                await self._failures.keep(page)
            read = page.end
            await flights.room.acquire()
            flights.begun.put_nowait((page, asyncio.ensure_future(self._transport.send_page(page.outgoing))))
        flights.begun.put_nowait(None)

    async def _still_holds(self) -> None:
        """Raise Overtaken if the duty was lost, though it may be held anew: with it the last position may be lost."""
        if await asyncio.to_thread(self._leader_election.hold, FOLLOWER) != self._term:
            raise CheckpointConflict(f"{FOLLOWER}: the duty was lost meanwhile")

    async def _follow(self, flights: _Flights) -> None:
        """Move the position past each page that has arrived."""
        while (flight := await flights.begun.get()) is not None:
            page, flights.first = flight
            await flights.first
            flights.room.release()
            self.position = page.end
            self._database.mark_restored(self._who)
            EVENTS_PUBLISHED.labels(self._service.name).inc(len(page.outgoing))
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
