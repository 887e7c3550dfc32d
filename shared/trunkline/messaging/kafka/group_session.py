"""One membership in a consumer group, over FastStream: the offset to read from, and each batch into the store.

The positions in the database decide, not the broker's committed offsets. FastStream hands batches over. Nothing of a
partition counts before the client was moved to the stored position, and then only what follows on it without a gap:
what a client, a framework or a rebalance leaves out is read again, and what comes twice is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from trunkline.eventstore.event_store import CheckpointConflict
from trunkline.messaging.kafka.offsets import DATABASE_AWAY, CommittedOffsets, Intake
from trunkline.messaging.kafka.partition_reader import is_undecodable, partition_reader
from trunkline.messaging.records import IncomingRecord
from trunkline.messaging.retry import Backoff

log = structlog.get_logger(__name__)

REVOKE_SECONDS: Final = 8.0
"""How long a batch in hand may take to end when its partitions are taken away."""

DRAIN_SECONDS: Final = 5.0
"""How long it may take when the service stops."""

FEW: Final = 100
"""While a batch of fewer records is worked on, nothing is fetched: what comes meanwhile comes in one fetch."""

SUSPECT_RECORDS: Final = 10_000
"""How far a partition is read record by record: more than the client fetches of one partition at once."""

_REBALANCE_SECONDS: Final = 0.05


class GroupSession(ConsumerRebalanceListener):  # type: ignore[misc]
    """Takes the batches of one client and keeps it at the stored positions, until something must end it."""

    def __init__(self, client: Callable[[], AIOKafkaConsumer], intake: Intake, places: CommittedOffsets) -> None:
        """Prepare, in a running event loop.

        Args:
            client: gives FastStream's client; it is subscribed with this session as its listener.
            intake: takes the records.
            places: finds the offset a partition is read from; the intake is called in its thread.
        """
        self._client = client
        self._intake = intake
        self._places = places
        self._new: set[TopicPartition] = set()
        self._suspect: dict[TopicPartition, int | None] = {}
        self._sources: dict[TopicPartition, str] = {}
        self._next: dict[TopicPartition, int] = {}
        self._seen: dict[TopicPartition, int] = {}
        self._in_hand: set[asyncio.Future[Any]] = set()
        self._cause: BaseException | None = None
        self._assignments = 0
        self._gone = asyncio.Event()
        self._turn = asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stored: dict[TopicPartition, int] = {}
        """The next offset of each partition after what is safely stored: a hint for the broker."""

    @property
    def settled(self) -> bool:
        """Whether every assigned partition is being read from its stored position."""
        return self._assignments > 0 and not self._new and not self._gone.is_set()

    # -- the group's listener ---------------------------------------------------------------------------------
    # Coroutines: FastStream runs a plain function in another thread. They act before they first wait, so nothing is
    # fetched in between. What they raise would only be logged, so it ends the membership instead.

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause the new partitions; `run` moves each to its stored position."""
        try:
            client = self._client()
            client.pause(*assigned)
            for partition in assigned:
                client.seek(partition, 0)  # a partition without any position raises, though it is paused
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self.fail(error)
            return
        self._new = set(assigned)
        self._assignments += 1
        self._gone.clear()
        self._turn.set()

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        """Let the batch in hand end; drop everything else."""
        await self.let_go(REVOKE_SECONDS)

    async def let_go(self, seconds: float) -> None:
        """Take nothing more, and wait for what is being stored.

        A batch that takes longer belongs to a copy that is no longer a member: its positions no longer match, and it
        fails as a whole.
        """
        self._gone.set()
        self._cause = None
        self._new.clear()
        self._suspect.clear()
        self._sources, self._next, self._seen, self.stored = {}, {}, {}, {}
        if self._in_hand:
            await asyncio.wait(set(self._in_hand), timeout=seconds)

    # -- batches ----------------------------------------------------------------------------------------------

    async def take(self, fetched: Sequence[Any]) -> None:
        """Store a batch that FastStream hands over; returns once it is stored, or no longer ours. Never raises."""
        try:
            records = await self._following(fetched)
            if records:
                with self._paused(len(records) < FEW):
                    await self._accept(records)
        except CheckpointConflict as overtaken:
            log.info("another reader was faster; going on from the stored positions", what=str(overtaken))
            self._read_again(list(self._next))
        except Exception as error:  # noqa: BLE001 - FastStream would go on behind the batch; `run` raises it
            self.fail(error)

    async def _following(self, fetched: Iterable[Any]) -> list[IncomingRecord]:
        """The records that follow on what was taken; a partition with a gap before them is read again."""
        records: list[IncomingRecord] = []
        for (topic, number), run in groupby(fetched, key=_partition_of):
            partition = TopicPartition(topic, number)
            expected = self._next.get(partition)
            if expected is None:
                continue
            source = self._sources[partition]
            found = [
                IncomingRecord(source, topic, number, r.offset, r.key, r.headers, r.value, r.timestamp)
                for r in run
                if r.offset >= expected
            ]
            if not found:
                continue
            if found[0].offset > expected:
                # Compaction, the end of a transaction, or records that the client has lost: a look tells which.
                self._suspect[partition] = found[0].offset
                self._read_again([partition])
                continue
            records += found
            # The ends of transactions that came behind the last record are no gap.
            self._next[partition] = max(found[-1].offset + 1, await self._position(partition))
        return records

    async def _position(self, partition: TopicPartition) -> int:
        try:
            found: int = await self._client().position(partition)
        except IllegalStateError:  # a rebalance has begun
            return 0
        return found

    @contextmanager
    def _paused(self, few: bool) -> Iterator[None]:
        """Fetch nothing while few records are worked on."""
        partitions = list(self._next) if few else []
        with suppress(IllegalStateError):
            self._client().pause(*partitions)
        try:
            yield
        finally:
            with suppress(IllegalStateError):
                self._client().resume(*(p for p in partitions if p in self._next))

    async def _accept(self, batch: Sequence[IncomingRecord]) -> None:
        """Store a batch, again and again while the database is away and the partitions are ours."""
        storing = asyncio.ensure_future(self._store(batch))
        self._in_hand.add(storing)
        storing.add_done_callback(self._in_hand.discard)
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            storing.add_done_callback(_abandoned)
            raise

    async def _store(self, batch: Sequence[IncomingRecord]) -> None:
        ours = self._next
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        accept = self._intake.accept
        while True:
            try:
                await loop.run_in_executor(self._places.thread, copy_context().run, accept, batch)
            except DATABASE_AWAY as error:
                self._places.database.lost(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), backoff.pause())
                if self._gone.is_set() or self._next is not ours:
                    return  # whoever has the partitions next begins at the stored positions
            else:
                self._places.database.back()
                break
        if self._next is ours:
            partitions = {TopicPartition(*of) for of, _ in groupby(batch, key=_partition_of)}
            self.stored.update({p: ours[p] for p in partitions if p in ours})

    # -- errors -----------------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """End this membership: `run` raises the error."""
        if not self._failure.done():
            self._failure.set_exception(error)
        self._gone.set()

    def client_error(self, error: BaseException) -> None:
        """Act on an error that the client raised towards FastStream, which logs it and tries again."""
        if isinstance(error, OffsetOutOfRangeError | NoOffsetForPartitionError):
            log.info("the broker does not have the offset we read from", offsets=str(error.args))
            self._read_again(list(self._next))
        elif is_undecodable(error):
            self._cause = error if self._next else None
            self._suspect.update(dict.fromkeys(self._next))
            self._read_again(list(self._next))
        else:
            self.fail(error)

    # -- offsets ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the client at the stored positions until cancelled.

        Raises:
            TopicRecreated: see there.
            KafkaError: the client has to be replaced.
            Exception: whatever else the intake raises.
        """
        try:
            while True:
                turn = asyncio.ensure_future(self._turn.wait())
                either: set[asyncio.Future[Any]] = {turn, self._failure}
                try:
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    turn.cancel()
                if self._failure.done():
                    self._failure.result()
                self._turn.clear()
                while self._new and not self._failure.done():
                    await self._seek()
        finally:
            self._failure.cancel()

    def _read_again(self, partitions: Collection[TopicPartition]) -> None:
        """Begin anew at the stored positions of some partitions."""
        with suppress(IllegalStateError):
            self._client().pause(*partitions)
        self._new.update(partitions)
        self._forget(partitions)
        self._turn.set()

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)
            self._sources.pop(partition, None)
            self._seen.pop(partition, None)

    async def _seek(self) -> None:
        """Move every new partition to its stored position."""
        if self._in_hand:
            await asyncio.wait(set(self._in_hand))
        wanted, assignments = frozenset(self._new), self._assignments
        found = await self._places.find(self._client(), wanted)
        if suspect := {p: self._suspect.pop(p) for p in wanted if p in self._suspect}:
            try:
                found |= await self._read_past(found, suspect)
            except CheckpointConflict as overtaken:
                log.info("another reader was faster; going on from the stored positions", what=str(overtaken))
                return
        if assignments != self._assignments or self._gone.is_set():
            return  # the group has assigned other partitions meanwhile
        client = self._client()
        try:
            for partition, offset in found.items():
                client.seek(partition, offset)
            client.resume(*found)
        except IllegalStateError:  # a rebalance has begun; the listener is called soon
            await asyncio.sleep(_REBALANCE_SECONDS)
            return
        self._new -= wanted
        self._next.update(found)
        self._sources.update({p: self._places.source(p) for p in found})
        self.stored.update(found)

    async def _read_past(
        self, found: dict[TopicPartition, int], suspect: dict[TopicPartition, int | None]
    ) -> dict[TopicPartition, int]:
        """Store what a client of its own finds where records are missing or cannot be decoded; the offsets after it.

        Args:
            found: the offset that each partition is to be read from.
            suspect: up to which offset each is looked at; None: until a record that cannot be decoded was passed.
        """
        following: dict[TopicPartition, int] = {}
        cause, self._cause = self._cause, None
        ends = await self._client().end_offsets([p for p, end in suspect.items() if end is None])
        undecodable = 0
        async with partition_reader(self._places.settings, self._places.source) as reader:
            for partition, end in suspect.items():
                start, upper = found[partition], ends[partition] if end is None else end
                section = await reader.read(partition, start, upper, SUSPECT_RECORDS)
                if section.records:
                    await self._accept(section.records)
                undecodable += section.undecodable
                if section.following > start:
                    following[partition] = section.following
        if cause is not None and not undecodable and not following:
            # It was not about a record that is there: another client may do better.
            self.fail(cause if isinstance(cause, KafkaError) else KafkaError(f"the client failed: {cause!r}"))
        return following

    async def look(self) -> None:
        """See whether the offsets are still there and whether anything comes of what is there; called now and then.

        Raises:
            TopicRecreated: see there.
            KafkaError: the cluster does not answer.
        """
        before = dict(self._next)
        if not before or self._in_hand:
            return
        client = self._client()
        ends = await client.end_offsets(list(before))
        begins = await client.beginning_offsets(list(before))
        still = {p: at for p, at in before.items() if self._next.get(p) == at}
        await self._places.check_ends(client, {p: at for p, at in still.items() if at > ends[p]})
        if removed := [p for p, at in still.items() if at < begins[p]]:
            self._read_again(removed)
        if stuck := [p for p, at in still.items() if begins[p] <= at < ends[p] and self._seen.get(p) == at]:
            # Aborted records and ends of transactions, or what the client cannot decode: a look tells which.
            self._suspect.update(dict.fromkeys(stuck))
            self._read_again(stuck)
        self._seen = still


_partition_of = attrgetter("topic", "partition")


def _abandoned(storing: asyncio.Future[Any]) -> None:
    """A last batch that failed only means that the next reader begins before it; a mistake of ours is logged."""
    error = None if storing.cancelled() else storing.exception()
    if error is not None and not isinstance(error, CheckpointConflict):
        log.error("the last batch failed", exc_info=error)
