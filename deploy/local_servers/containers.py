"""Kafka and PostgreSQL in containers, for tests and developers: testcontainers on the images of `deploy/compose.yaml`.

Only in a checkout, and only with the development dependencies.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import TracebackType
from typing import Any, Final, Self

import docker.errors
from docker.utils import parse_host
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from deploy.local_servers.broker import HOST, answers, free_ports
from deploy.local_servers.broker_jars import RECIPE, BrokerUnavailable

__all__ = ["ApacheKafka", "ContainerBroker", "engine_version", "image", "postgres_container"]

_UNIX = "http+unix://"
_CLIENTS, _CONTROLLER = 9093, 9094
_START_SECONDS = 60
_STOP_SECONDS = 30
_LOOK_SECONDS = 0.05

_POSTGRES_SETTINGS: Final = ("max_connections=100", "shared_buffers=256MB", "jit=off", "timezone=UTC")


def engine_version() -> str | None:
    """The version of the Docker engine that answers; None where none does."""
    if not _socket_answers():
        return None
    try:
        with closing(DockerClient().client) as engine:
            return str(engine.version()["Version"])
    except docker.errors.DockerException:
        return None


def _socket_answers() -> bool:
    """Whether something accepts connections at the engine's socket; True where the engine is reached otherwise.

    docker's client leaves its socket to the garbage collector where nobody answers.
    """
    address = parse_host(get_docker_host())
    if not address.startswith(_UNIX):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect("/" + address.removeprefix(_UNIX).lstrip("/"))
        except OSError:
            return False
    return True


def image(name: str) -> str:
    """The image of that name in `deploy/compose.yaml`, with its tag."""
    found = re.search(
        rf"^ *image: ({re.escape(name)}:\S+)$", (RECIPE.parent / "compose.yaml").read_text(), re.MULTILINE
    )
    if found is None:
        raise LookupError(f"deploy/compose.yaml names no image {name}")
    return found[1]


class ApacheKafka(KafkaContainer):
    """testcontainers' Kafka, configured and started as Apache's own image wants it, not Confluent's."""

    def __init__(self) -> None:
        super().__init__(image("apache/kafka"), port=_CLIENTS)
        port = free_ports(1)[0]
        engine = self.get_docker_client().host()
        local = engine == "localhost"
        self.address = f"{HOST if local else engine}:{port}"
        """What the broker tells its clients to connect to; the same whenever the container starts."""
        # A broker without passwords listens on the loopback address only, where that is the engine's machine.
        bound: Any = (HOST, port) if local else port
        self.ports = {str(_CLIENTS): bound}
        self.wait_for = re.compile(r".*Kafka Server started.*")

    def configure(self) -> None:
        """The settings of `deploy/kafka/server.properties`, as the variables that the image reads."""
        lines = (RECIPE / "server.properties").read_text().splitlines()
        settings = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        settings |= {
            "listeners": f"PLAINTEXT://:{_CLIENTS},CONTROLLER://:{_CONTROLLER}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@localhost:{_CONTROLLER}",
        }
        self.env = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}

    def start(self, timeout: int = _START_SECONDS) -> Self:
        """Start with the image's own command: the address is known beforehand, so no script has to wait for it.

        The library's script would be process 1 and pass no signal on: the broker could not stop in order.
        """
        self.configure()
        DockerContainer.start(self)
        LogMessageWaitStrategy(self.wait_for).with_startup_timeout(timeout).wait_until_ready(self)
        return self


class ContainerBroker:
    """One Kafka broker in a container: what `LocalBroker` offers, with Docker in place of processes.

    Port and data stay the same over `kill`, `stop` and `restart`. As a context manager it removes the container.
    """

    def __init__(self) -> None:
        self._kafka = ApacheKafka()
        self._created = False

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return self._kafka.address

    @property
    def container_id(self) -> str:
        """Docker's name of the container."""
        return self._kafka.get_container_id()

    def start(self) -> Self:
        """Start the broker unless it runs, and return itself once it answers. Raises BrokerUnavailable."""
        with _failures_named(self._kafka):
            if self._created:
                self._kafka.get_wrapped_container().start()
            else:
                self._kafka.start()
                self._created = True
        wait_until_it_answers(self.bootstrap)
        return self

    def kill(self) -> None:
        """SIGKILL, whether it is suspended or not."""
        self._kafka.get_wrapped_container().kill()
        self._kafka.get_wrapped_container().wait()

    def stop(self) -> None:
        """An orderly stop; a broker that does not end in half a minute is killed."""
        self._kafka.get_wrapped_container().stop(timeout=_STOP_SECONDS)

    def restart(self) -> Self:
        """Kill it and start it again on the same port and data."""
        self.kill()
        return self.start()

    def suspend(self) -> None:
        """Let it hang: it keeps its connections and answers nothing, until `resume`."""
        self._kafka.get_wrapped_container().pause()

    def resume(self) -> None:
        """Let it go on."""
        self._kafka.get_wrapped_container().unpause()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._kafka.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kafka.stop()


def wait_until_it_answers(bootstrap: str) -> None:
    """Raises BrokerUnavailable where no broker answers within a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while not answers(bootstrap):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(f"the broker in a container does not answer at {bootstrap}")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def postgres_container() -> Iterator[str]:
    """Run a PostgreSQL with its data in memory; gives the URL of a superuser. Raises BrokerUnavailable."""
    container = PostgresContainer(image("postgres"), username="trunkline", dbname="trunkline", driver=None)
    container.with_env("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C")
    container.with_tmpfs_mount("/var/lib/postgresql")
    container.with_command(["postgres", *(part for setting in _POSTGRES_SETTINGS for part in ("-c", setting))])
    with ExitStack() as running:
        running.callback(container.stop)
        with _failures_named(container):
            container.start()
        yield container.get_connection_url()


@contextmanager
def _failures_named(container: DockerContainer) -> Iterator[None]:
    """Turn what keeps a container from starting into BrokerUnavailable."""
    try:
        yield
    except (docker.errors.DockerException, TimeoutError, RuntimeError) as error:
        raise BrokerUnavailable(f"the container of {container.image} does not start: {error}") from error
