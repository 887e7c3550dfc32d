"""When the settings name a Kafka cluster."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local_servers.broker import free_ports
from tests.messaging.conftest import NewTopic
from tests.messaging.ear import ear, event, id_of, listening, new_name
from trunkline.messaging.kafka.client import KafkaSettings, cluster_id
from trunkline.messaging.kafka.producer import Producer
from trunkline.settings import Settings


def test_unset_means_the_local_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings: no broker."""
    monkeypatch.delenv("TRUNKLINE_KAFKA_BOOTSTRAP", raising=False)
    assert KafkaSettings.of(Settings()) is None


def test_the_settings_become_the_clients_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings: brokers, protocol, mechanism, name and password; the password is in no `repr`."""
    for name, value in {
        "BOOTSTRAP": "a:9092,b:9092",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "USERNAME": "somebody",
        "PASSWORD": "s3cret",
    }.items():
        monkeypatch.setenv(f"TRUNKLINE_KAFKA_{name}", value)
    settings = KafkaSettings.of(Settings())
    assert settings is not None
    assert "s3cret" not in repr(settings)
    options = settings.options()
    assert options["bootstrap_servers"] == ["a:9092", "b:9092"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("somebody", "s3cret")
    assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("host:9092", ["host:9092"]),
        ("[::1]:9092, host:9092", ["[::1]:9092", "host:9092"]),
        (" 10.0.0.1:9092 ,[fe80::1%eth0]:19092 ", ["10.0.0.1:9092", "[fe80::1%eth0]:19092"]),
    ],
)
def test_brokers_have_names_or_addresses_of_either_kind(
    monkeypatch: pytest.MonkeyPatch, given: str, servers: list[str]
) -> None:
    """Settings: blanks around commas are no part of a name."""
    monkeypatch.setenv("TRUNKLINE_KAFKA_BOOTSTRAP", given)
    settings = KafkaSettings.of(Settings())
    assert settings is not None
    assert settings.options()["bootstrap_servers"] == settings.broker_options()["bootstrap_servers"] == servers


@pytest.mark.parametrize(
    "given", ["::1:9092", "[::1]", "host:9092,", "host:9092;other:9092", "host: 9092", "[host]:1", ""]
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Settings: `::1:9092` is an address too; an empty variable is one that is not set."""
    monkeypatch.setenv("TRUNKLINE_KAFKA_BOOTSTRAP", given)
    if not given:
        assert Settings().kafka_bootstrap is None
        return
    with pytest.raises(ValidationError, match="kafka_bootstrap"):
        Settings()


async def test_a_broker_is_reached_by_an_ipv6_address_behind_one_that_is_away(
    settings: KafkaSettings, new_topic: NewTopic, url: str
) -> None:
    """X3: a list with blanks, the first broker away; producer, consumer and administration come in through ::1."""
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    (absent,) = free_ports(1)
    topic = await new_topic()
    record = event(topic)
    async with relayed(settings.bootstrap) as port:
        over_ipv6 = KafkaSettings(f" 127.0.0.1:{absent} , [::1]:{port}")
        async with Producer(over_ipv6) as producer:
            await producer.send_page([record])
        with ear(url, topic) as one:
            async with listening(over_ipv6, one, new_name("group")):
                await one.until(one.heard)
            assert one.heard() == [id_of(record)]
        assert await cluster_id(over_ipv6) == await cluster_id(settings)


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@asynccontextmanager
async def relayed(bootstrap: str) -> AsyncIterator[int]:
    """A port on ::1 behind which the broker is, as on a machine that has nothing else."""
    host, _, port = bootstrap.rpartition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))

    async with await asyncio.start_server(relay, "::1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_a_file_of_certificates_is_the_only_trust(tmp_path: Path) -> None:
    """Settings: a file without certificates is an error, not a return to the system's trust."""
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ssl.SSLError):
        KafkaSettings("a:9092", "SSL", ca_file=tmp_path / "ca.pem").options()


def test_the_clients_log_is_quiet_unless_somebody_asks_for_it() -> None:
    """A broker that is away for an hour is one line, not one for each try."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        KafkaSettings("a:9092").options()
        assert not logger.isEnabledFor(logging.ERROR)
        logger.setLevel(logging.DEBUG)
        KafkaSettings("a:9092").options()
        assert logger.isEnabledFor(logging.DEBUG)
    finally:
        logger.setLevel(before)
