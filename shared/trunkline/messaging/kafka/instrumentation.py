"""What is observed of each batch that FastStream hands over: its metrics, its spans, and the context of the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware
from faststream.kafka.prometheus import KafkaPrometheusMiddleware
from prometheus_client import REGISTRY

from trunkline.telemetry import traces_are_sent


def middlewares(service: str) -> Sequence[Any]:
    """FastStream's middlewares for the subscriber of one service.

    Args:
        service: what the metrics `faststream_…` call the application: `licensing`, `numbers`.
    """
    metrics = KafkaPrometheusMiddleware(registry=REGISTRY, app_name=service)
    return (metrics, KafkaTelemetryMiddleware(), LogContext) if traces_are_sent() else (metrics, LogContext)


def trace_headers(fetched: Sequence[Any]) -> list[dict[str, str]]:
    """The headers that link a batch's span to the spans of its messages; none while no traces are sent.

    Args:
        fetched: the records as the client has them; a header that is null is left out, as are bytes beyond ASCII.

    FastStream links one span for each correlation id and none for a record without it, so such a record gets its place
    in the batch for one.
    """
    if not traces_are_sent():
        return []
    names = {"traceparent": "traceparent", "tracestate": "tracestate", "ce_correlationid": "correlation_id"}
    return [
        {"correlation_id": str(index)}
        | {names[name]: value.decode("ascii", "ignore") for name, value in record.headers if name in names and value}
        for index, record in enumerate(fetched)
    ]


class LogContext(BaseMiddleware[Any, Any]):
    """Binds the topic and the size of the batch to every log line that comes of it."""

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        """Handle one batch with the context bound."""
        fetched = msg.raw_message
        with structlog.contextvars.bound_contextvars(topic=fetched[0].topic, records=len(fetched)):
            return await call_next(msg)
