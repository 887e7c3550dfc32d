"""What is said to the services in a run, written by the contracts themselves."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from trunkline.contracts import billing, parties
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.contracts.contract import Contract
from trunkline.messaging.kafka.partitioner import partition_of
from trunkline.messaging.kafka.topics import PARTITIONS
from trunkline.messaging.records import IncomingRecord, OutgoingRecord

PRODUCER = "https://billing.example"


class Ids:
    """Random-looking ids, the same in every run."""

    def __init__(self, seed: int) -> None:
        self._bits = random.Random(seed).getrandbits

    def __call__(self) -> str:
        """The next one."""
        return str(UUID(int=self._bits(128), version=4))


def said(contract: Contract, ids: Ids, subject: str, at: datetime, sequence: int | None, data: Any) -> OutgoingRecord:
    """One event of a foreign producer, as a record to send."""
    headers, value = encode(
        contract,
        id=ids(),
        source=PRODUCER,
        subject=subject,
        time=at,
        sequence=sequence,
        correlation_id=None,
        causation_id=None,
        data=data,
    )
    return OutgoingRecord(contract.topic, subject.encode(), value, headers, 0)


def billed(fact: str, ids: Ids, at: datetime, sequence: int, data: billing.Fact) -> OutgoingRecord:
    """One fact of billing: `fact` is `started`, `expired`, …"""
    contract = billing.CONTRACTS[f"billing.subscription.{fact}"]
    return said(contract, ids, data.subscription_id, at, sequence, data)


def party(kind: str, ids: Ids, at: datetime, data: Any) -> OutgoingRecord:
    """A party becomes known: `kind` is `partner` or `organization`."""
    return said(parties.CONTRACTS[f"party.{kind}.registered"], ids, getattr(data, f"{kind}_id"), at, 1, data)


def heard(outgoing: Iterable[OutgoingRecord], cluster: str) -> list[IncomingRecord]:
    """The same records as a consumer of the topics has them: each partition with its own offsets."""
    offsets: Counter[tuple[str, int]] = Counter()
    records = []
    for o in outgoing:
        partition = partition_of(o.key or b"", PARTITIONS)
        offset = offsets[o.topic, partition]
        offsets[o.topic, partition] += 1
        source = f"kafka/{cluster}/{o.topic}/{partition}"
        records.append(IncomingRecord(source, o.topic, partition, offset, o.key, tuple(o.headers), o.value))
    return records
