"""What every test may ask for: a real PostgreSQL, a fresh database, a real Kafka."""

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

from deploy.local_servers.broker import LocalBroker
from deploy.local_servers.servers import BrokerUnavailable, Servers, choose, new_broker
from trunkline.embedded_postgres.server import EmbeddedPostgres

_ROOT = Path(__file__).parent.parent
_WAITING = {"operate": 20, "embedded_postgres": 10, "messaging": 8}
_WORKING = {"end_to_end": 15, "model": 13, "http": 6}
"""What a file in a folder takes, roughly, in seconds: most of it waiting for processes of its own, or working."""
_LONG = {
    "test_readme.py": 90,
    "test_when_anything_is_sent.py": 60,
    "test_command_line.py": 50,
    "test_server.py": 50,
    "test_when_anything_happens_to_an_inventory.py": 45,
    "test_when_numbers_are_searched.py": 40,
    "test_when_the_broker_is_killed.py": 40,
    "test_when_poison_arrives.py": 30,
    "test_when_another_partner_asks.py": 25,
    "test_pools_and_extensions_as_a_model.py": 25,
    "test_event_store.py": 20,
}
"""Those that take much longer than others of their folder."""
_WITH_BROKER = {"kafka", "local_broker"}
_MEMORY, _PLENTY_BYTES = Path("/dev/shm"), 2 << 30

Prepare = Callable[[str], object]
_SERVERS = pytest.StashKey[Servers]()
"""The kind of servers of this run."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose the servers once for all processes of a run."""
    try:
        config.stash[_SERVERS] = choose(os.environ)
    except BrokerUnavailable as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str:
    """Name the servers in the first lines of a run."""
    return f"servers: {_servers_of(config)}"


def pytest_sessionstart(session: pytest.Session) -> None:
    """The same where `-q` leaves out the first lines."""
    terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not terminal.showheader:
        terminal.write_line(pytest_report_header(session.config))


def _servers_of(config: pytest.Config) -> str:
    given = [name for name in ("TRUNKLINE_TEST_KAFKA", "TRUNKLINE_TEST_POSTGRES") if os.environ.get(name)]
    return ", ".join([*(f"given by {name}" for name in given), str(config.stash[_SERVERS])])


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """The kind of servers of this run."""
    return pytestconfig.stash[_SERVERS]


class Postgres(Protocol):
    """A PostgreSQL server that hands out the URLs of its databases."""

    def url(self, database: str) -> str:
        """The URL of `database`, which is created when missing."""


@dataclass(frozen=True)
class GivenPostgres:
    """The server named by TRUNKLINE_TEST_POSTGRES: the URL of a database it may create others from."""

    address: str

    def url(self, database: str) -> str:
        with psycopg.connect(self.address, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (database,))
            if found.rowcount == 0:
                connection.execute(f'CREATE DATABASE "{database}"')
        return urlsplit(self.address)._replace(path=f"/{database}").geturl()


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Iterator[Postgres]:
    """TRUNKLINE_TEST_POSTGRES, or a server of this session's own: in a container, or embedded."""
    if given := os.environ.get("TRUNKLINE_TEST_POSTGRES"):
        yield GivenPostgres(given)
        return
    if servers.kind == "containers":
        from deploy.local_servers.containers import postgres_container

        with postgres_container() as url:
            yield GivenPostgres(url)
        return
    with tempfile.TemporaryDirectory(prefix="trunkline-tests-", dir=_in_memory()) as home:
        Path(home).chmod(0o711)  # as root the server runs as somebody else, who must get through
        server = EmbeddedPostgres(Path(home)).start()
        try:
            yield server
        finally:
            server.discard()


def _in_memory() -> Path | None:
    """A folder in memory, where there is plenty: a fresh database for a test costs mostly the making of its files."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _PLENTY_BYTES else None


class Databases:
    """Fresh databases on one server; each prepared once, then cloned."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._names = (f"test_{os.getpid()}_{number}" for number in count(1))
        self._templates: dict[Prepare, str] = {}

    def create(self, prepare: Prepare | None = None) -> str:
        """The URL of a new database, on which `prepare(url)` has been done.

        `prepare` (a migration, say) runs once per session, on a template: pass the same function.
        It must close its connections.
        """
        name = next(self._names)
        if prepare is None:
            return self._server.url(name)
        if prepare not in self._templates:
            template = next(self._names)
            prepare(self._server.url(template))
            self._templates[prepare] = template
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._templates[prepare]}"')
        return self._server.url(name)

    def drop(self, url: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def drop_templates(self) -> None:
        for name in self._templates.values():
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Iterator[Databases]:
    """For tests that need more than one database, or one that outlives a test."""
    found = Databases(postgres)
    yield found
    found.drop_templates()


@pytest.fixture
def new_database(databases: Databases) -> Iterator[Callable[..., str]]:
    """`new_database(prepare=None)` gives the URL of a database of this test's own."""
    urls: list[str] = []

    def create(prepare: Prepare | None = None) -> str:
        urls.append(databases.create(prepare))
        return urls[-1]

    yield create
    for url in urls:
        databases.drop(url)


@pytest.fixture
def database_url(new_database: Callable[..., str]) -> str:
    """The URL of an empty database of this test's own."""
    return new_database()


class Kafka(Protocol):
    """A broker that answers."""

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""


class Broker(Kafka, Protocol):
    """A broker of a test's own; port and records stay the same."""

    def start(self) -> Self: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def restart(self) -> Self: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True)
class GivenKafka:
    """A broker that this session did not start itself."""

    bootstrap: str


@pytest.fixture(scope="session")
def kafka(servers: Servers) -> Iterator[Kafka]:
    """A real Kafka: TRUNKLINE_TEST_KAFKA, else in a container, else on the JDK.

    Skipped aloud where there is none; with CI=true that is a failure. Shared by all tests of the
    session: use topics and groups with names of your own. Never stop it; see `own_broker`.
    """
    if given := os.environ.get("TRUNKLINE_TEST_KAFKA"):
        yield GivenKafka(given)
        return
    with ExitStack() as running:
        yield start_broker(running, servers, "kafka")


@pytest.fixture
def own_broker(servers: Servers) -> Iterator[Broker]:
    """A broker of this test's own, to be killed and restarted."""
    with ExitStack() as running:
        yield start_broker(running, servers, "broker")


@pytest.fixture
def local_broker() -> Iterator[LocalBroker]:
    """The same on the JDK, for what concerns that kind only."""
    with ExitStack() as running:
        found = start_broker(running, Servers("local", "this test is about it"), "broker")
        assert isinstance(found, LocalBroker)
        yield found


def start_broker(running: ExitStack, servers: Servers, name: str) -> Broker:
    """Start a broker that ends with `running`. Skips where none can run; with CI=true that is a failure."""
    folder = running.enter_context(tempfile.TemporaryDirectory(prefix=f"trunkline-{name}-"))
    try:
        return running.enter_context(new_broker(servers, Path(folder) / name, _ROOT / ".trunkline"))
    except BrokerUnavailable as error:
        missing = f"NO KAFKA, so nothing about Kafka is shown: {error}"
        if os.environ.get("CI") == "true" or servers.kind == "containers":
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """A connection to a broker that a test leaves open fails this test, not whichever runs when it is collected."""
    yield
    if _WITH_BROKER.isdisjoint(getattr(item, "fixturenames", ())):
        return
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        gc.collect()
    left = [str(warning.message) for warning in seen if issubclass(warning.category, ResourceWarning)]
    if left:
        pytest.fail(f"left open: {left}", pytrace=False)


class OneWorld(LoadScopeScheduling):  # type: ignore[misc]
    """A file at a time to each process; all faults to one, which mostly waits: their world costs half a minute."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return "faults" if file.startswith("tests/faults/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """For `-n`, whatever `--dist` says."""
    return OneWorld(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Faults first, then what waits for brokers among what works; the long ones first: so no core is idle for long.

    Else all processes would wait at the beginning, and one be left with a long file at the end.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    begins = {file: begin for seconds in (_WAITING, _WORKING) for file, begin in _begins(files, seconds)}
    items[:] = [item for file in sorted(files, key=lambda f: begins.get(f, 0.0)) for item in files[file]]


def _begins(files: Iterable[Path], seconds: dict[str, int]) -> Iterator[tuple[Path, float]]:
    """The files of some folders, the longest first, and after which share of all their time each begins."""
    folder_of = {file: file.relative_to(_ROOT / "tests").parts[0] for file in files}
    lasts = {
        file: _LONG.get(file.name, seconds.get(folder, 2))
        for file, folder in folder_of.items()
        if folder != "faults" and (folder in _WAITING) == (seconds is _WAITING)
    }
    passed, total = 1, sum(lasts.values()) + 1
    for file in sorted(lasts, key=lasts.__getitem__, reverse=True):
        yield file, passed / total
        passed += lasts[file]
