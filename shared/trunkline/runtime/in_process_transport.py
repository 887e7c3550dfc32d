"""Without a broker: a relay hands its pages straight to the intakes of the other services in this process.

The same relay on one side and the same intake with the same tracking on the other; only the topics are left out. The
offset of a record is the log position of the event it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from msgspec.structs import replace

from trunkline.installation.judgement import judge_together
from trunkline.installation.record import begin_epoch, begin_start, finish_start, read_database
from trunkline.messaging.compacted_topics.feed import begin_anew
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import FOLLOWER
from trunkline.messaging.records import IncomingRecord, OutgoingRecord

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

log = structlog.get_logger(__name__)


def source_of(service: str, epoch: int) -> str:
    """The name that the position of what a service publishes is kept under by those who read it in this process."""
    return f"local/{service}@{epoch}" if epoch else f"local/{service}"


def admit_together(runtimes: Sequence[ServiceRuntime]) -> None:
    """See that the databases of one process belong to one installation, and which of them were restored (D10.16).

    Raises:
        InstallationRefused: they do not belong together.
    """
    read = {runtime.name: _read_of(runtime, runtimes) for runtime in runtimes}
    databases = {
        runtime.name: replace(read_database(runtime.store, "kafka/"), knows_broker=read[runtime.name] > 0)
        for runtime in runtimes
    }
    installation = judge_together(databases) or str(uuid4())
    restored = [n for n in runtimes if databases[n.name].restored or read[n.name] > n.store.end_of_log()]
    for runtime in runtimes:
        database, end = databases[runtime.name], runtime.store.end_of_log()
        if read[runtime.name] > end and not database.restored:
            cause = f"the other service has read up to position {read[runtime.name]}, and the log ends at {end}"
            begin_epoch(runtime.store, database.epoch + 1, runtime.clock.now(), cause)
            log.warning("the log was restored; a new epoch has begun", service=runtime.name, cause=cause)
        if database.id is None:
            begin_start(runtime.store, installation, str(uuid4()))
        if database.restored:
            finish_start(runtime.store)
    for runtime in restored:
        for other in runtimes:
            if other is not runtime:
                _rewind(other, runtime)


def _rewind(runtime: ServiceRuntime, restored: ServiceRuntime) -> None:
    """Let a service publish again what another one, which was restored, had read and has forgotten."""
    source = source_of(runtime.name, runtime.store.epochs.current)
    read = restored.store.positions(source).get(source, 0)
    with runtime.store.locked() as conn:
        conn.execute(
            b"UPDATE notification_tracking SET notification_id = least(notification_id, %s)"
            b" WHERE application_name = %s",
            (read, FOLLOWER),
        )
    for state in runtime.service.states:
        begin_anew(runtime.store, state)


def _read_of(runtime: ServiceRuntime, runtimes: Sequence[ServiceRuntime]) -> int:
    """Up to which log position the others have read what a service publishes."""
    source = source_of(runtime.name, runtime.store.epochs.current)
    return max(other.store.positions(source).get(source, 0) for other in runtimes if other is not runtime)


class InProcessTransport:
    """Delivers what one service says to the intakes that hear it."""

    has_topics = False

    def __init__(self, service: str, states: Iterable[str] = (), epoch: int = 0) -> None:
        """Prepare for what `service` says; intakes join later, before its relay starts.

        Args:
            service: its name.
            states: its state topics, which follow views: each is a source of its own.
            epoch: of its log: one that was restored gives positions again, so each epoch is a source of its own.
        """
        self._source = source_of(service, epoch)
        self._states = frozenset(states)
        self._intakes: list[tuple[Inbox, asyncio.Lock]] = []

    def join(self, intake: Inbox, turn: asyncio.Lock) -> None:
        """Deliver to this intake too; `turn` is shared by all that feed it, for it takes one batch at a time."""
        self._intakes.append((intake, turn))

    @property
    def heard_states(self) -> frozenset[str]:
        """The state topics that somebody hears."""
        return frozenset(topic for topic in self._states for intake, _ in self._intakes if topic in intake.topics)

    def unheard(self, topic: str) -> bool:
        """Whether one of those who hear a state topic has heard nothing of it yet. Reads their databases."""
        source = self._source_of(topic)
        return any(topic in intake.topics and not intake.positions([source]) for intake, _ in self._intakes)

    def _source_of(self, topic: str) -> str:
        return f"{self._source}/{topic}" if topic in self._states else self._source

    async def send_page(self, page: Sequence[OutgoingRecord]) -> None:
        """Hand a page to every intake that hears anything of it; what it raises, the relay retries."""
        for intake, turn in self._intakes:
            topics = intake.topics
            records = [
                IncomingRecord(self._source_of(o.topic), o.topic, 0, o.position, o.key, o.headers, o.value)
                for o in page
                if o.topic in topics
            ]
            if records:
                async with turn:
                    await asyncio.to_thread(intake.accept, records)

    async def send_again(self, page: Sequence[OutgoingRecord]) -> None:
        """Hand over what was handed over before: as a source of its own, whose offsets only count on."""
        source = f"{self._source}/again"
        for intake, turn in self._intakes:
            wanted = [one for one in page if one.topic in intake.topics]
            async with turn:
                await asyncio.to_thread(_accept_again, intake, source, wanted)


def _accept_again(intake: Inbox, source: str, page: Sequence[OutgoingRecord]) -> None:
    after = intake.positions([source]).get(source, 0)
    records = [
        IncomingRecord(source, o.topic, 0, after + n, o.key, o.headers, o.value) for n, o in enumerate(page, start=1)
    ]
    if records:
        intake.accept(records)
