"""The servers that a run uses: PostgreSQL out of the wheel, Kafka on the JDK, both in a temporary folder."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from deploy.local_servers.broker import LocalBroker, libs_folder
from trunkline.embedded_postgres.server import EmbeddedPostgres
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.kafka.topics import PARTITIONS, create_topics
from trunkline.service_definition import installed_services
from trunkline.settings import load_settings

__all__ = ["PARTITIONS", "Databases", "kafka", "kafka_version", "postgres"]


class Databases:
    """Databases on one server, made fresh or as copies of one that was prepared."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._names = (f"bench_{number}" for number in count(1))

    def create(self) -> str:
        """The URL of an empty database."""
        return self._server.url(next(self._names))

    def copy(self, url: str) -> str:
        """The URL of a copy; nobody may be connected to the original. Checkpoints first and last."""
        name = next(self._names)
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{_name(url)}" STRATEGY FILE_COPY')
        return self._server.url(name)

    def drop(self, url: str) -> None:
        """Remove a database."""
        self._execute(f'DROP DATABASE "{_name(url)}" WITH (FORCE)')

    def settle(self, url: str) -> None:
        """Gather statistics and clean up, as autovacuum would, so that it does not do so in a measured stretch."""
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")
            conn.execute("CHECKPOINT")

    @property
    def version(self) -> str:
        """The server's version."""
        with psycopg.connect(self._server.url("postgres")) as conn:
            number = conn.info.server_version
        return f"{number // 10_000}.{number % 10_000}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as conn:
            conn.execute(statement.encode())


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@contextmanager
def postgres() -> Iterator[Databases]:
    """A PostgreSQL of this run's own; fsync and synchronous_commit are on, and that is checked."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as home:
        server = EmbeddedPostgres(Path(home)).start()
        try:
            with psycopg.connect(server.url("postgres")) as conn:
                for name in ("fsync", "synchronous_commit", "full_page_writes"):
                    row = conn.execute(f"SHOW {name}".encode()).fetchone()
                    assert row == ("on",), f"{name} is {row}"
            yield Databases(server)
        finally:
            server.discard()


@contextmanager
def kafka() -> Iterator[LocalBroker]:
    """A broker of this run's own, with the topics of both services."""
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-kafka-") as folder:
        libs = libs_folder(load_settings().home)
        with LocalBroker(Path(folder) / "broker", libs) as broker:
            services = installed_services().values()
            heard = [
                c for s in services for h in s.message_handlers for known in h.topics.values() for c in known.values()
            ]
            said = [c for s in services for c in s.publishes]
            asyncio.run(create_topics(KafkaSettings(broker.bootstrap), [*heard, *said]))
            yield broker


def kafka_version() -> str:
    """The version of the broker's jars."""
    jars = libs_folder(load_settings().home).glob("kafka_2.13-*.jar")
    return max((jar.stem.partition("-")[2] for jar in jars), default="?")
