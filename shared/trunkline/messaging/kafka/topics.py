"""The topics of both services: created where missing, compared where they exist, never changed or removed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from trunkline.contracts import dead_letters
from trunkline.contracts.cloudevents.message import MAX_VALUE_BYTES
from trunkline.contracts.contract import Contract
from trunkline.messaging.kafka.client import KafkaSettings, admin

INSTALLATION_TOPIC: Final = "TrunklineInstallation"
"""Has on record which installation a broker belongs to; see `topic.py`."""

STATE_TOPICS: Final = ("NumberState", "ExtensionState")
"""Compacted: the newest record of each key is kept for ever."""

PARTITIONS: Final = 4
"""Two copies of a service share them evenly, and so do four. A store takes one writer at a time, and each partition
more costs every fetch (measured at rest: 0.7 ms a hop between six and three)."""
_REPLICATION: Final = 3

_SEEN_SECONDS: Final = 30.0
_CLEANUP: Final = "cleanup.policy"
_MOST_BYTES: Final = "max.message.bytes"
_IN_SYNC: Final = "min.insync.replicas"
# What is one byte too large for us must arrive to be parked; what was parked gets more headers on its way out.
_HEARD_BYTES: Final = 2 * MAX_VALUE_BYTES
_DEAD_LETTER_BYTES: Final = 4 * MAX_VALUE_BYTES

Action = Literal["created", "missing", "as wanted", "differs"]


@dataclass(frozen=True)
class TopicResult:
    """What was found or done about one topic.

    Attributes:
        action: `created`; `missing` in a dry run; `as wanted`; `differs`: it exists and was left as it is.
        detail: what it has, and what it should have where that differs.
    """

    name: str
    action: Action
    detail: str


class TopicRefused(Exception):
    """The cluster refused to create a topic; the message says which and why."""


def installation_topic(kafka: KafkaSettings, replication: int) -> NewTopic:
    """The topic as it is created."""
    configs = {"cleanup.policy": "compact"} | ({"min.insync.replicas": "2"} if replication >= 3 else {})
    return NewTopic(
        kafka.topic(INSTALLATION_TOPIC), num_partitions=1, replication_factor=replication, topic_configs=configs
    )


async def create_topics(
    settings: KafkaSettings,
    contracts: Iterable[Contract],
    *,
    partitions: int = PARTITIONS,
    replication: int | None = None,
    dry_run: bool = False,
) -> list[TopicResult]:
    """Create what is missing of the topics that the contracts name, DeadLetters, the states', the installation's.

    Args:
        settings: the cluster.
        contracts: all of both services, what they hear and what they say.
        partitions: of each topic; one number for all, so that one subject lies in the same one everywhere.
        replication: copies of each; None: 3, or as many as there are brokers where there are fewer.
        dry_run: only tell.

    Returns:
        One result for each topic, by name.

    Raises:
        TopicRefused: see there.
        KafkaError, OSError, TimeoutError: the cluster cannot be reached.
    """
    async with admin(settings) as client:
        brokers = len((await client.describe_cluster())["brokers"])
        copies = replication or min(_REPLICATION, brokers)
        wanted = _wanted(settings, contracts, partitions, copies)
        there = await _there(client, wanted)
        missing = [topic for name, topic in wanted.items() if name not in there]
        if missing and not dry_run:
            await _create(client, missing)
        configured = await _configured(client, there)
    results = [_compared(wanted[name], there[name], configured[name]) for name in there]
    results += [_missing(topic, dry_run=dry_run) for topic in missing]
    return sorted(results, key=lambda result: result.name)


def _wanted(
    kafka: KafkaSettings, contracts: Iterable[Contract], partitions: int, replication: int
) -> dict[str, NewTopic]:
    configs: dict[str, dict[str, str]] = {}
    for contract in contracts:
        of_topic = configs.setdefault(contract.topic, {})
        if contract.direction == "heard":
            of_topic[_MOST_BYTES] = str(_HEARD_BYTES)
    configs[dead_letters.TOPIC] = {_MOST_BYTES: str(_DEAD_LETTER_BYTES)}
    for name in STATE_TOPICS:
        configs[name] = {_CLEANUP: "compact"}
    for of_topic in configs.values():
        of_topic.setdefault(_CLEANUP, "delete")
        if replication >= _REPLICATION:
            of_topic[_IN_SYNC] = "2"  # acknowledged by all means nothing when all may be one
    installation = installation_topic(kafka, replication)
    return {installation.name: installation} | {
        name: NewTopic(name, num_partitions=partitions, replication_factor=replication, topic_configs=of_topic)
        for name, of_topic in ((kafka.topic(contract_topic), configs[contract_topic]) for contract_topic in configs)
    }


async def _create(client: AIOKafkaAdminClient, missing: list[NewTopic]) -> None:
    response = await client.create_topics(missing)
    for name, code, *text in response.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:  # somebody else was faster
            raise TopicRefused(f"topic {name}: {text[0] if text and text[0] else error.description}")
    names = [topic.name for topic in missing]
    async with asyncio.timeout(_SEEN_SECONDS):
        while len(await _there(client, names)) < len(names):  # noqa: ASYNC110 - a broker hears of it a little later
            await asyncio.sleep(0.05)


async def _there(client: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, int]:
    """Those of the topics that exist, and how many partitions each has."""
    return {t["topic"]: len(t["partitions"]) for t in await client.describe_topics() if t["topic"] in names}


async def _configured(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings of existing topics that we care for."""
    requested = {_CLEANUP: None, _MOST_BYTES: None, _IN_SYNC: None}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs=requested) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources) if resources else ():
        for code, text, _, name, entries in response.resources:
            if code != 0:
                raise TopicRefused(f"topic {name}: {text or for_code(code).description}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _compared(wanted: NewTopic, partitions: int, configured: Mapping[str, Any]) -> TopicResult:
    differences = []
    if partitions != wanted.num_partitions:
        differences.append(f"has {partitions} partitions, {wanted.num_partitions} wanted")
    policy, requested = configured.get(_CLEANUP), wanted.topic_configs[_CLEANUP]
    if policy != requested:
        differences.append(f"has {_CLEANUP} {policy}, {requested} wanted")
    for name in (_MOST_BYTES, _IN_SYNC):
        least = wanted.topic_configs.get(name)
        if least is not None and int(configured.get(name, 0)) < int(least):
            differences.append(f"has {name} {configured.get(name)}, at least {least} wanted")
    if differences:
        return TopicResult(wanted.name, "differs", "; ".join(differences))
    return TopicResult(wanted.name, "as wanted", f"{partitions} partitions, {policy}")


def _missing(topic: NewTopic, *, dry_run: bool) -> TopicResult:
    detail = f"{topic.num_partitions} partitions, {topic.replication_factor} copies, {topic.topic_configs[_CLEANUP]}"
    return TopicResult(topic.name, "missing" if dry_run else "created", detail)
