"""When databases and a broker do not belong together: empty, restored and copied ones, over Kafka (§10.16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from pydantic import SecretStr

from tests.http.world import created, prepare_licensing, prepare_numbers
from tests.messaging.ear import PATIENCE, new_name
from tests.operate.home import Home, Served, at_home
from trunkline.clock import SystemClock
from trunkline.eventstore.event_store import Store
from trunkline.installation import admission
from trunkline.installation.judgement import InstallationRefused
from trunkline.installation.record import begin_epoch, read_epochs
from trunkline.installation.topic import members, read_on_record
from trunkline.messaging.kafka.client import KafkaSettings, admin
from trunkline.messaging.kafka.topics import INSTALLATION_TOPIC, create_topics
from trunkline.runtime import kafka_transport
from trunkline.service_definition import ServiceDefinition
from trunkline.settings import Settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.wiring import service as numbers


@dataclass
class Ground:
    """A broker under a prefix, the databases of an installation on it, and older or empty ones."""

    kafka: KafkaSettings
    folder: Path
    create: Any
    urls: dict[str, str] = field(default_factory=dict)

    def settings(self, urls: dict[str, str], **more: Any) -> Settings:
        given = {f"{name}_database_url": SecretStr(url) for name, url in urls.items()}
        prefix = {"kafka_bootstrap": self.kafka.bootstrap, "topic_prefix": self.kafka.topic_prefix}
        return Settings(home=self.folder, sandbox=True, http_port=0, **(given | prefix | more))

    def copied(self, url: str) -> str:
        """A copy of a database, as a restored back-up is one."""
        found: str = self.create()
        name, server = urlsplit(found).path[1:], urlsplit(url)._replace(path="/postgres").geturl()
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{name}"'.encode())
            conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{urlsplit(url).path[1:]}"'.encode())
        return found

    async def refusal(self, urls: dict[str, str], **more: Any) -> str:
        """Why it does not start."""
        with pytest.raises(InstallationRefused) as found:
            async with self.running(urls, **more):
                pass
        return str(found.value)

    @asynccontextmanager
    async def running(self, urls: dict[str, str], **more: Any) -> AsyncIterator[Served]:
        async with Served(self.settings(urls, **more), [licensing(), numbers()]) as deployment:
            yield deployment


def contracts(services: tuple[ServiceDefinition, ...]) -> list[Any]:
    heard = [c for s in services for h in s.message_handlers for known in h.topics.values() for c in known.values()]
    return [*heard, *(c for s in services for c in s.publishes)]


async def ground(settings: KafkaSettings, folder: Path, create: Any) -> Ground:
    found = Ground(replace(settings, topic_prefix=new_name("pair") + "."), folder, create)
    await create_topics(found.kafka, contracts((licensing(), numbers())), partitions=1)
    found.urls = {"licensing": create(prepare_licensing), "numbers": create(prepare_numbers)}
    return found


async def rings(home: Home) -> tuple[str, str]:
    """An extension, and its number."""
    ((number, _),) = await home.sold(1)
    return await home.line(number), number


async def number_of(home: Home, extension: str) -> tuple[str, str]:
    found = created(await home.customer.get(f"{home.customer.path}/{extension}"))["number"]
    return found["number"], found["status"]


def declare(url: str, service: ServiceDefinition) -> None:
    """What `trunkline restored` does."""
    store = Store(url, service.codec())
    begin_epoch(store, read_epochs(store).current + 1, SystemClock().now(), "test", declared=True)
    store.close()


async def upgraded(there: Ground) -> str:
    """Databases and topics that the version before has left get an id at the next start, without action."""
    topic = there.kafka.topic(INSTALLATION_TOPIC)
    async with admin(there.kafka) as client:
        await client.delete_topics([topic])
        while topic in await client.list_topics():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    for url in there.urls.values():
        with psycopg.connect(url) as conn:
            conn.execute("DELETE FROM installation")
    async with there.running(there.urls) as deployment:
        ids = [runtime.store.fetch("SELECT id FROM installation") for runtime in deployment.runtimes.values()]
    found = await read_on_record(there.kafka)
    assert found.id is not None
    assert ids == [[(found.id,)]] * 2
    assert {name: each.epoch for name, each in found.services.items()} == {"licensing": 0, "numbers": 0}
    return found.id


async def test_then_no_stranger_reads_or_publishes(
    settings: KafkaSettings, tmp_path: Path, new_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§10.16, S7: empty against full, restored against newer, a copy against the original, each way; nobody loses."""
    monkeypatch.setattr(admission, "_MEMBERS_LEAVE_SECONDS", 0.0)
    monkeypatch.setattr(kafka_transport, "ADMITTED_SECONDS", PATIENCE)
    there = await ground(settings, tmp_path, new_database)
    full = there.urls
    more = {"kafka_bootstrap": there.kafka.bootstrap, "topic_prefix": there.kafka.topic_prefix}
    async with at_home(tmp_path, full["licensing"], full["numbers"], **more) as home:
        extension, number = await rings(home)
        assert await number_of(home, extension) == (number, "bound")
    installation = await upgraded(there)
    older = {name: there.copied(url) for name, url in full.items()}
    empty = {"licensing": new_database(prepare_licensing), "numbers": new_database(prepare_numbers)}
    for name, other in (("licensing", "numbers"), ("numbers", "licensing")):
        message = await there.refusal({name: empty[name], other: full[other]})
        assert f"The database of {name} is empty, and {name} of installation {installation} already" in message
        message = await there.refusal({name: older[name], other: full[other]})
        assert f"This database of {name} is a copy of the one that" in message
    assert "is empty" in await there.refusal(empty)
    assert "is a copy" in await there.refusal(older)
    # In another name space the same databases, and empty ones, are other installations.
    async with there.running(empty, topic_prefix=new_name("other") + ".") as deployment:
        assert set(deployment.runtimes) == {"licensing", "numbers"}
    assert "belongs to installation" in await there.refusal(empty)
    # A copy that claims to have been restored is refused as long as the original runs, in spite of the claim.
    async with there.running(full) as original:
        declare(older["licensing"], licensing())
        while not await members(there.kafka, there.kafka.group("licensing")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert "another licensing runs there" in await there.refusal(older)
        assert set(original.runtimes["licensing"].loops) >= {"intake", "relay"}
        rows = original.runtimes["licensing"].store.fetch("SELECT number, number_status FROM extension_view")
        assert rows == [(number, "bound")]
