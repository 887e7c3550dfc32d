"""A real Apache Kafka in a container, for machines with a Docker engine."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trunkline.broker import HOST, answers, free_ports
from trunkline.broker_jars import RECIPE, BrokerUnavailable, run

_IMAGE = "apache/kafka:4.3.1"
_START_SECONDS = 60


def docker_answers() -> bool:
    """Whether there is a Docker engine to ask."""
    if shutil.which("docker") is None:
        return False
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@contextmanager
def docker_broker() -> Iterator[str]:
    """Run a broker with the local broker's settings; gives its bootstrap address, then removes it.

    Raises BrokerUnavailable when the image cannot be had or the broker does not answer.
    """
    port, controller = free_ports(2)
    started = run(
        [
            *("docker", "run", "--detach", "--publish", f"{HOST}:{port}:{port}"),
            *(f"--env={name}={value}" for name, value in _settings(port, controller).items()),
            _IMAGE,
        ],
        RECIPE,
    )
    container = started.strip()
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(f"{HOST}:{port}"):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"the broker in container {container} does not answer")
            time.sleep(0.1)
        yield f"{HOST}:{port}"
    finally:
        run(["docker", "rm", "--force", "--volumes", container], RECIPE)


def _settings(port: int, controller: int) -> dict[str, str]:
    """`deploy/kafka/server.properties` as the image wants it: KAFKA_PROCESS_ROLES and so on."""
    lines = (RECIPE / "server.properties").read_text().splitlines()
    common = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    own = {
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@localhost:{controller}",
    }
    settings = common | own
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
