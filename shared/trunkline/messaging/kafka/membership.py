"""A FastStream broker with one subscriber: one membership of a service in its consumer group.

FastStream owns the client's life cycle, the loop that polls, and the middlewares. The session decides where to read
from and what to take. What FastStream would only log ends the membership or has its partitions read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.client_lifetime import rest, start_ended, stopped
from trunkline.messaging.kafka.group_session import DRAIN_SECONDS, REVOKE_SECONDS, GroupSession
from trunkline.messaging.kafka.instrumentation import middlewares, trace_headers
from trunkline.messaging.kafka.offsets import CommittedOffsets, Intake

log = structlog.get_logger(__name__)

_LEAVE_SECONDS: Final = 2.0
_NEVER_MS: Final = 10 * 365 * 24 * 3_600_000
"""FastStream pauses after a poll that came back empty, for as long as the poll waited; so a poll waits for a record."""


class Membership:
    """Reads topics through one client of FastStream, from `start` to `end`."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        group: str,
        intake: Intake,
        places: CommittedOffsets,
        batch: int,
    ) -> None:
        """Prepare, in a running event loop; nothing connects before `start`.

        Args:
            settings: the cluster.
            topics: all that are read; they exist.
            group: the consumer group.
            intake: takes the records.
            places: finds the offset a partition is read from.
            batch: most records taken at once.
        """
        self.session = GroupSession(lambda: self.client, intake, places)
        self._log = _FrameworkLog(self.session)
        self._broker = KafkaBroker(
            **settings.broker_options(),
            consumer_only=True,
            apply_types=False,
            middlewares=middlewares(group),
            graceful_timeout=DRAIN_SECONDS,
            logger=self._log,
            log_level=logging.DEBUG,
        )
        self._subscriber = self._broker.subscriber(
            *topics,
            batch=True,
            max_records=batch,
            batch_timeout_ms=_NEVER_MS,
            parser=_unparsed,
            decoder=_records,
            listener=self.session,
            group_id=group,
            isolation_level="read_committed",
            # Positions lie in the database; what is committed to the broker is a hint for people.
            ack_policy=AckPolicy.MANUAL,
            # Only a seek to a stored position counts. A position that is gone is an error, never a silent jump.
            auto_offset_reset="none",
            # The same partition numbers of all topics to the same copy: one subject, one writer, few conflicts.
            partition_assignment_strategy=(RangePartitionAssignor,),
            # A copy that was killed is missed after 10 s; one that joins is noticed within a heartbeat.
            session_timeout_ms=10_000,
            heartbeat_interval_ms=1_000,
            # Others wait this long for a copy to finish its batch; without it, it would be the session's time.
            rebalance_timeout_ms=int(REVOKE_SECONDS * 1000) + 12_000,
            max_poll_interval_ms=300_000,
            no_reply=True,
        )
        self._subscriber(self.session.take)
        self._starting: asyncio.Future[None] | None = None

    @property
    def client(self) -> AIOKafkaConsumer:
        """FastStream's client, once it was started."""
        assert self._subscriber.consumer is not None
        return self._subscriber.consumer

    async def start(self) -> None:
        """Connect and join the group. Raises one of AWAY when no broker answers."""
        self._starting = asyncio.ensure_future(self._broker.start())
        await asyncio.shield(self._starting)

    async def end(self) -> None:
        """Let the batch in hand end and leave the group; a broker that hangs is not waited for."""
        self._log.closed = True
        await self.session.let_go(DRAIN_SECONDS)
        if self._starting is not None:
            await start_ended(self._starting)
        if self._subscriber.consumer is not None:
            await rest(self._subscriber.consumer)
        await stopped(self._broker.stop(), _LEAVE_SECONDS)


async def _unparsed(fetched: tuple[Any, ...]) -> KafkaMessage:
    """Keep the records as the client has them; FastStream's parser drops a batch with a header that is null."""
    values = [record.value or b"" for record in fetched]
    links = trace_headers(fetched)
    return KafkaMessage(fetched, values, batch_headers=links, correlation_id="-", consumer=_NotAcknowledging())


async def _records(message: KafkaMessage) -> Any:
    return message.raw_message


class _NotAcknowledging:
    """In place of the client: positions are stored with the effects, never acknowledged through a message."""

    async def commit(self) -> None:
        raise NotImplementedError

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise NotImplementedError


class _FrameworkLog:
    """Receives what FastStream logs: the only way in which it reports the errors that the client raises."""

    def __init__(self, session: GroupSession) -> None:
        self._session = session
        self.closed = False

    def log(self, level: int, msg: Any, /, *, exc_info: Any = None, extra: Mapping[str, Any] | None = None) -> None:
        """Hand an error to the session; log what else matters."""
        if self.closed or level < logging.ERROR:
            return
        if isinstance(exc_info, Exception):
            log.info("the Kafka client raised an error", error=repr(exc_info))
            self._session.client_error(exc_info)
        else:
            log.warning("FastStream", message=str(msg), **(extra or {}))
