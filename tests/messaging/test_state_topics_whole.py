"""When a state topic lacks what is so: numbers from before the broker, lost records, unknown subjects (X1, §10.16)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from tests.http.world import created
from tests.messaging.test_installation import declare, ground
from tests.operate.home import Home, at_home
from trunkline.cli.doctor.state_topics import contents_checks
from trunkline.messaging.compacted_topics.fill import Contents, Filled, is_filled, read_contents
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.runtime.compacted_topics import fill_states
from trunkline_numbers.wiring import service as numbers


async def contents(home: Home, kafka: KafkaSettings) -> Contents:
    return (await read_contents(kafka, kafka.topic("NumberState")))[0]


async def until_filled(home: Home, kafka: KafkaSettings) -> None:
    """Until the start has compared the topics, as it does by itself."""
    for runtime in (home.inventory, home.licensing):
        while not all([await is_filled(kafka, runtime.store, topic) for topic in runtime.service.states]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def verdicts(done: list[Filled], missing: int = 0) -> dict[str, str]:
    topics = [
        {name: getattr(each, name) for name in ("topic", "subjects", "on_topic", "sent", "tombstones", "ahead")}
        for each in done
    ]
    return {c.what: c.verdict for c in contents_checks("numbers", {"topics": topics, "missing_up_to": missing})}


async def test_then_the_start_and_the_command_fill_it(
    settings: KafkaSettings, tmp_path: Path, new_database: Any
) -> None:
    """X1, O7: history from before the broker, a lost key, an unknown key; the keys are counted on both sides."""
    there = await ground(settings, tmp_path, new_database)
    more: dict[str, Any] = {"kafka_bootstrap": there.kafka.bootstrap, "topic_prefix": there.kafka.topic_prefix}
    urls = there.urls["licensing"], there.urls["numbers"]
    async with at_home(tmp_path, *urls) as home:
        some = home.numbers(3)
        created(await home.add(*some))
        created(await home.admin.post(f"/numbers/{some[2]}/delete", {"reason": "faulty", "remark": "no tone"}))
        alive = {key for (key,) in home.inventory.store.fetch("SELECT key FROM number_view WHERE state <> 'deleted'")}
    async with at_home(tmp_path, *urls, **more) as home:
        await until_filled(home, there.kafka)
        assert alive <= {key for key, (_, there_is) in (await contents(home, there.kafka)).items() if there_is}
        before = home.inventory.store.fetch("SELECT missing_up_to FROM brokers")[0][0]
        assert before > 0
        # Somebody writes what was never so, and takes away what is.
        async with AIOKafkaProducer(bootstrap_servers=there.kafka.bootstrap) as producer:
            name = there.kafka.topic("NumberState")
            headers = [("ce_sequence", b"3")]
            await producer.send_and_wait(name, key=some[0].encode(), value=None, headers=headers, partition=0)
            await producer.send_and_wait(name, key=b"+6500000000", value=b"{}", headers=headers, partition=0)
        (looked,) = await fill_states(home.inventory, there.kafka, dry_run=True)
        assert (looked.ahead, looked.tombstones, looked.whole) == (1, 1, False)
        assert verdicts([looked], before) == {"NumberState": "wrong", "event topics": "look"}
    declare(there.urls["numbers"], numbers())
    async with at_home(tmp_path, *urls, **more) as home:
        await until_filled(home, there.kafka)
        found = await contents(home, there.kafka)
        assert found[some[0]][1]
        assert not found["+6500000000"][1]
        assert all(sequence >= 10**12 for sequence, there_is in found.values() if there_is), "a new epoch leads"
        (again,) = await fill_states(home.inventory, there.kafka)
        assert again.whole
        assert again.subjects == again.on_topic
        assert verdicts([again])["NumberState"] == "good"


@pytest.mark.parametrize("field", ["sent", "tombstones", "ahead"])
def test_then_doctor_names_what_fills_it(field: str) -> None:
    """O7: a difference is never called good, and each has its command."""
    counts = dict.fromkeys(("subjects", "on_topic", "sent", "tombstones", "ahead"), 0) | {field: 2}
    (check, _) = contents_checks("numbers", {"topics": [{"topic": "NumberState"} | counts], "missing_up_to": 0})
    assert check.verdict == "wrong"
    assert ("restored" if field == "ahead" else "topics refill") in check.remedy
