"""A broker that is away is one line in the log of a process, whichever of its clients notices (O7)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from trunkline.availability import cluster_availability
from trunkline.installation.admission import admit
from trunkline.messaging.kafka.client import KafkaSettings, absence
from trunkline.messaging.kafka.consumer import TopicsMissing
from trunkline.messaging.retry import Reach


def test_then_all_clients_of_a_cluster_share_its_line() -> None:
    """O7: one line when it goes, one when the last client reaches it again, with the tries of between."""
    cluster = cluster_availability("127.0.0.1:1")
    producer, consumer = Reach(cluster, "producer"), Reach(cluster, "consumer of numbers")
    with capture_logs() as lines:
        for _ in range(20):
            producer.lost(OSError("refused"))
            consumer.lost(OSError("refused"))
        producer.back()
        assert (producer.is_available, consumer.is_available) == (True, False)
        consumer.back()
    assert [line["log_level"] for line in lines] == ["warning", "info"]
    assert lines[0]["what"] == "Kafka at 127.0.0.1:1"
    assert lines[1]["failed_tries"] == 40


async def test_then_a_start_that_waits_for_its_broker_is_in_that_line() -> None:
    """O7, O8: however often it tries; in words, without what the client says of addresses."""
    settings, away = KafkaSettings("127.0.0.1:1"), asyncio.Event()
    node: Any = SimpleNamespace(name="numbers", store=SimpleNamespace(url="unused"))
    tries = 0

    async def fail(_node: object, _kafka: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise KafkaConnectionError("Unable to bootstrap from [('127.0.0.1', 1, <AddressFamily.AF_INET: 2>)]")

    with pytest.MonkeyPatch.context() as patch, capture_logs() as lines:
        patch.setattr("trunkline.installation.admission._admit", fail)
        await admit([node], settings, away)
    assert away.is_set()
    assert [line["event"].partition(";")[0] for line in lines] == ["out of reach", "in reach again"]
    assert lines[0]["why"] == "no broker answers at its address"
    assert lines[1]["failed_tries"] == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KafkaConnectionError("[<AddressFamily.AF_INET: 2>]"), "no broker answers at its address"),
        (TopicsMissing("no such topics: a"), "TopicsMissing: no such topics: a"),
        (OSError("refused"), "OSError: refused"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_then_the_cause_is_in_words(error: Exception, said: str) -> None:
    """O7: what is missing is named once."""
    assert absence(error) == said


def test_then_a_client_that_ends_keeps_nobody_waiting() -> None:
    """O7: the cluster counts as back when all clients that are left reach it."""
    cluster = cluster_availability("127.0.0.1:2")
    first, second = Reach(cluster, "producer"), Reach(cluster, "producer")
    first.lost("refused")
    second.lost("refused")
    second.back()
    assert not cluster.available
    first.end()
    assert cluster.available
