"""Both services as processes of their own, as an operator starts them, on copies of the inventory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.servers import Databases
from bench.world import Subscription, World
from deploy.local_servers.broker import LocalBroker, free_ports

NAMES = ("licensing", "numbers")
_READY_SECONDS = 60
_STOP_SECONDS = 30
_SETTLE_SECONDS = 5
_IDLE_SECONDS = 20


class Process:
    """A Python program that runs beside the bench; its output goes to a file that is shown when it fails."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        """Start `python ARGUMENTS` in this interpreter."""
        said_by = arguments[1].rpartition(".")[2] if arguments[0] == "-m" else "program"
        self._output = folder / f"{said_by}-{len(list(folder.iterdir()))}.log"
        root = Path(__file__).parents[1]
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(root))))
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
                env={**os.environ, **(environment or {}), "PYTHONPATH": path},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise RuntimeError with what it said if it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"a process has ended: {self._output.read_text(errors='replace')[-3000:]}")

    def wait_for(self, word: str) -> None:
        """Wait until it has written a word."""
        deadline = time.monotonic() + _READY_SECONDS
        while word not in self._output.read_text(errors="replace"):
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"a process never said {word!r}")
            time.sleep(0.02)

    def memory(self, what: str) -> float:
        """MiB it holds: `VmRSS` now, `VmHWM` at most so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    def cpu_seconds(self) -> float:
        """Processor time that it has taken, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not end it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@dataclass
class Pair:
    """Both services, running over Kafka.

    Attributes:
        rest: MiB of the larger of the two at rest, before anything was heard.
        idle: percent of a core that the larger of the two takes then.
    """

    bootstrap: str
    processes: dict[str, Process]
    world: World
    rest: float = 0.0
    idle: float = 0.0
    _taken: int = field(default=0)

    def take(self, count: int) -> Sequence[Subscription]:
        """Subscriptions that nobody had before."""
        chosen = self.world.subscriptions[self._taken : self._taken + count]
        assert len(chosen) == count, "the inventory is too small for this run"
        self._taken += count
        return chosen

    def memory(self, what: str) -> float:
        """MiB of the larger of the two."""
        return max(process.memory(what) for process in self.processes.values())

    def check(self) -> None:
        """Raise RuntimeError if one has ended."""
        for process in self.processes.values():
            process.check()


@contextmanager
def pair(databases: Databases, broker: LocalBroker, world: World) -> Iterator[Pair]:
    """Start both services, and stop them at the end."""
    urls = {"licensing": databases.copy(world.licensing_url), "numbers": databases.copy(world.numbers_url)}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-home-")))
        processes = {}
        for name, port in zip(NAMES, free_ports(2), strict=True):
            environment = {
                "TRUNKLINE_HOME": str(folder),
                "TRUNKLINE_KAFKA_BOOTSTRAP": broker.bootstrap,
                "TRUNKLINE_HTTP_PORT": str(port),
                **{f"TRUNKLINE_{n.upper()}_DATABASE_URL": url for n, url in urls.items()},
            }
            process = Process(["-m", f"trunkline_{name}"], folder, environment)
            running.callback(process.stop)
            processes[name] = process
            _wait_until_ready(process, port)
        found = Pair(broker.bootstrap, processes, world)
        time.sleep(_SETTLE_SECONDS)
        found.rest, found.idle = found.memory("VmRSS"), _idle(processes.values())
        yield found
    for url in urls.values():
        databases.drop(url)


def _idle(processes: Collection[Process]) -> float:
    """Percent of a core that the busiest takes while it has nothing to do."""
    before = [process.cpu_seconds() for process in processes]
    time.sleep(_IDLE_SECONDS)
    taken = [process.cpu_seconds() - so_far for process, so_far in zip(processes, before, strict=True)]
    return 100 * max(taken) / _IDLE_SECONDS


def _wait_until_ready(process: Process, port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        process.check()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200 and not json.load(answer)["degraded"]:
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            msg = f"the service on port {port} serves requests but does not reach Kafka"
            raise TimeoutError(msg)
        time.sleep(0.05)


@dataclass
class Running:
    """Both services on copies of prepared databases, in one process or two.

    Attributes:
        home: where their signing key is.
        urls: where each answers.
        databases: of each.
    """

    home: str
    urls: dict[str, str]
    databases: dict[str, str]
    processes: Sequence[Process]

    def memory(self, what: str) -> float:
        """MiB of the largest process."""
        return max(process.memory(what) for process in self.processes)

    def check(self) -> None:
        """Raise RuntimeError if one has ended."""
        for process in self.processes:
            process.check()

    def fetch(self, name: str, sql: str) -> list[Any]:
        """Look into a service's database."""
        with psycopg.connect(self.databases[name]) as conn:
            return conn.execute(sql.encode()).fetchall()


@contextmanager
def together(
    databases: Databases, broker: LocalBroker | None, licensing_url: str, numbers_url: str
) -> Iterator[Running]:
    """Start both services, without a broker in one process, with one in two; stop them at the end."""
    urls = {"licensing": databases.copy(licensing_url), "numbers": databases.copy(numbers_url)}
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="trunkline-bench-home-"))
        environment = {f"TRUNKLINE_{n.upper()}_DATABASE_URL": url for n, url in urls.items()}
        environment |= {"TRUNKLINE_HOME": folder} | ({"TRUNKLINE_KAFKA_BOOTSTRAP": broker.bootstrap} if broker else {})
        up = ["-c", "from trunkline.cli.main import main; main(['up'])"]
        programs = {n: ["-m", f"trunkline_{n}"] for n in NAMES} if broker else {"both": up}
        processes, answering = [], dict[str, str]()
        for (name, program), port in zip(programs.items(), free_ports(len(programs)), strict=True):
            process = Process(program, Path(folder), {**environment, "TRUNKLINE_HTTP_PORT": str(port)})
            running.callback(process.stop)
            processes.append(process)
            _wait_until_ready(process, port)
            answering |= dict.fromkeys(NAMES if name == "both" else [name], f"http://127.0.0.1:{port}")
        yield Running(folder, answering, urls, processes)
    for url in urls.values():
        databases.drop(url)
