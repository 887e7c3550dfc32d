"""When FastStream hands batches over: what its middlewares record of them, in metrics, spans and the log.

FastStream's test broker stands in for Kafka: it goes through parser, decoder, middlewares and handler, and knows no
offsets, partitions or rebalances.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import structlog
from faststream.kafka import KafkaBroker, TestKafkaBroker
from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY

from tests.messaging.ear import new_name
from trunkline.messaging.kafka import instrumentation, membership
from trunkline.messaging.kafka.instrumentation import middlewares, trace_headers

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Contexts = list[dict[str, Any]]


async def handled(
    service: str,
    topic: str,
    batches: Sequence[Sequence[Any]],
    headers: dict[str, str] | None = None,
    error: Exception | None = None,
) -> Contexts:
    """Hand batches to a handler as a membership does; the context of the log in each call."""
    contexts: Contexts = []
    broker = KafkaBroker(middlewares=middlewares(service), apply_types=False)

    async def handle(_records: Any) -> None:
        contexts.append(structlog.contextvars.get_contextvars())
        if error is not None:
            raise error

    broker.subscriber(topic, batch=True, parser=membership._unparsed, decoder=membership._records)(handle)
    async with TestKafkaBroker(broker):
        for batch in batches:
            await broker.publish_batch(*batch, topic=topic, headers=headers)
    return contexts


def metric(name: str, service: str, topic: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(
        f"faststream_{name}", {"app_name": service, "broker": "kafka", "handler": topic, **labels}
    )


async def test_then_metrics_count_messages_by_service_and_topic() -> None:
    """README: `faststream_received_…`; a batch counts its messages, and a handler that raises is an error."""
    service, topic = new_name("service"), new_name("topic")
    await handled(service, topic, [[b"1", b"2", b"3"], [b"4"]])
    assert metric("received_messages_total", service, topic) == 4
    assert metric("received_processed_messages_total", service, topic, status="acked") == 4
    assert metric("received_messages_in_process", service, topic) == 0
    with pytest.raises(LookupError):
        await handled(service, topic, [[b"5"]], error=LookupError("of our own"))
    assert metric("received_processed_messages_exceptions_total", service, topic, exception_type="LookupError") == 1
    assert metric("received_messages_in_process", service, topic) == 0


async def test_then_each_line_of_the_log_names_topic_and_size() -> None:
    """What a batch logs can be found; nothing of it is left behind for the next one."""
    topic = new_name("topic")
    assert await handled("licensing", topic, [[b"1", b"2"], [b"3"]]) == [
        {"topic": topic, "records": 2},
        {"topic": topic, "records": 1},
    ]
    assert structlog.contextvars.get_contextvars() == {}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Traces are sent, into a list."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = partial(KafkaTelemetryMiddleware, tracer_provider=provider)
    monkeypatch.setattr(instrumentation, "KafkaTelemetryMiddleware", telemetry)
    monkeypatch.setattr(instrumentation, "traces_are_sent", lambda: True)
    return exporter


@pytest.mark.parametrize(
    ("headers", "links"), [({"ce_correlationid": "one"}, 1), ({}, 2)], ids=["one correlation id", "none"]
)
async def test_then_a_span_of_the_batch_links_to_those_of_its_messages(
    spans: InMemorySpanExporter, headers: dict[str, str], links: int
) -> None:
    """A batch has many causes: links, not one parent; also to what a foreign producer sends without correlation ids."""
    topic = new_name("topic")
    await handled("licensing", topic, [[b"1", b"2"]], headers)
    made = spans.get_finished_spans()
    (sent,) = (span for span in made if span.name == f"{topic} create" and span.kind == SpanKind.PRODUCER)
    (received,) = (span for span in made if span.name == f"{topic} create" and span.kind == SpanKind.CONSUMER)
    (processed,) = (span for span in made if span.name == f"{topic} process")
    assert [link.context.span_id for link in received.links] == [sent.context.span_id] * links
    assert processed.parent is not None
    assert processed.parent.span_id == received.context.span_id
    assert processed.attributes is not None
    assert processed.attributes["messaging.batch.message_count"] == 2


class Fetched:
    """A record as the client has it, so far as its headers go."""

    def __init__(self, *headers: tuple[str, bytes | None]) -> None:
        self.headers = headers


@pytest.mark.usefixtures("spans")
def test_then_a_header_that_is_null_or_in_other_bytes_links_to_nothing() -> None:
    """X6: nothing of a foreign record keeps its batch from being handled."""
    fetched = [
        Fetched(("traceparent", PARENT.encode()), ("ce_correlationid", b"one"), ("other", b"\xff")),
        Fetched(("traceparent", None), ("tracestate", b"\xff=1")),
        Fetched(),
    ]
    assert trace_headers(fetched) == [
        {"traceparent": PARENT, "correlation_id": "one"},
        {"tracestate": "=1", "correlation_id": "1"},
        {"correlation_id": "2"},
    ]


def test_then_no_header_is_read_while_no_traces_are_sent() -> None:
    """Traces cost nothing where nobody takes them."""
    assert trace_headers([Fetched(("traceparent", PARENT.encode()))]) == []
