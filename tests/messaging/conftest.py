"""What the tests of the transport share; `ear.py` has the service that listens."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from tests.messaging.ear import create_topic, new_name, prepare
from trunkline.messaging.kafka.client import KafkaSettings


class Broker(Protocol):
    @property
    def bootstrap(self) -> str: ...


NewTopic = Callable[..., Awaitable[str]]


@pytest.fixture
def settings(kafka: Broker) -> KafkaSettings:
    """How to reach the session's broker."""
    return KafkaSettings(kafka.bootstrap)


@pytest.fixture
def new_topic(kafka: Broker) -> NewTopic:
    """`await new_topic(partitions=1, **configs)` creates a topic of this test's own and gives its name."""

    async def create(partitions: int = 1, **configs: str) -> str:
        return await create_topic(kafka.bootstrap, new_name("topic"), partitions, **configs)

    return create


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """A database to listen into."""
    return new_database(prepare)
