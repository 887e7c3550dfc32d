"""One membership in a consumer group: from which place each partition is read, and one batch at a time into the store.

The positions in the database decide, not the broker's committed offsets. Nothing of a partition counts before the
client was moved to the stored position, so what was fetched from anywhere else is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from trunkline.messaging.backoff import Backoff
from trunkline.messaging.fetching import Fetching
from trunkline.messaging.places import DATABASE_AWAY, Intake, Places
from trunkline.messaging.record import Record
from trunkline.store import Overtaken

log = structlog.get_logger(__name__)

REVOKE_SECONDS: Final = 8.0
"""How long a batch in hand may take to end when its partitions are taken away."""

DRAIN_SECONDS: Final = 5.0
"""How long it may take when the service stops."""

FEW: Final = 100
"""While so few are worked on, nothing is fetched: what comes meanwhile comes in one fetch, and costs one batch.

Fetched one by one beside the work they cost the broker and the client a request each, and the interpreter a thread that
is in the way: at 200 a second on two cores an event took 51 to 61 ms so, and 40 without.
"""

BREATH: Final = 0.002
"""Seconds from the end of so few to the next fetch: as long as it takes to say what they have brought about."""


class Session(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads what the group assigns to one client, until cancelled or until something must end it."""

    def __init__(self, fetching: Fetching, intake: Intake, places: Places, thread: Executor, batch: int) -> None:
        """Prepare.

        Args:
            fetching: of a client that is subscribed with this session as its listener.
            intake: takes the records.
            places: tells from where a partition is read.
            thread: one thread, in which the intake is called, also by sessions before and after this one.
            batch: most records taken at once.
        """
        self._fetching = fetching
        self._intake = intake
        self._places = places
        self._thread = thread
        self._batch = batch
        self._unsought: set[TopicPartition] = set()
        self._sources: dict[TopicPartition, str] = {}
        self._held: list[Record] = []
        self._coming: asyncio.Task[dict[TopicPartition, list[Any]]] | None = None
        self._in_hand: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._few = False
        self.heard: dict[TopicPartition, int] = {}
        """The next offset of each partition after what is safely stored: a hint for the broker."""

    @property
    def settled(self) -> bool:
        """Whether every assigned partition is being read from its stored position."""
        return not self._unsought and not self._gone.is_set()

    # -- the group's word -------------------------------------------------------------------------------------

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Partitions are ours; an exception here would only be logged, so the reading itself looks after them."""
        self._unsought = set(assigned)
        self._gone.clear()
        if self._coming is not None:
            self._coming.cancel()  # it may be asleep

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """All partitions are taken away: finish the batch in hand, drop what was fetched."""
        await self._let_go(REVOKE_SECONDS)

    async def _let_go(self, seconds: float) -> None:
        self._gone.set()
        self._unsought.clear()
        self._sources.clear()
        self._held.clear()
        self._fetching.forget()
        self.heard.clear()
        if self._in_hand is not None:
            # A batch that takes longer is a zombie's: its positions no longer match and it fails as a whole.
            await asyncio.wait({self._in_hand}, timeout=seconds)

    # -- reading ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until cancelled; then finish the batch in hand.

        Raises:
            TopicRecreated: see there.
            KafkaError: the client has to be replaced.
            Exception: whatever else the intake raises.
        """
        try:
            while True:
                while self._unsought:
                    await self._seek()
                self._work()
                self._fetch()
                tasks = [task for task in (self._coming, self._in_hand) if task is not None]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                self._take_fetched()
                self._take_done()
        finally:
            await self._let_go(DRAIN_SECONDS)
            await self._stop_fetching()
            await self._fetching.stop()
            self._forget_hand()

    def _work(self) -> None:
        """Give what was fetched to the intake, unless it is busy."""
        if self._in_hand is None and self._held:
            batch, self._held = self._held[: self._batch], self._held[self._batch :]
            self._in_hand = asyncio.create_task(self._accept(batch), name="kafka intake")
            self._few = len(batch) < FEW and not self._held

    def _fetch(self) -> None:
        """Fetch the next batch, also while the one before it is being worked on, unless that is small."""
        busy = self._in_hand is not None and self._few
        if self._coming is None and not busy and (room := self._batch - len(self._held)) > 0:
            self._coming = asyncio.create_task(self._ask(room), name="kafka records")

    async def _ask(self, most: int) -> dict[TopicPartition, list[Any]]:
        """The next records. What the last few have brought about is said first: both at once would be later."""
        if self._few:
            await asyncio.sleep(BREATH)
        return await self._fetching.fetch(most)

    def _take_fetched(self) -> None:
        if self._coming is None or not self._coming.done():
            return
        fetched, self._coming = self._coming, None
        if fetched.cancelled():
            return
        try:
            for partition, records in fetched.result().items():
                self._hold(partition, records)
        except OffsetOutOfRangeError as error:
            log.info("the broker does not have the place we read from", places=str(error.args[0]))
            self._seek_again()

    def _hold(self, partition: TopicPartition, fetched: Iterable[Any]) -> None:
        source = self._sources.get(partition)
        if source is not None:
            topic, number = partition
            self._held += [
                Record(source, topic, number, r.offset, r.key, r.headers, r.value, r.timestamp) for r in fetched
            ]

    def _take_done(self) -> None:
        if self._in_hand is not None and self._in_hand.done():
            done, self._in_hand = self._in_hand, None
            try:
                done.result()
            except Overtaken as overtaken:
                log.info("another reader was faster; going on from the stored positions", what=str(overtaken))
                self._seek_again()

    def _seek_again(self) -> None:
        """Begin anew at the stored positions."""
        self._unsought |= self._sources.keys()
        self._sources.clear()
        self._held.clear()

    async def _accept(self, batch: list[Record]) -> None:
        """Have one batch taken, again and again while the database is away and the partitions are ours."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._intake.accept, batch)
            except DATABASE_AWAY as error:
                self._places.database.lost(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), backoff.pause())
                if self._gone.is_set():
                    return  # whoever has the partitions next begins at the stored positions
            else:
                self._places.database.back()
                break
        if not self._gone.is_set():
            self.heard.update({TopicPartition(r.topic, r.partition): r.offset + 1 for r in batch})

    def _forget_hand(self) -> None:
        if self._in_hand is not None:
            self._in_hand.add_done_callback(_forgotten)

    async def _stop_fetching(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait({self._coming})
            if not self._coming.cancelled():
                self._coming.exception()  # whatever it was, the next one meets it again
            self._coming = None

    # -- where to read from -----------------------------------------------------------------------------------

    async def _seek(self) -> None:
        """Move every new partition to its stored position."""
        await self._stop_fetching()  # what it brings may be from before the seek
        self._held.clear()
        wanted = frozenset(self._unsought)
        found = await self._places.find(wanted)
        if wanted != self._unsought:
            return  # the group has changed its mind meanwhile
        self._fetching.seek(found)
        self._unsought.clear()
        self._sources.update({p: self._places.source(p) for p in found})


def _forgotten(hand: asyncio.Task[None]) -> None:
    """A last batch that failed only means that the next reader begins before it; a mistake of ours is logged."""
    error = None if hand.cancelled() else hand.exception()
    if error is not None and not isinstance(error, Overtaken):
        log.error("the last batch failed", exc_info=error)
