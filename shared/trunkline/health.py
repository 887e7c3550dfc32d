"""Whether the process lives, whether it is ready, and what it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import psycopg
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field

from trunkline.failed_items import failed_item_counts
from trunkline.service import ServiceContext

METRICS_SECONDS: Final = 1.0


class Live(BaseModel):
    """The process answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether requests are served, by service.

    `troubles`: what keeps a service from serving. `degraded`: what does not: while only Kafka is away, requests are
    served and events wait in the outbox.
    """

    ready: bool
    troubles: dict[str, list[str]]
    degraded: dict[str, list[str]] = {}
    services: list[str] = Field([], description="The services of this process.")


def health_router(nodes: Mapping[str, ServiceContext]) -> APIRouter:
    """`/livez`, `/readyz` and `/metrics`, open to everybody: they tell nothing of anybody's numbers."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Does the process answer?")
    async def livez() -> Live:
        return Live()

    @router.get(
        "/readyz",
        summary="Can it serve requests, and if not, why?",
        description="200 also while only Kafka is away, with `degraded` in the body: requests are served, and events"
        " wait in the outbox.",
        responses={503: {"model": Ready, "description": "not ready"}},
    )
    def readyz(response: Response) -> Ready:
        troubles = {name: _troubles(node) for name, node in nodes.items()}
        ready = not any(troubles.values())
        response.status_code = 200 if ready else 503
        degraded = {name: [*node.degradations(), *_set_aside(node)] for name, node in nodes.items()}
        return Ready(
            ready=ready,
            troubles={name: found for name, found in troubles.items() if found},
            degraded={name: found for name, found in degraded.items() if found},
            services=list(nodes),
        )

    written: list[float | bytes] = [0.0, b""]
    lock = threading.Lock()

    @router.get("/metrics", summary="What Prometheus reads", response_class=Response)
    def metrics() -> Response:
        """At most a second old, however many read it."""
        with lock:
            if not written[1] or time.monotonic() - float(written[0]) >= METRICS_SECONDS:
                written[:] = [time.monotonic(), measured()]
            return Response(written[1], media_type=CONTENT_TYPE_LATEST)

    def measured() -> bytes:
        for node in nodes.values():
            with suppress(psycopg.Error, PoolTimeout):  # without its database the last figures stand
                node.measure()
        return generate_latest()

    return router


def _set_aside(node: ServiceContext) -> list[str]:
    """What loops could not do, a sentence for each loop: the others of its items went on (O8)."""
    try:
        counts = failed_item_counts(node.store)
    except (psycopg.Error, PoolTimeout):
        return []  # said already
    return [f"{count} items of the loop {loop!r} are set aside" for loop, count in sorted(counts.items())]


def _troubles(node: ServiceContext) -> list[str]:
    try:
        node.store.fetch("SELECT 1")
    except (psycopg.Error, PoolTimeout) as error:
        return [f"its database does not answer ({type(error).__name__})", *node.troubles()]
    return node.troubles()
