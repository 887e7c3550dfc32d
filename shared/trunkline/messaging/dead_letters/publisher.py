"""Parked messages onto the topic DeadLetters (X6), at least once, for whoever watches topics rather than tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from trunkline.availability import database_availability, is_unavailable
from trunkline.clock import Clock, SystemClock
from trunkline.contracts.dead_letters import HEADERS, TOPIC, headers
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import FailedItems, concerns_item
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.messaging.dead_letters.store import DeadLetter, mark_published, parked_message, unpublished
from trunkline.messaging.kafka.producer import TooLargeToSend
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.retry import Backoff, pause

log = structlog.get_logger(__name__)

DUTY: Final = "dead letters"
PAGE: Final = 20  # each may be megabytes


class Sender(Protocol):
    """Where a page goes."""

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Deliver a page; return once it is safe."""
        ...


def dead_letter(parked: DeadLetter, service: str) -> OutgoingRecord:
    """A parked message as a record: key, value and headers as they were, its place and the reason in more headers.

    Args:
        parked: the message.
        service: `licensing` or `numbers`: who could not use it.
    """
    written = headers(
        topic=parked.topic,
        partition=parked.partition,
        offset=parked.offset,
        code=parked.code,
        reason=parked.reason,
        service=service,
        original=parked.headers,
    )
    return OutgoingRecord(TOPIC, parked.key, parked.value, written, parked.id)


class DeadLetterPublisher:
    """Follows the table of parked messages; without a sender (local transport) the table is all there is."""

    def __init__(
        self,
        store: Store,
        service: str,
        sender: Sender | None,
        leader_election: LeaderElection | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: the service's store.
            service: its name.
            sender: Kafka's producer; None marks messages as published without a topic.
            leader_election: the duties of this process; one copy of a service publishes. None: this one.
            clock: the service's, for what is set aside; None: the machine's.
        """
        self._store = store
        self._service = service
        self._sender = sender
        self._leader_election = leader_election
        self._database = database_availability(store.url)
        self._failed = FailedItems(store, (clock or SystemClock()).now, DUTY)
        self._term = 0

    async def publish(self) -> int:
        """Publish what is not yet; how many messages that were, 0 where another copy does it.

        One that cannot be published is set aside. Raises psycopg.OperationalError while the database is away; the
        cluster is waited for.
        """
        term = 1 if self._leader_election is None else await asyncio.to_thread(self._leader_election.hold, DUTY)
        if term != self._term:
            await asyncio.to_thread(self._failed.load)
        self._term = term
        if not term:
            return 0
        count = await self._retry()
        while page := await asyncio.to_thread(unpublished, self._store, PAGE, self._aside()):
            count += await self._publish(page)
        return count

    async def run(self, stopping: asyncio.Event, *, every: float = 1.0) -> None:
        """Publish every `every` seconds until told to stop."""
        backoff = Backoff(every)
        who = f"{self._service}/{DUTY}"
        try:
            while not stopping.is_set():
                try:
                    await self.publish()
                    self._database.mark_restored(who)
                    backoff.reset()
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    self._database.mark_lost(error, who)
                await pause(stopping, backoff.pause())
        finally:
            self._database.forget(who)

    def _aside(self) -> list[int]:
        return [int(key) for key in self._failed.keys]

    async def _retry(self) -> int:
        count = 0
        for item in await asyncio.to_thread(self._failed.due):
            found = await asyncio.to_thread(parked_message, self._store, int(item.key))
            if found is None or await self._publish([found]):
                await asyncio.to_thread(self._failed.settle, item)
                count += 1
        return count

    async def _publish(self, page: Sequence[DeadLetter]) -> int:
        """Publish a page; how many arrived, the others being set aside."""
        failed: dict[int, Exception] = {}
        if self._sender is not None:
            failed = await self._send(self._sender, page)
        for parked_id, error in failed.items():
            await asyncio.to_thread(self._failed.add, str(parked_id), error)
        sent = [parked.id for parked in page if parked.id not in failed]
        await asyncio.to_thread(mark_published, self._store, sent)
        return len(sent)

    async def _send(self, sender: Sender, page: Sequence[DeadLetter]) -> dict[int, Exception]:
        """Send a page, one after another where it fails as a whole; the ids of those that cannot be sent, and why."""
        try:
            await sender.send_page([dead_letter(parked, self._service) for parked in page])
        except Exception as error:
            if not concerns_item(error):
                raise
        else:
            return {}
        failed: dict[int, Exception] = {}
        for parked in page:
            try:
                await self._send_alone(sender, parked)
            except Exception as error:
                if not concerns_item(error):
                    raise
                failed[parked.id] = error
        return failed

    async def _send_alone(self, sender: Sender, parked: DeadLetter) -> None:
        letter = dead_letter(parked, self._service)
        try:
            await sender.send_page([letter])
        except TooLargeToSend:
            log.warning("a dead letter is too large for its topic; the table has all of it", parked_id=parked.id)
            await sender.send_page([letter._replace(value=None, headers=letter.headers[: len(HEADERS)])])
