"""Three hops through plain FastStream handlers with two commits between them: what a user of FastStream would have.

Client → a billing topic → (commit) → a topic of licensing → (commit) → a topic of numbers → client. Each of the two in
the middle is a process of its own: `python -m bench.baselines.plain_hops SERVICE DATABASE BOOTSTRAP`. It subscribes to
as many topics and partitions as the service of that name; FastStream's options have their defaults, but for batches,
and for a producer that is as safe as ours.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.servers import Databases
from bench.services import NAMES, Process
from bench.topics import create
from trunkline.service_definition import installed_services

PREFIX = "plain."
FIRST, LAST = PREFIX + "BillingSubscriptionEvents", PREFIX + "NumberReserved"
HOPS = {"licensing": (FIRST, PREFIX + "SubscriptionExpired"), "numbers": (PREFIX + "SubscriptionExpired", LAST)}
BATCH = 1_000
_LOOK_SECONDS = 0.02


def consumed(service: str) -> list[str]:
    """This baseline's own topics in place of those that a service consumes."""
    handlers = installed_services()[service].message_handlers
    return sorted({PREFIX + topic for handler in handlers for topic in handler.topics})


async def run(service: str, url: str, bootstrap: str) -> None:
    """Consume batches, commit a row for each record, publish; until the process is to end."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    source, target = HOPS[service]
    broker = KafkaBroker(bootstrap, acks="all", enable_idempotence=True)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        subscriber = broker.subscriber(
            *consumed(service), batch=True, max_records=BATCH, group_id=PREFIX + service, auto_offset_reset="earliest"
        )

        @subscriber
        async def forward(bodies: list[Any], message: KafkaMessage) -> None:
            records = zip(message.raw_message, bodies, strict=True)
            chosen = [(record.key, record.value, body) for record, body in records if record.topic == source]
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany("INSERT INTO hop VALUES (%s, %s)", [(key, value) for key, value, _ in chosen])
            await asyncio.gather(*(broker.publish(body, target, key=key) for key, _, body in chosen))

        async with broker:
            await broker.start()
            while subscriber.consumer is None or not subscriber.consumer.assignment():  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_SECONDS)
            print("ready", flush=True)
            await ending.wait()


@contextmanager
def plain_hops(databases: Databases, bootstrap: str) -> Iterator[tuple[Process, ...]]:
    """Start both hops, and stop them at the end."""
    topics = {topic for name in NAMES for topic in consumed(name)} | {LAST}
    asyncio.run(create(bootstrap, *sorted(topics)))
    url = databases.create()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE hop (key bytea, value bytea)")
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-plain-")))
        processes = []
        for name in NAMES:
            process = Process(["-m", "bench.baselines.plain_hops", name, url, bootstrap], folder)
            running.callback(process.stop)
            process.wait_for("ready")
            processes.append(process)
        yield tuple(processes)
    databases.drop(url)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
