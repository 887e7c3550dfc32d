"""A stretch of history on its way to topics again, beside the request that tells of it (O4, P6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from trunkline.http.idempotency import DRY_RUN
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.producer import Producer, TooLargeToSend
from trunkline.messaging.records import OutgoingRecord
from trunkline.messaging.republish import LogRange, RepublishResult, SendPage, history_published, pages, republish
from trunkline.operations.projection_routes import LINES, ndjson
from trunkline.security.audit_log import put_on_record

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

log = structlog.get_logger(__name__)

_AS_FAST_AS_IT_GOES: Final = 10**9
_TELL_SECONDS: Final = 0.25
"""So often it is told how far it is, moved or not: so that somebody who has hung up is noticed."""


class RepublishJob:
    """One stretch on its way. It ends with the request that tells of it, or with the service."""

    def __init__(
        self,
        runtime: ServiceRuntime,
        stretch: LogRange,
        kafka: KafkaSettings,
        topic: str | None,
        rate: int,
        actor: str | None,
        arguments: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Prepare; nothing is sent before it is told of.

        Args:
            runtime: the service whose history it is.
            stretch: of it.
            kafka: the cluster.
            topic: where all of it goes; None: each event to its own.
            rate: most events a second.
            actor: who is on record for it; None: nothing is sent, it is only counted.
            arguments: what is on record.
        """
        self.actor = actor
        self._topic = topic
        self._rate = rate
        self._arguments = arguments
        self._runtime = runtime
        self._stretch = stretch
        self._kafka = kafka
        self._done = RepublishResult(stretch.first - 1, 0, {})
        self._end: bytes | None = None
        self.ended = asyncio.Event()
        self.given_up = asyncio.Event()

    async def told(self) -> AsyncIterator[bytes]:
        """Begin; then how far it is, now and then, and how it ended."""
        self._runtime.begin("republish", self._run())
        while not self.ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _TELL_SECONDS)
            yield ndjson("progress", self._progress())
        if self._end is not None:
            yield self._end

    async def _run(self) -> None:
        """Publish until all is done, nobody listens any more, or the service stops; and put it on record."""
        begun = self._runtime.clock.now()
        publishing = asyncio.ensure_future(self._publish())
        ends = [asyncio.ensure_future(event.wait()) for event in (self.given_up, self._runtime.stopping)]
        try:
            await asyncio.wait({publishing, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (publishing, *ends):
                one.cancel()  # what has ended by itself takes no notice
            (came,) = await asyncio.gather(publishing, return_exceptions=True)
            outcome = self._close(came)
            self.ended.set()
            if self.actor is not None:
                if outcome == "done" and self._topic is None and self._stretch.is_all_from_the_first:
                    await asyncio.to_thread(history_published, self._runtime.store, self._kafka, self._stretch.last)
                about = (begun, self.actor, "republish", self._arguments, outcome)
                await asyncio.to_thread(put_on_record, self._runtime.store, *about)

    def _close(self, came: object) -> str:
        """Settle what is told last; the outcome as it is on record."""
        at = f"after position {self._done.position}"
        if isinstance(came, asyncio.CancelledError):
            self._end = ndjson("error", {"code": "stopped", "detail": f"It was stopped {at}."})
            return f"stopped {at}"
        if isinstance(came, TooLargeToSend):
            detail = f"What comes {at} is larger than {self._topic or 'its topic'} takes."
            self._end = ndjson("error", {"code": "event-too-large", "detail": detail})
            return f"failed {at}: event-too-large"
        if isinstance(came, Exception):
            log.error("republishing broke off", service=self._runtime.name, position=self._done.position, exc_info=came)
            self._end = ndjson("error", {"code": "internal-error", "detail": f"It broke off {at}; the log says why."})
            return f"failed {at}: {type(came).__name__}"
        self._end = ndjson("result", msgspec.structs.asdict(self._done) | {"to": self._topic})
        return "done"

    async def _publish(self) -> None:
        if self.actor is None:
            await self._send(_nowhere, _AS_FAST_AS_IT_GOES)
            return
        async with Producer(self._kafka) as producer:

            async def send(page: Sequence[OutgoingRecord]) -> None:
                name, full = self._topic, self._kafka.topic
                await producer.send_page([one._replace(topic=name or full(one.topic)) for one in page])

            await self._send(send, self._rate)

    async def _send(self, send: SendPage, rate: int) -> None:
        found = pages(self._runtime.store, self._runtime.service, self._stretch)
        async for done in republish(found, send, rate, asyncio.get_running_loop().time, asyncio.sleep):
            self._done = done

    def _progress(self) -> dict[str, Any]:
        first, last = self._stretch.first, max(self._stretch.first, self._stretch.last)
        return {
            "name": "republish", "phase": "counting" if self.actor is None else "publishing",
            "done": max(0, self._done.position - first + 1), "total": last - first + 1,
            "position": self._done.position, "events": self._done.events,
        }  # fmt: skip


class Telling(StreamingResponse):
    """Tells of a job, which ends when nobody listens any more."""

    def __init__(self, job: RepublishJob) -> None:
        headers = {DRY_RUN: "true"} if job.actor is None else {}
        super().__init__(job.told(), headers=headers, media_type=LINES)
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.given_up.set()


async def _nowhere(_page: Sequence[OutgoingRecord]) -> None:
    """Where a dry run sends."""
