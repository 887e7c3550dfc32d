"""A real Apache Kafka on this machine, without Docker: the jars by Maven, the broker on a JDK 17+.

`LocalBroker` is one broker with its own folder, on free loopback ports; tests kill and restart it.
`servers.py` decides whether it or a container is started.
Only in a checkout: the jars and the settings are named by the files in `deploy/kafka`.
"""

import base64
import os
import random
import signal
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local_servers.broker_jars import RECIPE, BrokerUnavailable, fetch_libs, libs_folder, run
from trunkline.embedded_postgres.process_ids import runs_with

__all__ = ["HOST", "BrokerUnavailable", "LocalBroker", "answers", "free_ports", "libs_folder"]

HOST = "127.0.0.1"
_START_SECONDS = 60
_STOP_SECONDS = 30


class LocalBroker:
    """One Kafka broker. `folder` holds its data, log and process id; `libs` the jars.

    Ports and data stay the same over `kill`, `stop` and `restart`. Also a context manager.
    """

    def __init__(self, folder: Path, libs: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self._libs = libs.expanduser().resolve()
        self._properties = self.folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`. Raises BrokerUnavailable when never started."""
        if not self._properties.exists():
            raise BrokerUnavailable(f"the broker in {self.folder} was never started")
        lines = self._properties.read_text().splitlines()
        listeners = next(line for line in lines if line.startswith("advertised.listeners="))
        return listeners.removeprefix("advertised.listeners=PLAINTEXT://").partition(",")[0]

    @property
    def pid(self) -> int | None:
        """The broker's process id, also when another process started it; None when it is down."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if runs_with(pid, str(self._properties)) else None

    def start(self) -> Self:
        """Start the broker unless it runs, and return itself once it answers.

        Fetches the jars and lays out the storage where missing. Raises BrokerUnavailable.
        """
        if self.pid is None:
            fetch_libs(self._libs)
            if not (self.folder / "data" / "meta.properties").exists():
                self._lay_out()
            self._launch()
        self._wait_until_it_answers()
        return self

    def kill(self) -> None:
        """SIGKILL: as if the machine had lost its power, but for what the system's cache holds."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An orderly stop; a broker that does not end in half a minute is killed."""
        self._end(signal.SIGTERM)

    def restart(self) -> Self:
        """Start again on the same ports and data; a running broker is killed first."""
        self.kill()
        return self.start()

    def suspend(self) -> None:
        """Let it hang: it keeps its connections and answers nothing, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _lay_out(self) -> None:
        client, controller = free_ports(2)
        self.folder.mkdir(parents=True, exist_ok=True)
        listeners = f"PLAINTEXT://{HOST}:{client},CONTROLLER://{HOST}:{controller}"
        own = {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
            "log.dirs": str(self.folder / "data"),
        }
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        self._properties.write_text((RECIPE / "server.properties").read_text() + lines)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if cluster.startswith("-"):  # would be taken for an option
            cluster = "A" + cluster[1:]
        command = self._java("kafka.tools.StorageTool")
        command += ["format", "--standalone", "-t", cluster, "-c", str(self._properties)]
        run(command, self.folder)

    def _java(self, main_class: str) -> list[str]:
        return [
            # A broker for one machine: one collector thread, and no second compiler that would take the cores for the
            # first minute (measured: half the processor time for the same records).
            *("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self._libs}/*"),
            f"-Dlog4j2.configurationFile={(RECIPE / 'log4j2.xml').as_uri()}",
            f"-Dtrunkline.broker.log={self.folder / 'log'}",
            main_class,
        ]

    def _launch(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._java("kafka.Kafka"), str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for who started it, not for the broker
            )
        (self.folder / "pid").write_text(str(self._process.pid))

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.bootstrap):
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = (self.folder / "output").read_text(errors="replace").strip()[-1000:]
                how = "ended at once" if ended else "does not answer"
                raise BrokerUnavailable(f"the broker {how}; see {self.folder / 'log'}. {said}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            os.kill(pid, how)
            deadline = time.monotonic() + _STOP_SECONDS
            while self._still_runs(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _still_runs(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is None
        return runs_with(pid, str(self._properties))


def answers(bootstrap: str) -> bool:
    """Whether a broker that clients may use answers at `host:port`.

    Its Metadata (v1) name a broker once it is let in, which is later than it opens its port.
    """
    host, _, port = bootstrap.partition(":")
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # no client id, no topics
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.makefile("rb").read(12)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0


def free_ports(count: int) -> list[int]:
    """Free loopback ports, none of those that the system hands to clients.

    While the broker is down, a client that tries again must not be given the broker's own port.
    """
    found: list[int] = []
    choice = random.SystemRandom()
    while len(found) < count:
        port = choice.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
    return found
