"""Parked messages onto the topic DeadLetters (X6), at least once, for whoever watches topics rather than tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

import psycopg
import structlog

from trunkline.contracts.dead_letters import HEADERS, TOPIC, headers
from trunkline.duties import Duties
from trunkline.messaging.backoff import Backoff, Reach
from trunkline.messaging.parked import Parked, mark_published, unpublished
from trunkline.messaging.producer import TooLargeToSend
from trunkline.messaging.record import Outgoing
from trunkline.store import Store

log = structlog.get_logger(__name__)

DUTY: Final = "dead letters"
PAGE: Final = 20  # each may be megabytes


class Sender(Protocol):
    """Where a page goes."""

    async def send_page(self, page: Sequence[Outgoing]) -> None:
        """Deliver a page; return once it is safe."""
        ...


def dead_letter(parked: Parked, service: str) -> Outgoing:
    """A parked message as a record: key, value and headers as they were, its place and the reason in more headers.

    Args:
        parked: the message.
        service: `licensing` or `numbers`: who could not use it.
    """
    told = headers(
        topic=parked.topic,
        partition=parked.partition,
        offset=parked.offset,
        code=parked.code,
        reason=parked.reason,
        service=service,
        original=parked.headers,
    )
    return Outgoing(TOPIC, parked.key, parked.value, told, parked.id)


class DeadLetters:
    """Follows the table of parked messages; without a sender (local transport) the table is all there is."""

    def __init__(self, store: Store, service: str, sender: Sender | None, duties: Duties | None = None) -> None:
        """Prepare.

        Args:
            store: the service's store.
            service: its name.
            sender: Kafka's producer; None marks messages as published without a topic.
            duties: the duties of this process; one copy of a service publishes. None: this one.
        """
        self._store = store
        self._service = service
        self._sender = sender
        self._duties = duties
        self._database = Reach("the database, for dead letters")

    async def publish(self) -> int:
        """Publish what is not yet; how many messages that were, 0 where another copy does it.

        Raises psycopg.OperationalError while the database is away; the cluster is waited for.
        """
        count = 0
        if self._duties is not None and not await asyncio.to_thread(self._duties.hold, DUTY):
            return count
        while page := await asyncio.to_thread(unpublished, self._store, PAGE):
            if self._sender is not None:
                await self._send(page)
            await asyncio.to_thread(mark_published, self._store, [parked.id for parked in page])
            count += len(page)
        return count

    async def run(self, stopping: asyncio.Event, *, every: float = 1.0) -> None:
        """Publish every `every` seconds until told to stop."""
        backoff = Backoff(every)
        while not stopping.is_set():
            try:
                await self.publish()
                self._database.back()
                backoff.reset()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._database.lost(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), backoff.pause())

    async def _send(self, page: Sequence[Parked]) -> None:
        sender = self._sender
        assert sender is not None
        try:
            await sender.send_page([dead_letter(parked, self._service) for parked in page])
        except TooLargeToSend:
            for parked in page:
                await self._send_alone(sender, parked)

    async def _send_alone(self, sender: Sender, parked: Parked) -> None:
        letter = dead_letter(parked, self._service)
        try:
            await sender.send_page([letter])
        except TooLargeToSend:
            log.warning("a dead letter is too large for its topic; the table has all of it", parked_id=parked.id)
            await sender.send_page([letter._replace(value=None, headers=letter.headers[: len(HEADERS)])])
