"""When services over Kafka stop: consuming ends first, the producers stop last (X2, X3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.messaging.test_installation import ground
from tests.operate.home import at_home
from trunkline.eventstore.event_store import Store
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.consumer import Consumer
from trunkline.messaging.kafka.membership import Membership
from trunkline.messaging.kafka.producer import Producer


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was closed, in order; each is on the list once its closing has ended."""
    found: list[str] = []

    def noted(kind: type[Any], name: str, what: Callable[[Any], str]) -> None:
        original = getattr(kind, name)

        async def awaited(self: Any, *args: Any) -> None:
            await original(self, *args)
            found.append(what(self))

        def called(self: Any, *args: Any) -> None:
            original(self, *args)
            found.append(what(self))

        monkeypatch.setattr(kind, name, awaited if asyncio.iscoroutinefunction(original) else called)

    noted(Membership, "end", lambda _: "membership")
    noted(Consumer, "run", lambda _: "consumer")
    noted(Producer, "stop", lambda _: "producer")
    noted(Store, "close", lambda _: "store")
    return found


async def test_then_a_page_in_hand_is_still_delivered(
    settings: KafkaSettings, tmp_path: Path, new_database: Any, closed: list[str]
) -> None:
    """X2, X3: FastStream's subscribers, then the loops and their stores, then the producers that the loops need."""
    there = await ground(settings, tmp_path, new_database)
    more: dict[str, Any] = {"kafka_bootstrap": there.kafka.bootstrap, "topic_prefix": there.kafka.topic_prefix}
    urls = there.urls["licensing"], there.urls["numbers"]
    async with at_home(tmp_path, *urls, **more):
        closed.clear()  # others were started and closed to look at the broker
    consuming, stores, producers = closed[:4], closed[4:6], closed[6:]
    assert sorted(consuming) == ["consumer"] * 2 + ["membership"] * 2
    assert consuming.index("membership") < consuming.index("consumer")
    assert stores == ["store"] * 2
    assert producers == ["producer"] * 2
