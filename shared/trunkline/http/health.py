"""Whether the process lives, whether it is ready, and what it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

import psycopg
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field

from trunkline.eventstore.failed_items import failed_item_counts
from trunkline.service_definition import ServiceContext

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
    now: dict[str, datetime] = Field({}, description="What time it is, by service: in a sandbox by the test clock.")


def health_router(contexts: Mapping[str, ServiceContext]) -> APIRouter:
    """`/livez` and `/readyz`, open to everybody: they tell nothing of anybody's numbers."""
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
        troubles = {name: _troubles(runtime) for name, runtime in contexts.items()}
        ready = not any(troubles.values())
        response.status_code = 200 if ready else 503
        degraded = {name: [*runtime.degradations(), *_set_aside(runtime)] for name, runtime in contexts.items()}
        return Ready(
            ready=ready,
            troubles={name: found for name, found in troubles.items() if found},
            degraded={name: found for name, found in degraded.items() if found},
            services=list(contexts),
            now={name: now for name, runtime in contexts.items() if (now := _now(runtime)) is not None},
        )

    return router


def metrics_router(
    contexts: Mapping[str, ServiceContext], monotonic: Callable[[], float] = time.monotonic
) -> APIRouter:
    """`/metrics`, open to everybody.

    Args:
        contexts: the services of the process.
        monotonic: seconds, by which figures are at most a second old however many read them.
    """
    router = APIRouter(tags=["health"])
    figures = _Figures(contexts, monotonic)

    @router.get("/metrics", summary="What Prometheus reads", response_class=Response)
    def metrics() -> Response:
        return Response(figures.latest(), media_type=CONTENT_TYPE_LATEST)

    return router


class _Figures:
    """The figures of a process, as Prometheus reads them. Thread-safe."""

    def __init__(self, contexts: Mapping[str, ServiceContext], monotonic: Callable[[], float]) -> None:
        self._runtimes, self._monotonic = contexts, monotonic
        self._lock = threading.Lock()
        self._written, self._at = b"", 0.0

    def latest(self) -> bytes:
        """Those of a moment ago, or else those of now."""
        with self._lock:
            now = self._monotonic()
            if not self._written or now - self._at >= METRICS_SECONDS:
                self._written, self._at = self._measured(), now
            return self._written

    def _measured(self) -> bytes:
        for runtime in self._runtimes.values():
            with suppress(psycopg.Error, PoolTimeout):  # without its database the last figures stand
                runtime.measure()
        return generate_latest()


def _set_aside(context: ServiceContext) -> list[str]:
    """What loops could not do, a sentence for each loop: the others of its items went on (O8)."""
    try:
        counts = failed_item_counts(context.store)
    except (psycopg.Error, PoolTimeout):
        return []  # said already
    return [
        f"{count} {'item' if count == 1 else 'items'} of the loop {loop!r} {'is' if count == 1 else 'are'} set aside"
        for loop, count in sorted(counts.items())
    ]


def _now(context: ServiceContext) -> datetime | None:
    try:
        return context.clock.now()
    except (psycopg.Error, PoolTimeout):
        return None  # the test clock lies in the database


def _troubles(context: ServiceContext) -> list[str]:
    try:
        context.store.fetch("SELECT 1")
    except (psycopg.Error, PoolTimeout) as error:
        return [f"its database does not answer ({type(error).__name__})", *context.troubles()]
    return context.troubles()
