"""One running service: its store, its clock, and the loops that keep it going."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog

from trunkline.availability import database_availability
from trunkline.clock import Clock
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.commit_signal import CommitListener, CommitSignal
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.files.export_slots import ExportSlots
from trunkline.messaging.caught_up import Passed
from trunkline.messaging.compacted_topics.feed import CompactedTopicPublisher
from trunkline.messaging.dead_letters.publisher import DeadLetterPublisher
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import OutboxRelay, Transport
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.retry import pause
from trunkline.projections.rebuild import Rebuild
from trunkline.projections.runner import ProjectionRunner, views_at
from trunkline.runtime.connection import Connection
from trunkline.runtime.gauges import update_gauges
from trunkline.runtime.in_process_transport import InProcessTransport
from trunkline.runtime.polling_loop import IDLE_POLL_SECONDS, SETTLE_SECONDS, PollingLoop
from trunkline.runtime.retention import BETWEEN_SECONDS, Retention
from trunkline.runtime.supervisor import Run, Supervisor
from trunkline.service_definition import ServiceDefinition
from trunkline.settings import Settings
from trunkline.telemetry import LOG_END, RELAY_AT, SETTLED, VIEWS_AT

T = TypeVar("T")
log = structlog.get_logger(__name__)

VIEWS_SHARE = 0.1
"""Of the time, for the views, while there is much to do: messages go first, and longer pages cost less."""


class ServiceRuntime:
    """A service with everything it runs on. HTTP doors, command line and loops reach it through here."""

    def __init__(self, service: ServiceDefinition, store: Store, clock: Clock, settings: Settings) -> None:
        """Put a service together inside a running event loop; nothing runs yet.

        Args:
            service: what it is made of.
            store: its migrated store.
            clock: its time; a test clock in a sandbox.
            settings: of the process.
        """
        self.service = service
        self.store = store
        self.clock = clock
        self.settings = settings
        self.commit_signal = CommitSignal(asyncio.get_running_loop())
        self.projected = CommitSignal(asyncio.get_running_loop())
        self.leader_election = LeaderElection(store.url)
        self.projector = ProjectionRunner(store, service.views, self.leader_election, clock=clock)
        self.deadlines = Deadlines(store, clock, service.settle, self.leader_election)
        self.intake = Inbox(store, service, clock.now)
        self.exports = ExportSlots()
        self.turn = asyncio.Lock()
        self.stopping = asyncio.Event()
        self.supervisor = Supervisor(service.name, self.stopping)
        self.loops = self.supervisor.tasks
        self._database = database_availability(store.url)
        self._begun: set[asyncio.Task[None]] = set()
        self._connection: Connection | None = None
        self._relay: OutboxRelay | None = None
        self._readers = 0
        self._reader_waiting = asyncio.Event()
        self._listener = CommitListener(store, self.commit_signal.set_elsewhere)
        store.on_commit.append(self.commit_signal.set)

    @property
    def name(self) -> str:
        """`licensing` or `numbers`."""
        return self.service.name

    @property
    def transport(self) -> Transport:
        """Where the pages of the outbox go; the service is started."""
        assert self._connection is not None, f"{self.name} is not started"
        return self._connection.transport

    def horizon(self, topics: Collection[str]) -> Passed | None:
        """How far others have published some topics: see `caught_up.Horizon`. The service is started."""
        assert self._connection is not None, f"{self.name} is not started"
        return self._connection.horizon(topics)

    def run(self, decide: Callable[[UnitOfWork], T]) -> tuple[T, int]:
        """Run one unit of work (see `unit_of_work.run`): its result, and the log position to wait for."""
        return run(self.store, self.clock.now, decide)

    def wait_for_views(self, position: int, timeout: float) -> bool:
        """Block a thread until every view has reached a log position; False after `timeout` seconds."""
        loop = self.projected.loop
        return asyncio.run_coroutine_threadsafe(self._views_reach(position, timeout), loop).result()

    async def _views_reach(self, position: int, at_most: float) -> bool:
        loop = self.projected.loop
        deadline = loop.time() + at_most
        self._readers += 1
        self._reader_waiting.set()
        try:
            while True:
                seen = self.projected.count
                if await asyncio.to_thread(views_at, self.store) >= position:
                    return True
                left = deadline - loop.time()
                if left <= 0:
                    return False
                await self.projected.after(seen, min(left, 0.2))
        finally:
            self._readers -= 1
            if not self._readers and not self.stopping.is_set():
                self._reader_waiting.clear()

    # -- loops ------------------------------------------------------------------------------------------------

    def start(self, connection: Connection) -> None:
        """Start what every service runs: the relay, the timers, the views, and the service's own followers.

        Args:
            connection: to whoever consumes what the service publishes; it stays the same until `stop`.
        """
        self._listener.start()
        self._connection = connection
        transport, states = connection.transport, connection.state_topics
        relay = OutboxRelay(self.store, self.service, transport, self.commit_signal, self.leader_election, self.clock)
        self._relay = relay
        self.spawn("relay", partial(relay.run, self.stopping.is_set))
        settle = partial(asyncio.to_thread, self._settle)
        self.spawn("deadlines", partial(self.follow, "deadlines", settle, idle_timeout=self._until_due))
        self.spawn("views", self._keep_views)
        rebuild = Rebuild(self.projector, self.clock.now)
        self.spawn(
            "rebuild", partial(self.follow, "rebuild", partial(asyncio.to_thread, rebuild.step), settle_seconds=30.0)
        )
        retention = Retention(self.store, self.clock, self.settings, self.leader_election)
        keep = partial(asyncio.to_thread, retention.step)
        self.spawn("retention", partial(self.follow, "retention", keep, settle_seconds=BETWEEN_SECONDS))
        dead_letters = DeadLetterPublisher(
            self.store, self.name, transport if transport.has_topics else None, self.leader_election, self.clock
        )
        self.spawn("dead letters", partial(dead_letters.run, self.stopping))
        for topic in self.service.states:
            if states is not None and topic.contract.topic not in states:
                continue
            feed = CompactedTopicPublisher(self.store, topic, self.leader_election, self.clock)
            self.spawn(
                topic.contract.name, partial(feed.run, transport.send_page, self.projected, self.stopping.is_set)
            )
        for name, make in self.service.followers.items():
            self.spawn(name, partial(self.follow, name, partial(asyncio.to_thread, make(self))))

    async def send_again(self, page: Sequence[OutgoingRecord]) -> None:
        """Send what was sent before, though its log positions were read already; raises what the transport raises."""
        transport = self.transport
        await (transport.send_again(page) if isinstance(transport, InProcessTransport) else transport.send_page(page))

    def spawn(self, name: str, loop: Run | Coroutine[Any, Any, None]) -> None:
        """Run one more loop until the node stops; see `Supervisor.start`."""
        self.supervisor.start(name, loop)

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something that ends by itself beside the loops; a node that stops lets it end, as it does with them."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}/{name}")
        self._begun.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("something failed", work=task.get_name(), exc_info=error)

    async def follow(
        self,
        name: str,
        step: Callable[[], Awaitable[int]],
        *,
        idle_timeout: Callable[[], float] | None = None,
        settle_seconds: float = SETTLE_SECONDS,
        reader_waiting: asyncio.Event | None = None,
    ) -> None:
        """Repeat a step until the node stops: see `PollingLoop`.

        Args:
            name: of the loop.
            step: does one page; how much it did.
            idle_timeout: after how many seconds to look again though nothing was committed; asked in a thread.
            settle_seconds: seconds from a commit to the look at it.
            reader_waiting: that pause is not made while it is set.
        """
        loop = PollingLoop(
            name,
            step,
            commits=self.commit_signal,
            stopping=self.stopping,
            database=self._database,
            succeeded=partial(self.supervisor.succeeded, name),
            idle_timeout=idle_timeout,
            settle_seconds=settle_seconds,
            reader_waiting=reader_waiting,
        )
        await loop.run()

    async def pause(self, seconds: float, reader_waiting: asyncio.Event | None = None) -> None:
        """Wait, unless the node stops, or somebody is in a hurry."""
        await pause(reader_waiting or self.stopping, seconds)

    async def _keep_views(self) -> None:
        """Keep the views up to the log; under load they take a share of the time, unless a reader waits for them."""
        loop = self.projected.loop

        async def project() -> int:
            begun = loop.time()
            done = await asyncio.to_thread(self.projector.step)
            if done:
                self.projected.set()
                rest = (loop.time() - begun) * (1 / VIEWS_SHARE - 1)
                await self.pause(min(IDLE_POLL_SECONDS, rest), self._reader_waiting)
            return done

        await self.follow("views", project, reader_waiting=self._reader_waiting)

    def _settle(self) -> int:
        done = self.deadlines.step()
        SETTLED.labels(self.name).inc(done)
        return done

    def _until_due(self) -> float:
        seconds = self.deadlines.seconds_to_next()
        return IDLE_POLL_SECONDS if seconds is None else min(IDLE_POLL_SECONDS, seconds)

    def measure(self) -> None:
        """Bring the gauges up to date: called when somebody reads the metrics. Raises psycopg.Error."""
        LOG_END.labels(self.name).set(self.store.end_of_log())
        VIEWS_AT.labels(self.name).set(views_at(self.store))
        if self._relay is not None:
            RELAY_AT.labels(self.name).set(self._relay.position)
        update_gauges(self)

    def troubles(self) -> list[str]:
        """What keeps the node from serving, one sentence each; empty: it is ready."""
        if self.stopping.is_set():
            return ["it is stopping"]
        return self.supervisor.troubles()

    def degradations(self) -> list[str]:
        """What is away while requests are served, one sentence each: Kafka, whose events wait in the outbox."""
        return [] if self.stopping.is_set() or self._connection is None else self._connection.problems()

    def begin_to_stop(self) -> None:
        """Have every loop end with the page it has in hand: whatever it waits for, it waits no longer."""
        self.stopping.set()
        self._reader_waiting.set()
        if self._connection is not None:
            self._connection.stop()
        self.commit_signal.set()
        self.projected.set()
        self._listener.begin_to_stop()

    async def stop(self) -> None:
        """Let every loop finish the page it has in hand, and close the store."""
        self.begin_to_stop()
        running = [*self.loops.values(), *self._begun]
        if running:
            await asyncio.wait(running, timeout=8.0)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(self._listener.stop)
        await asyncio.to_thread(self.leader_election.resign)
        await asyncio.to_thread(self.store.close)
