"""Before anything is read from a broker or published to it: do this database and this broker belong together (D10.16).

A broker that is away at the start is waited for, while HTTP works: pages wait at the gate, and nothing is consumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import structlog

from trunkline.availability import cluster_availability
from trunkline.eventstore.epochs import epoch_and_version
from trunkline.eventstore.recorded_event import event_id
from trunkline.installation.judgement import Broker, InstallationRefused, Registration, judge, rivals
from trunkline.installation.record import (
    begin_epoch,
    begin_start,
    finish_start,
    keep_broker,
    read_database,
    read_epochs,
    starting,
)
from trunkline.installation.topic import OnRecord, claim, look, members, read_on_record, read_records, register
from trunkline.messaging.kafka.client import AWAY, KafkaSettings, absence
from trunkline.messaging.outbox_relay import Transport
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.retry import Backoff, Reach

if TYPE_CHECKING:
    from trunkline.eventstore.event_store import Store
    from trunkline.service_definition import ServiceContext, ServiceDefinition

log = structlog.get_logger(__name__)

_REPLICATION: Final = 3
_MEMBERS_LEAVE_SECONDS: Final = 15.0
"""A consumer that was killed is in its group for 10 s yet."""


class Gate:
    """A transport that delivers nothing before its service is admitted."""

    def __init__(self, transport: Transport) -> None:
        """Deliver to `transport` once `admitted` is set."""
        self._transport = transport
        self.has_topics = transport.has_topics
        self.admitted = asyncio.Event()

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Deliver a page in order; raises what the transport raises."""
        if not self.admitted.is_set():
            await self.admitted.wait()
        await self._transport.send_page(page)


async def admit(contexts: Sequence[ServiceContext], kafka: KafkaSettings, away: asyncio.Event) -> None:
    """Compare each service's database with the broker, and put the start on record on both sides.

    Args:
        contexts: the services of this process.
        kafka: the cluster, which is waited for.
        away: set when it does not answer.

    Raises:
        InstallationRefused: they do not belong together.
    """
    backoff, reach = Backoff(), Reach(cluster_availability(kafka.bootstrap), "start")
    try:
        for runtime in contexts:
            while True:
                try:
                    await _admit(runtime, kafka)
                    break
                except AWAY as error:
                    away.set()
                    reach.lost(absence(error))
                    await asyncio.sleep(backoff.pause())
        reach.back()
    finally:
        reach.end()


async def _admit(context: ServiceContext, kafka: KafkaSettings) -> None:
    lock = starting(context.store.url)
    await asyncio.to_thread(lock.__enter__)
    try:
        await _compare(context, kafka)
    finally:
        await asyncio.to_thread(lock.__exit__, None, None, None)


async def _compare(context: ServiceContext, kafka: KafkaSettings) -> None:
    name, store = context.name, context.store
    own = {kafka.topic(c.topic): c.topic for c in context.service.publishes if not c.compacted}
    cluster, there = await look(kafka, own, _REPLICATION)
    on_record = await read_on_record(kafka)
    newest = await read_records(kafka, sorted(there), newest=True)
    broker = await asyncio.to_thread(_broker, context.service, store, on_record, newest)
    database = await asyncio.to_thread(read_database, store, f"kafka/{cluster}/{kafka.topic_prefix}")
    where = _where(kafka)
    admission = judge(name, where, database, broker)
    if admission.restored:
        await _check_members(name, kafka, where)
        cause = "declared by an operator" if database.restored else "the topics are ahead of the log"
        await asyncio.to_thread(begin_epoch, store, admission.epoch, context.clock.now(), cause)
        log.warning("the log was restored; a new epoch has begun", service=name, epoch=admission.epoch, cause=cause)
    installation = on_record.id or await claim(kafka, admission.id or str(uuid4()))
    start_id = str(uuid4())
    await asyncio.to_thread(begin_start, store, installation, start_id)
    at = Registration(
        installation=installation, identity=database.identity, start_id=start_id, epoch=store.epochs.current
    )
    await register(kafka, name, at)
    await asyncio.to_thread(finish_start, store)
    new = not (broker.published or database.knows_broker)
    missing = await asyncio.to_thread(lambda: keep_broker(store, cluster, kafka.topic_prefix, new=new))
    if missing:
        command = f"trunkline republish {name} --to {missing}"
        log.warning("events from before this broker was there are on no topic", service=name, fill_by=command)


def _broker(service: ServiceDefinition, store: Store, on_record: OnRecord, newest: Sequence[object]) -> Broker:
    """What the broker shows, with the newest of the service's own events held against its log."""
    known, ahead = _compared(service, store, newest)
    return Broker(
        id=on_record.id,
        registration=on_record.services.get(service.name),
        published=bool(newest),
        known=known,
        ahead=ahead,
    )


def _compared(service: ServiceDefinition, store: Store, newest: Sequence[object]) -> tuple[bool, bool]:
    """Whether some of the newest records are in the log, and whether some are not, though they are this service's."""
    store.epochs = read_epochs(store)
    named = [found for record in newest if (found := _named_by(service, record)) is not None]
    if not named:
        return False, False
    rows = store.fetch(
        "SELECT s.originator_id, s.originator_version, s.notification_id, s.topic, s.state FROM stored_events s"
        " JOIN unnest(%s::text[], %s::bigint[]) AS p(id, version)"
        " ON s.originator_id = p.id AND s.originator_version = p.version",
        ([stream for stream, _, _ in named], [version for _, version, _ in named]),
    )
    events = {(r[0], r[1]): store.event((r[2], r[0], r[1], r[3], r[4])) for r in rows}
    same = [
        (event := events.get((stream, version))) is not None and event.meta.correlation_id == correlation
        for stream, version, correlation in named
    ]
    return any(same), not all(same)


def _named_by(service: ServiceDefinition, record: object) -> tuple[str, int, str] | None:
    """Stream, version and correlation id that a published record names; None: it is none of this service's events."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}  # type: ignore[attr-defined]
    sequence = headers.get("ce_sequence", "")
    if not sequence.isdigit():
        return None
    epoch, version = epoch_and_version(int(sequence))
    for decider in service.deciders:
        stream = decider.stream(headers.get("ce_subject", ""))
        if event_id(stream, version, epoch) == headers.get("ce_id"):
            return stream, version, headers.get("ce_correlationid", "")
    return None


async def _check_members(service: str, kafka: KafkaSettings, where: str) -> None:
    """A restored database must not start beside the one that it replaces. Raises InstallationRefused."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + _MEMBERS_LEAVE_SECONDS
    while await members(kafka, kafka.group(service)):
        if loop.time() > ends:
            raise rivals(service, where)
        await asyncio.sleep(0.5)


def _where(kafka: KafkaSettings) -> str:
    prefixed = f" under the prefix {kafka.topic_prefix!r}" if kafka.topic_prefix else ""
    return f"the broker {kafka.bootstrap}{prefixed}"


__all__ = ["Gate", "InstallationRefused", "admit"]
