"""Operators' commands on state topics: count what they hold, and fill what is missing, with progress (X1, O7, P6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from trunkline.http.dependencies import DryRun, OperatorPrincipal
from trunkline.http.idempotency import DRY_RUN
from trunkline.messaging.compacted_topics.fill import Filled
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.operations.broker import configured_broker, refused_while_away
from trunkline.operations.projection_routes import LINES, STREAMED, stream_lines
from trunkline.projections.rebuild import ProgressCallback
from trunkline.runtime.compacted_topics import fill_states
from trunkline.security.audit_log import auditing

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime


class StateTopics(msgspec.Struct, frozen=True):
    """What was found and done.

    Attributes:
        topics: each state topic.
        missing_up_to: events up to this log position were committed before the broker was there, and are on no topic.
    """

    topics: list[Filled]
    missing_up_to: int


def add_states(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the command to a service's operators' routes.

    Args:
        router: it has their prefix, and checks the principal.
        runtime: the running service.
    """

    @router.post(
        "/topics/refill",
        summary="Compare each state topic with its view, and send what is missing, older or gone",
        response_class=StreamingResponse,
        responses=STREAMED,
    )
    def refill_state_topics(principal: OperatorPrincipal, dry_run: DryRun = False) -> StreamingResponse:
        kafka = configured_broker(runtime)

        def work(_progress: ProgressCallback) -> StateTopics:
            if dry_run:
                return _fill(runtime, kafka, dry_run=True)
            with auditing(runtime.store, runtime.clock.now, principal.actor, "topics refill", {}):
                return _fill(runtime, kafka, dry_run=False)

        headers = {DRY_RUN: "true"} if dry_run else {}
        return StreamingResponse(stream_lines(work), headers=headers, media_type=LINES)


def _fill(runtime: ServiceRuntime, kafka: KafkaSettings, *, dry_run: bool) -> StateTopics:
    filling = asyncio.run_coroutine_threadsafe(fill_states(runtime, kafka, dry_run=dry_run), runtime.commit_signal.loop)
    with refused_while_away():
        topics = filling.result()
    rows: list[Any] = runtime.store.fetch(
        "SELECT max(missing_up_to) FROM brokers WHERE topic_prefix = %s", (kafka.topic_prefix,)
    )
    return StateTopics(topics, rows[0][0] or 0)
