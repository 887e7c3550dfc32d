"""Copies of a service that share its topics: each a process that hears the partitions a group would give it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier

from bench.world import BATCH
from trunkline.application import tune_interpreter
from trunkline.eventstore.event_store import Store
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord
from trunkline_numbers.wiring import service as numbers_service

_PATIENCE_SECONDS = 120


def hear_in_copies(url: str, records: Sequence[IncomingRecord], copies: int) -> float:
    """Let several copies of numbers hear records.

    Args:
        url: the database that they share.
        records: as one consumer would have them; each copy is given some of their partitions.
        copies: how many.

    Returns:
        Seconds from when all are ready until the last one is done.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(copies + 1)
    shares = [[record for record in records if record.partition % copies == copy] for copy in range(copies)]
    processes = [context.Process(target=_hear, args=(url, share, barrier)) for share in shares]
    for process in processes:
        process.start()
    barrier.wait(_PATIENCE_SECONDS)
    begun = time.perf_counter()
    barrier.wait(_PATIENCE_SECONDS)
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()
    return seconds


def _hear(url: str, records: Sequence[IncomingRecord], barrier: Barrier) -> None:
    tune_interpreter()
    service = numbers_service()
    store = Store(url, service.codec())
    intake = Inbox(store, service, lambda: datetime.now(UTC))
    intake.positions({record.source for record in records})
    barrier.wait(_PATIENCE_SECONDS)
    for start in range(0, len(records), BATCH):
        intake.accept(records[start : start + BATCH])
    barrier.wait(_PATIENCE_SECONDS)
    store.close()
