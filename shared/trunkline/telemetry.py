"""What operators watch: counters and gauges for Prometheus, traces over OTLP where an endpoint is set.

One span and a few counts a batch, never one a message: what is watched must not be what takes the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

MESSAGES_RECEIVED: Final = Counter("trunkline_messages_heard", "Messages taken from topics", ("service", "outcome"))
BATCH_SECONDS: Final = Histogram(
    "trunkline_intake_batch_seconds",
    "From a batch in hand to its commit",
    ("service",),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
EVENTS_PUBLISHED: Final = Counter(
    "trunkline_events_published", "Events acknowledged by all topics they go to", ("service",)
)
SETTLED: Final = Counter("trunkline_deadlines_settled", "Due streams settled", ("service",))
FAILED_TRIES: Final = Counter("trunkline_failed_tries", "Tries of single items that failed, by kind of loop", ("loop",))
LOOP_FAILURES: Final = Counter("trunkline_loop_failures", "Failures of whole loops", ("service", "loop"))
FAILED_ITEMS: Final = Gauge("trunkline_failed_items", "Items set aside, by kind of loop", ("service", "loop"))
LOG_END: Final = Gauge("trunkline_log_end", "Position of the last event in the store's log", ("service",))
RELAY_AT: Final = Gauge("trunkline_relay_position", "Log position up to which everything is published", ("service",))
VIEWS_AT: Final = Gauge("trunkline_views_position", "Log position that every active view has reached", ("service",))
DEAD_LETTERS: Final = Gauge("trunkline_dead_letters", "Dead letters that nobody has retried or discarded", ("service",))
CONFLICTS: Final = Gauge(
    "trunkline_conflicting_duplicates", "Other contents under a known event id that nobody has settled", ("service",)
)
WAITING: Final = Gauge(
    "trunkline_facts_waiting", "Facts that wait for an organization or the start of a subscription", ("service",)
)
OVERDUE: Final = Gauge("trunkline_deadlines_overdue", "Deadlines that are due and not settled yet", ("service",))
OVERDUE_SECONDS: Final = Gauge(
    "trunkline_deadlines_overdue_seconds",
    "Seconds since the oldest of them was due; 0 where there is none",
    ("service",),
)
MAIL: Final = Gauge("trunkline_mail", "Mails that are not sent, by state", ("service", "state"))
DATABASE_BYTES: Final = Gauge("trunkline_database_bytes", "Size of the service's database", ("service",))
DISK_FREE: Final = Gauge(
    "trunkline_disk_free_bytes", "Free bytes where the home or the database is", ("service", "what")
)
DISK_TOTAL: Final = Gauge("trunkline_disk_total_bytes", "Size of the same file system", ("service", "what"))

_tracer = trace.get_tracer("trunkline")


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """A span around a piece of work; costs about a microsecond while no endpoint is set."""
    with _tracer.start_as_current_span(name, attributes=attributes):
        yield


def traces_are_sent() -> bool:
    """Whether an endpoint takes the spans of this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def start_traces(endpoint: str | None, services: str) -> Callable[[], None]:
    """Send traces to an OTLP/HTTP endpoint from here on.

    Args:
        endpoint: such as `http://collector:4318`, to which `/v1/traces` is added; None sends none.
        services: the names of the services in this process.

    Returns:
        What to call at the end, so that nothing is lost.
    """
    if endpoint is None:
        return lambda: None
    # Only whoever sends traces pays for loading what sends them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider: TracerProvider = TracerProvider(resource=Resource.create({"service.name": f"trunkline-{services}"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider.shutdown
