"""Three bare hops with two commits between them: what no service over Kafka and PostgreSQL can be quicker than.

Client → topic 0 → (commit) → topic 1 → (commit) → topic 2 → client; nothing is decoded or decided. Each of the two in
the middle is a process of its own: `python -m bench.baselines.bare_hops DATABASE BOOTSTRAP FROM TO`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import psycopg
from aiokafka import AIOKafkaProducer

from bench.servers import Databases
from bench.services import Process
from bench.topics import create, listening

TOPICS = ("bare.0", "bare.1", "bare.2")


async def run(url: str, bootstrap: str, heard: str, said: str) -> None:
    """Hear, commit a row, say; until cancelled."""
    with psycopg.connect(url, autocommit=True) as conn:
        async with (
            listening(bootstrap, heard) as consumer,
            AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0) as producer,
        ):
            print("ready", flush=True)
            async for record in consumer:
                conn.execute("INSERT INTO hop VALUES (%s, %s)", (record.key, record.value))
                await producer.send(said, key=record.key, value=record.value, headers=list(record.headers))


@contextmanager
def bare_hops(databases: Databases, bootstrap: str) -> Iterator[tuple[Process, ...]]:
    """Start both hops, and stop them at the end."""
    asyncio.run(create(bootstrap, *TOPICS))
    url = databases.create()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE hop (key bytea, value bytea)")
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-bare-")))
        processes = []
        for heard, said in pairwise(TOPICS):
            process = Process(["-m", "bench.baselines.bare_hops", url, bootstrap, heard, said], folder)
            running.callback(process.stop)
            process.wait_for("ready")
            processes.append(process)
        yield tuple(processes)
    databases.drop(url)


async def _main(*arguments: str) -> None:
    task = asyncio.ensure_future(run(*arguments))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
