"""The operators' door that publishes a stretch of history again, with its progress (O4, P6)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field

from trunkline.contracts import dead_letters
from trunkline.contracts.catalogue import catalogue
from trunkline.errors import Refused
from trunkline.http.dependencies import DryRun, OperatorPrincipal
from trunkline.http.schemas import Body, Instant
from trunkline.messaging.kafka.client import KafkaSettings, admin
from trunkline.messaging.republish import LogRange, published_up_to
from trunkline.operations.broker import configured_broker, refused_while_away
from trunkline.operations.lists import ROW_IDS
from trunkline.operations.projection_routes import STREAMED
from trunkline.operations.republish_job import RepublishJob, Telling

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

RATE: Final = 1_000
_KNOWN: Final = frozenset({dead_letters.TOPIC, *(contract.topic for contract in catalogue.ALL)})
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Position = Annotated[int, Field(ge=1, le=ROW_IDS[-1])]


class TopicMissing(Refused):
    """The cluster has no topic {topic}: create it first."""


class TopicOfOthers(Refused):
    """The topic {topic} is for other events than these; choose one that Trunkline does not know."""

    status: ClassVar[int] = 422


class EventUnknown(Refused):
    """{service} says nothing that is called {event}; it says {known}."""

    status: ClassVar[int] = 422


class StateTopicNamed(Refused):
    """{event} is a state topic and no event: `trunkline topics refill` compares it with what there is, and fills it."""

    status: ClassVar[int] = 422


class StreamUnknown(Refused):
    """{service} has no stream {stream}: it is a category and a key, such as number/+6531580001."""

    status: ClassVar[int] = 404


class StretchEmpty(Refused):
    """The stretch ends before it begins: from {first} to {last}."""

    status: ClassVar[int] = 422


class Republish(Body):
    """Which history is published again, where, and how fast. All that is given must hold of an event."""

    first: Position = Field(1, description="The first position in the log.")
    last: Position | None = Field(None, description="The last one; null: the last that was published at all.")
    since: Instant | None = Field(None, description="Recorded at this instant or later.")
    until: Instant | None = Field(None, description="Recorded at this instant or earlier.")
    stream: str | None = Field(
        None, max_length=300, pattern=r"^[^\x00/]+/[^\x00]+$", description="Of this stream only."
    )
    events: list[Annotated[str, Field(max_length=100)]] | None = Field(None, min_length=1, max_length=100)
    topic: Topic | None = Field(None, description="Another topic, that is there; null: each event's own.")
    rate: int = Field(RATE, ge=1, le=1_000_000, description="Most events a second.")


def add_republish(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the door to a service's operators' doors.

    Args:
        router: it has their prefix, and asks who comes.
        runtime: the running service.
    """

    @router.post(
        "/republish",
        summary="Publish a stretch of history again",
        response_class=StreamingResponse,
        responses=STREAMED,
    )
    async def republish_history(
        principal: OperatorPrincipal, body: Republish, dry_run: DryRun = False
    ) -> StreamingResponse:
        """Whoever hangs up ends it: what was told last is how far it went."""
        kafka = configured_broker(runtime)
        stretch = await asyncio.to_thread(_stretch, runtime, body)
        if body.topic is not None:
            await _check_topic(kafka, body.topic, stretch.topics)
        arguments = body.model_dump(mode="json", exclude_none=True)
        actor = None if dry_run else principal.actor
        return Telling(RepublishJob(runtime, stretch, kafka, body.topic, body.rate, actor, arguments))


def _stretch(runtime: ServiceRuntime, body: Republish) -> LogRange:
    """What is asked for, as it can be read. Raises EventUnknown, StreamUnknown, StretchEmpty."""
    end = published_up_to(runtime.store)
    last = min(end, body.last or end)
    if body.last is not None and body.last < body.first:
        raise StretchEmpty(first=body.first, last=body.last)
    if body.since is not None and body.until is not None and body.until < body.since:
        raise StretchEmpty(first=body.since, last=body.until)
    publishes = {c.name: c.topic for c in runtime.service.publishes if not c.compacted}
    states = {state.contract.name for state in runtime.service.states}
    for name in body.events or ():
        if name in states:
            raise StateTopicNamed(event=name)
        if name not in publishes:
            raise EventUnknown(service=runtime.name, event=name, known=", ".join(sorted(publishes)))
    if body.stream is not None and not runtime.store.read_streams([body.stream]):
        raise StreamUnknown(service=runtime.name, stream=body.stream)
    topics = None if body.events is None else frozenset(publishes[name] for name in body.events)
    return LogRange(first=body.first, last=last, since=body.since, until=body.until, stream=body.stream, topics=topics)


async def _check_topic(kafka: KafkaSettings, topic: str, own: Collection[str] | None) -> None:
    """Whether events may go to a topic. Raises TopicOfOthers, TopicMissing, BrokerAway."""
    name = topic.removeprefix(kafka.topic_prefix)
    if topic.startswith(kafka.topic_prefix) and name in _KNOWN and own != {name}:
        raise TopicOfOthers(topic=topic, part="body", pointer="#/topic", value=topic)
    with refused_while_away():
        async with admin(kafka) as client:
            there = topic in await client.list_topics()
    if not there:
        raise TopicMissing(topic=topic)
