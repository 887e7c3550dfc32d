"""When a topic prefix is set: every topic and group has it, and installations share a broker unseen (X1, §10.16)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.messaging.ear import new_name
from tests.messaging.test_when_topics_are_created import contracts
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.topic_prefix import PrefixedIntake, PrefixedTransport
from trunkline.messaging.kafka.topics import create_topics
from trunkline.messaging.records import IncomingRecord, OutgoingRecord
from trunkline.settings import SettingsError, load_settings


async def test_then_every_topic_is_created_under_it(settings: KafkaSettings) -> None:
    """§10.16: the topics of one prefix say nothing about those of another."""
    prefix = new_name("staging") + "."
    prefixed = replace(settings, topic_prefix=prefix)
    made = await create_topics(prefixed, contracts(), partitions=1)
    assert all(result.name.startswith(prefix) for result in made)
    assert {"DeadLetters", "NumberState", "ExtensionState"} <= {result.name.removeprefix(prefix) for result in made}
    assert {result.action for result in made} == {"created"}
    assert prefixed.group("numbers") == f"{prefix}trunkline-numbers"
    assert settings.group("numbers") == "trunkline-numbers"


async def test_then_pages_leave_with_it_and_records_enter_without_it() -> None:
    """§10.16: handlers, dead letters and views know topics by their own names."""
    sent: list[OutgoingRecord] = []
    taken: list[IncomingRecord] = []

    class Transport:
        has_topics = True

        async def send_page(self, page: Any) -> None:
            sent.extend(page)

    class Intake:
        def positions(self, sources: Any) -> dict[str, int]:
            return dict.fromkeys(sources, 7)

        def accept(self, records: Any) -> int:
            taken.extend(records)
            return len(records)

    await PrefixedTransport(Transport(), "b.").send_page([OutgoingRecord("NumberState", b"k", b"v", (), 1)])
    assert sent == [OutgoingRecord("b.NumberState", b"k", b"v", (), 1)]
    intake = PrefixedIntake(Intake(), "b.")  # type: ignore[arg-type]
    intake.accept([IncomingRecord("kafka/c/b.NumberState/0", "b.NumberState", 0, 3, b"k", (), b"v")])
    assert taken == [IncomingRecord("kafka/c/b.NumberState/0", "NumberState", 0, 3, b"k", (), b"v")]
    assert intake.positions(["s"]) == {"s": 7}


def test_then_one_that_no_topic_can_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings: the sentence names variable, value, and what it takes."""
    monkeypatch.setenv("TRUNKLINE_TOPIC_PREFIX", "a b")
    with pytest.raises(SettingsError, match="TRUNKLINE_TOPIC_PREFIX is 'a b'; it takes"):
        load_settings()
