"""Bringing services up in one process, and down again: databases, migrations, transport, HTTP, signals.

Both ways to run are this one: `trunkline up` runs every installed service, `trunkline-licensing` and
`trunkline-numbers` one each; with a broker they talk over Kafka, without one a relay hands its pages to the other
service's intake.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from importlib.resources import files
from types import TracebackType
from typing import Self

import structlog
from fastapi import FastAPI

from trunkline.clock import Clock, SystemClock
from trunkline.embedded_postgres.data_directory import make_private
from trunkline.embedded_postgres.server import EmbeddedPostgres
from trunkline.embedded_postgres.watch import EMBEDDED, keep_running
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.schema import Migration, migrate, read_migrations
from trunkline.http.app import create_app, create_metrics_app, server
from trunkline.installation.record import read_epochs
from trunkline.messaging.caught_up import of_services
from trunkline.messaging.compacted_topics.feed import begin_anew
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.operations.routes import operate_router
from trunkline.operations.sandbox_clock import SandboxClock, moved_ahead
from trunkline.runtime.connection import Connection
from trunkline.runtime.in_process_transport import InProcessTransport, admit_together
from trunkline.runtime.kafka_transport import connect
from trunkline.runtime.service_runtime import ServiceRuntime
from trunkline.service_definition import ServiceDefinition, installed_services
from trunkline.settings import Settings
from trunkline.telemetry import start_traces

log = structlog.get_logger(__name__)

_M_ARENA_MAX = -8  # of malloc.h
THREADS = 24
"""Work that blocks (PostgreSQL, files) runs in this many threads at most; idle ones cost nothing."""


_LISTEN = {
    "TRUNKLINE_HTTP_PORT": "set TRUNKLINE_HTTP_PORT to another port: each service that runs apart takes one of its own",
    "TRUNKLINE_METRICS_PORT": "set TRUNKLINE_METRICS_PORT to another port: each process takes one of its own",
    "TRUNKLINE_HTTP_HOST": "set TRUNKLINE_HTTP_HOST and TRUNKLINE_HTTP_PORT to an address of this machine",
}


class NotConfigured(Exception):
    """The settings do not allow what was asked; the message says which and why."""


def all_migrations(service: ServiceDefinition) -> list[Migration]:
    """The store's migrations and then the service's own, in order."""
    return [*read_migrations(files("trunkline.eventstore") / "migrations"), *service.migrations]


def bring_up_to_date(url: str, service: ServiceDefinition, *, dry_run: bool = False) -> list[str]:
    """Migrate a service's database; the names of the migrations applied (or to apply).

    Raises:
        MigrationError: see `migrate`; also where it is another service's database.
    """

    def owner_of(migration: str) -> str | None:
        others = (other for other in installed_services().values() if other.name != service.name)
        return next((other.name for other in others if migration in {m.name for m in other.migrations}), None)

    return migrate(url, all_migrations(service), dry_run=dry_run, service=service.name, owner_of=owner_of)


class Application:
    """Some services, running in this process. An asynchronous context manager: in it they run, after it they do not."""

    def __init__(self, settings: Settings, services: Iterable[ServiceDefinition] | None = None) -> None:
        """Prepare; nothing runs yet.

        Args:
            settings: of the process.
            services: which ones; None: every installed one.
        """
        self.settings = settings
        self.services: Sequence[ServiceDefinition] = tuple(
            installed_services().values() if services is None else services
        )
        self.runtimes: dict[str, ServiceRuntime] = {}
        self.embedded: EmbeddedPostgres | None = None
        self.address = ""
        self.metrics_address: str | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Bring everything up; once this returns, requests and messages are served.

        Raises:
            NotConfigured: one service alone has nobody to talk to without a broker.
            InstallationRefused: the databases, or a database and the broker, do not belong together (D10.16).
            MigrationError, EmbeddedPostgresError, psycopg.OperationalError: the database.
        """
        names = "-".join(service.name for service in self.services)
        self._stack.callback(start_traces(self.settings.otlp_endpoint, names))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "trunkline"))
        try:
            await self._bring_up()
        except BaseException:
            for runtime in self.runtimes.values():
                await runtime.stop()
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop taking, finish what is in hand, close."""
        await self._stack.aclose()

    async def _bring_up(self) -> None:
        if self.settings.home.is_dir():
            make_private(self.settings.home)
        for service in self.services:
            url = await asyncio.to_thread(self._database, service)
            await asyncio.to_thread(bring_up_to_date, url, service)
            store = Store(url, service.codec())
            store.epochs = await asyncio.to_thread(read_epochs, store)
            clock = await asyncio.to_thread(self._clock, service, store)
            runtime = ServiceRuntime(service, store, clock, self.settings)
            self.runtimes[service.name] = runtime
            await asyncio.to_thread(runtime.projector.prepare)
            await asyncio.to_thread(service.prepare, store)
        await self._connect()
        if self.embedded is not None:
            runtime = next(iter(self.runtimes.values()))
            runtime.spawn(EMBEDDED, keep_running(self.embedded, runtime.stopping))
        for runtime in self.runtimes.values():  # before the producers stop, so that a page on its way arrives
            self._stack.push_async_callback(runtime.stop)
        for runtime in self.runtimes.values():  # all at once, so that none waits for another's last look
            self._stack.callback(runtime.begin_to_stop)
        await self._serve()

    def _database(self, service: ServiceDefinition) -> str:
        given = self.settings.database_url(service.name)
        if given is not None:
            return given.get_secret_value()
        if self.embedded is None:
            self.embedded = EmbeddedPostgres(self.settings.home).start()
            self._stack.callback(self.embedded.stop)
        return self.embedded.url(service.name)

    def _clock(self, service: ServiceDefinition, store: Store) -> Clock:
        """A store whose clock was moved is a sandbox for ever: by the machine's clock its past would be ahead."""
        if self.settings.sandbox:
            return SandboxClock(store)
        if ahead := moved_ahead(store):
            store.close()
            msg = (
                f"the clock of the database of {service.name} was moved ahead by {ahead}, so it is a sandbox for ever:"
                " set TRUNKLINE_SANDBOX=on, or take a new database"
            )
            raise NotConfigured(msg)
        return SystemClock()

    async def _connect(self) -> None:
        kafka = KafkaSettings.of(self.settings)
        if kafka is not None:
            await connect(self.runtimes.values(), kafka, self._stack)
            return
        if len(self.runtimes) == 1:
            (name,) = self.runtimes
            msg = f"{name} alone needs a broker to talk to the other service: set TRUNKLINE_KAFKA_BOOTSTRAP"
            raise NotConfigured(msg)
        await asyncio.to_thread(admit_together, list(self.runtimes.values()))
        for runtime in self.runtimes.values():
            states = {state.contract.topic: state for state in runtime.service.states}
            transport = InProcessTransport(runtime.name, states, runtime.store.epochs.current)
            others = [other for other in self.runtimes.values() if other is not runtime]
            for other in others:
                transport.join(other.intake, other.turn)
            horizon = partial(of_services, [other.store for other in others])
            for topic in transport.heard_states:
                if await asyncio.to_thread(transport.unheard, topic):
                    await asyncio.to_thread(begin_anew, runtime.store, states[topic])
            runtime.start(Connection(transport, horizon, state_topics=transport.heard_states))

    async def _serve(self) -> None:
        listening = self._listen(self.settings.http_port, "TRUNKLINE_HTTP_PORT")
        port = self.settings.metrics_port
        for_metrics = None if port is None else self._listen(port, "TRUNKLINE_METRICS_PORT")
        self.address = await self._serve_on(listening, create_app(self.runtimes, operate_router))
        if for_metrics is not None:
            self.metrics_address = await self._serve_on(for_metrics, create_metrics_app(self.runtimes))

    async def _serve_on(self, listening: socket.socket, app: FastAPI) -> str:
        """Serve an application until the end; its URL."""
        host, port = listening.getsockname()[:2]
        web = server(app, host, port)
        serving = asyncio.get_running_loop().create_task(web.serve([listening]), name="http")
        while not web.started:
            if serving.done():
                await serving
            await asyncio.sleep(0.01)

        async def stop() -> None:
            web.should_exit = True
            await serving

        self._stack.push_async_callback(stop)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _listen(self, port: int, port_setting: str) -> socket.socket:
        """A listening socket, made here: the server's own way would end the process where the port is taken."""
        host = self.settings.http_host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family, backlog=2048)
        except OSError as error:
            why = str(error.strerror).partition(" (")[0].lower()
            setting = port_setting if error.errno == errno.EADDRINUSE else "TRUNKLINE_HTTP_HOST"
            msg = f"nothing can listen on {host}:{port}: {why}; {_LISTEN[setting]}"
            raise NotConfigured(msg) from None

    async def until_stopped(self, stopped: asyncio.Event) -> None:
        """Run until SIGTERM (which sets the event) or SIGINT, or until a loop that must not end has ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, stopped.set)
        waiting = [loop.create_task(event.wait()) for event in (stopped, *(n.stopping for n in self.runtimes.values()))]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


def tune_interpreter() -> None:
    """Set the interpreter for work in batches. What is measured is measured with this too."""
    # What is loaded stays for good, and what a batch makes dies with it: look for cycles seldom (measured: with the
    # interpreter's own thresholds the intake takes a fifth more processor time).
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # A thread that waits for PostgreSQL gets on at once when it is answered, not after another's 5 ms.
    sys.setswitchinterval(0.0005)


def limit_arenas() -> bool:
    """Let glibc's allocator use two arenas, from before the first thread on; whether it does. Elsewhere, nothing.

    It makes eight for each core, and each of our threads leaves free memory in its own: a service at rest holds 6 MiB
    less with two (measured), and takes no more time, as one thread at a time runs in the interpreter.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and mallopt(_M_ARENA_MAX, 2) == 1


async def run(
    settings: Settings,
    services: Iterable[ServiceDefinition] | None = None,
    ready: Callable[[Application], None] | None = None,
) -> bool:
    """Run services until told to stop.

    Args:
        settings: of the process.
        services: which ones; None: every installed one.
        ready: called once all is up.

    Returns:
        Whether it was told to; False: a loop failed, which the log explains.
    """
    limit_arenas()
    stopped = asyncio.Event()
    # From the beginning: work is taken before all is up, and who is told to stop by then stops in order too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with Application(settings, services) as deployment:
        tune_interpreter()
        if ready is not None:
            ready(deployment)
        await deployment.until_stopped(stopped)
        failed = [t for n in deployment.runtimes.values() for t in n.loops.values() if t.done() and not t.cancelled()]
        return all(task.exception() is None for task in failed)
