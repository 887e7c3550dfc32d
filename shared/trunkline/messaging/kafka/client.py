"""How to reach a Kafka cluster, and which cluster it is.

Subscribers run on FastStream; the producer, the administration and reads outside a group use its client, aiokafka,
directly (decision 1). Only public names of both are used (decision 46).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.helpers import create_ssl_context
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from trunkline.messaging.kafka.client_lifetime import started

if TYPE_CHECKING:
    from trunkline.settings import Settings

REQUEST_MS: Final = 20_000
"""How long the cluster may take to answer, a write that all replicas must have included."""

METADATA_MS: Final = 30_000
"""How old may be what is known of the cluster: a topic, a partition or a broker that is new is seen this soon."""

AWAY: Final = (KafkaError, OSError, TimeoutError)
"""What a client raises while the cluster is away, half there or not as it must be: worth another try."""

_SASL: Final = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


def absence(error: Exception) -> str:
    """Why a cluster is away, one of AWAY as one line for people: the client's own shows Python's objects."""
    if isinstance(error, KafkaConnectionError):
        return "no broker answers at its address"
    return str(error) if isinstance(error, KafkaError) else f"{type(error).__name__}: {error}".rstrip(": ")


@dataclass(frozen=True)
class KafkaSettings:
    """Where the cluster is and how to come in.

    Attributes:
        bootstrap: `host:port`, several with commas between; `[::1]:9092` for an IPv6 address.
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
        options = self._connection() | {"security_protocol": self.security_protocol}
        if (context := self._ssl_context()) is not None:
            options["ssl_context"] = context
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism or "PLAIN"
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options

    def broker_options(self) -> dict[str, Any]:
        """What FastStream's `KafkaBroker` takes."""
        context = self._ssl_context()
        security: BaseSecurity | None = None
        if self.security_protocol.startswith("SASL"):
            mechanism = _SASL[self.sasl_mechanism or "PLAIN"]
            security = mechanism(self.username or "", self.password or "", ssl_context=context)
        elif context is not None:
            security = BaseSecurity(ssl_context=context)
        return self._connection() | {"security": security}

    def _connection(self) -> dict[str, Any]:
        _silence_clients()
        return {
            "bootstrap_servers": [address.strip() for address in self.bootstrap.split(",")],
            "request_timeout_ms": REQUEST_MS,
            "metadata_max_age_ms": METADATA_MS,
        }

    def _ssl_context(self) -> ssl.SSLContext | None:
        if not self.security_protocol.endswith("SSL"):
            return None
        context: ssl.SSLContext = create_ssl_context(cafile=self.ca_file and str(self.ca_file))
        return context


@asynccontextmanager
async def admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An administrative client for the time of the block. Raises one of AWAY when no broker answers."""
    client = AIOKafkaAdminClient(**settings.options())
    async with started(client, client.close):
        yield client


async def cluster_id(settings: KafkaSettings) -> str:
    """The cluster's own id: part of the name that a position is kept under. Raises one of AWAY."""
    async with admin(settings) as client:
        described = await client.describe_cluster()
    found: str = described["cluster_id"]
    return found


def source_name(cluster: str, topic: str, partition: int) -> str:
    """The name that a partition's position is kept under."""
    return f"kafka/{cluster}/{topic}/{partition}"


def _silence_clients() -> None:
    """Keep the client's own log from a line per try while a broker is away; `Reach` logs each change once.

    Whoever wants to read it sets the level of the logger `aiokafka`.
    """
    logger = logging.getLogger("aiokafka")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
