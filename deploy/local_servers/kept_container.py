"""The Kafka container that a home keeps between `make kafka-up` and `make kafka-down`: a file names it."""

from __future__ import annotations

from pathlib import Path

import docker.errors
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient

from deploy.local_servers.broker_jars import BrokerUnavailable
from deploy.local_servers.containers import ContainerBroker, wait_until_it_answers

_STOP_SECONDS = 30


def start_container(file: Path) -> str:
    """Start the container that a file names, or a new one, which it names then.

    Returns:
        The address of its Kafka.

    Raises:
        BrokerUnavailable: it does not start, or does not answer.
    """
    if file.exists():
        container_id, address = file.read_text().split()
        try:
            engine = DockerClient().client
            engine.containers.get(container_id).start()
            engine.close()
        except docker.errors.NotFound:
            file.unlink()  # somebody has removed it
        except docker.errors.DockerException as error:
            raise BrokerUnavailable(f"the container {container_id} does not start: {error}") from error
        else:
            wait_until_it_answers(address)
            return address
    testcontainers_config.ryuk_disabled = True  # which would remove it as soon as this process ends
    broker = ContainerBroker().start()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{broker.container_id} {broker.bootstrap}\n")
    return broker.bootstrap


def stop_container(file: Path) -> None:
    """Stop the container that a file names; it keeps its records. Raises BrokerUnavailable."""
    container_id = file.read_text().split()[0]
    try:
        engine = DockerClient().client
        engine.containers.get(container_id).stop(timeout=_STOP_SECONDS)
        engine.close()
    except docker.errors.NotFound:
        file.unlink()
    except docker.errors.DockerException as error:
        raise BrokerUnavailable(f"the container {container_id} does not stop: {error}") from error
