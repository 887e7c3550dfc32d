"""What operators' commands on topics have in common: a broker that is configured, and that answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from trunkline.errors import Refused
from trunkline.messaging.kafka.client import AWAY, KafkaSettings

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime


class NoBroker(Refused):
    """There is no broker to publish to: the services talk within one process (TRUNKLINE_KAFKA_BOOTSTRAP is not set)."""


class BrokerAway(Refused):
    """The broker does not answer ({error}); nothing was published."""

    status: ClassVar[int] = 503


def configured_broker(runtime: ServiceRuntime) -> KafkaSettings:
    """The broker that a service publishes to.

    Raises:
        NoBroker: it publishes to none.
    """
    found = KafkaSettings.of(runtime.settings)
    if found is None:
        raise NoBroker
    return found


@contextmanager
def refused_while_away() -> Iterator[None]:
    """Refuse what is done within while the broker is away. Raises BrokerAway."""
    try:
        yield
    except AWAY as error:
        raise BrokerAway(error=type(error).__name__) from None
