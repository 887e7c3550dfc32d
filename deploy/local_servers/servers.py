"""Which servers tests and developers use: containers where a Docker engine answers, else programs of this machine.

`TRUNKLINE_TEST_SERVERS` forces either. `python -m deploy.local_servers.servers up` and `down` keep a Kafka in the
home (`make kafka-up`, `make kafka-down`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from deploy.local_servers.broker import LocalBroker
from deploy.local_servers.broker_jars import BrokerUnavailable, libs_folder

if TYPE_CHECKING:
    from deploy.local_servers.containers import ContainerBroker

__all__ = ["VARIABLE", "BrokerUnavailable", "Servers", "choose", "new_broker"]

VARIABLE: Final = "TRUNKLINE_TEST_SERVERS"
CONTAINER_FILE: Final = Path("kafka", "container")
"""In a home: which container its Kafka runs in, and its address."""

Kind = Literal["containers", "local"]


@dataclass(frozen=True)
class Servers:
    """The kind of servers that was chosen, and why."""

    kind: Kind
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.reason})"


def choose(environ: Mapping[str, str]) -> Servers:
    """Choose the kind of servers.

    Args:
        environ: in which `TRUNKLINE_TEST_SERVERS` may be `containers` or `local`.

    Raises:
        BrokerUnavailable: containers are demanded and no Docker engine answers, or the variable has another value.
    """
    demanded = environ.get(VARIABLE, "")
    if demanded not in ("", "containers", "local"):
        raise BrokerUnavailable(f"{VARIABLE} is {demanded!r}; it takes containers or local")
    if demanded == "local":
        return Servers("local", f"Kafka on the JDK, embedded PostgreSQL; {VARIABLE} says so")
    from deploy.local_servers.containers import engine_version, image  # a third of a second, and development only

    version = engine_version()
    if version is not None:
        return Servers("containers", f"{image('apache/kafka')}, {image('postgres')}; Docker {version} answers")
    if demanded:
        raise BrokerUnavailable(f"{VARIABLE}={demanded}, and no Docker engine answers: start one, or name another kind")
    return Servers("local", "Kafka on the JDK, embedded PostgreSQL; no Docker engine answers")


def new_broker(servers: Servers, folder: Path, home: Path) -> LocalBroker | ContainerBroker:
    """A broker of the caller's own, not started; a context manager.

    Args:
        servers: which kind.
        folder: where a local one keeps its data.
        home: where the jars of a local one are kept.

    Raises:
        BrokerUnavailable: there is no checkout, which names jars and images.
    """
    if servers.kind == "local":
        return LocalBroker(folder, libs_folder(home))
    from deploy.local_servers.containers import ContainerBroker

    return ContainerBroker()


def start_kept_broker(home: Path, environ: Mapping[str, str]) -> str:
    """Start the Kafka that is kept in a home, unless it runs. Gives its address. Raises BrokerUnavailable."""
    local = LocalBroker(home / "kafka" / "broker", libs_folder(home))
    if local.pid is not None or choose(environ).kind == "local":
        return local.start().bootstrap
    from deploy.local_servers.kept_container import start_container

    return start_container(home / CONTAINER_FILE)


def stop_kept_broker(home: Path) -> None:
    """Stop the Kafka of a home, of whichever kind; its records stay. Raises BrokerUnavailable."""
    LocalBroker(home / "kafka" / "broker", libs_folder(home)).stop()
    if (home / CONTAINER_FILE).exists():
        from deploy.local_servers.kept_container import stop_container

        stop_container(home / CONTAINER_FILE)


def main() -> int:
    """`up` and `down` for the Kafka of the home; prints what to export. Exit code 4: none can run."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local_servers.servers", description=main.__doc__)
    parser.add_argument("what", choices=["up", "down"])
    what = cast("str", parser.parse_args().what)
    home = Path(os.environ.get("TRUNKLINE_HOME", ".trunkline"))
    try:
        if what == "up":
            sys.stdout.write(f"export TRUNKLINE_KAFKA_BOOTSTRAP={start_kept_broker(home, os.environ)}\n")
        else:
            stop_kept_broker(home)
    except BrokerUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
