"""A broker that is away is one line in the log of a process, whichever of its clients notices (O7)."""

from __future__ import annotations

from structlog.testing import capture_logs

from trunkline.availability import cluster_availability
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
        assert (producer.there, consumer.there) == (True, False)
        consumer.back()
    assert [line["log_level"] for line in lines] == ["warning", "info"]
    assert lines[0]["what"] == "Kafka at 127.0.0.1:1"
    assert lines[1]["failed_tries"] == 40


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
