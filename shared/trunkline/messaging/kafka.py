"""How to reach a Kafka cluster, and which cluster it is.

aiokafka is used directly: with a raw parser and decoder FastStream adds nothing that is used here, hands a batch over
no sooner, and its defaults lose records (DECISIONS 1). `producer`, `consumer` and `topics` are the only users.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

if TYPE_CHECKING:
    from trunkline.settings import Settings

REQUEST_MS: Final = 20_000
"""How long the cluster may take to answer, a write that all replicas must have included."""

METADATA_MS: Final = 30_000
"""How old may be what is known of the cluster: a topic, a partition or a broker that is new is seen this soon."""

_CLOSE_SECONDS: Final = 0.5
_START_SECONDS: Final = 5.0

AWAY: Final = (KafkaError, OSError, TimeoutError)
"""What a client raises while the cluster is away, half there or not as it must be: worth another try."""


@dataclass(frozen=True)
class KafkaSettings:
    """Where the cluster is and how to come in.

    Attributes:
        bootstrap: `host:port`, several with commas between.
        security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, where the protocol has SASL.
        ca_file: PEM certificates to trust; None trusts the system's, where the protocol has SSL.
        topic_prefix: before the name of every topic and group: several installations can share a cluster.
    """

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    topic_prefix: str = ""

    @classmethod
    def of(cls, settings: Settings) -> KafkaSettings | None:
        """The same out of the service's settings; None means the local transport."""
        if settings.kafka_bootstrap is None:
            return None
        password = settings.kafka_password
        return cls(
            settings.kafka_bootstrap,
            settings.kafka_security_protocol,
            settings.kafka_sasl_mechanism,
            settings.kafka_username,
            None if password is None else password.get_secret_value(),
            settings.kafka_ca_file,
            settings.topic_prefix,
        )

    def topic(self, name: str) -> str:
        """The name that a contract's topic has on the cluster."""
        return self.topic_prefix + name

    def group(self, service: str) -> str:
        """The consumer group of a service, which its copies share."""
        return f"{self.topic_prefix}trunkline-{service}"

    def options(self) -> dict[str, Any]:
        """What every aiokafka client takes."""
        _hush()
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "request_timeout_ms": REQUEST_MS,
            "metadata_max_age_ms": METADATA_MS,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = create_ssl_context(cafile=self.ca_file and str(self.ca_file))
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism or "PLAIN"
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options


@asynccontextmanager
async def admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrative client for the time of the block. Raises one of AWAY when no broker answers."""
    client = AIOKafkaAdminClient(**settings.options())
    try:
        await start_client(client)
        yield client
    finally:
        await client.close()


async def start_client(client: AIOKafkaAdminClient | AIOKafkaConsumer) -> None:
    """Start a client; a caller that is cancelled meanwhile ends only when the client has started or failed.

    aiokafka (0.14) leaves its first connection open where it is cancelled in between.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting}, timeout=_START_SECONDS)
        raise


async def cluster_id(settings: KafkaSettings) -> str:
    """The cluster's own id: part of the name that a position is kept under. Raises one of AWAY."""
    async with admin(settings) as client:
        described = await client.describe_cluster()
    found: str = described["cluster_id"]
    return found


async def ended(closing: Coroutine[Any, Any, object], seconds: float) -> bool:
    """Let a client's closing run for so long; whether it came to its end.

    aiokafka's clients raise whatever their tasks raise when they are closed in the middle of an outage, cancellation
    too, and leave the rest open.
    """
    task = asyncio.create_task(closing)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=seconds)
    return task.done() and not task.cancelled() and task.exception() is None


async def close_consumer(client: AIOKafkaConsumer, seconds: float) -> None:
    """Close a consumer, and have it leave its group; a broker that takes longer than `seconds` is not waited for."""
    if not await ended(client.stop(), seconds):
        # `stop` cannot be called twice, and what it had not come to would go on fetching.
        if client._fetcher is not None:
            await ended(client._fetcher.close(), _CLOSE_SECONDS)
        await ended(client._client.close(), _CLOSE_SECONDS)


def source_name(cluster: str, topic: str, partition: int) -> str:
    """The name that a partition's position is kept under."""
    return f"kafka/{cluster}/{topic}/{partition}"


def _hush() -> None:
    """Keep the client's own log from a line per try while a broker is away; `Reach` says it once.

    Whoever wants to read it sets the level of the logger `aiokafka`.
    """
    logger = logging.getLogger("aiokafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
