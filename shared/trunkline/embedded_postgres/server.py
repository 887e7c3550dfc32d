"""A real PostgreSQL out of a Python wheel, for the home of one installation.

The server listens on a Unix socket in its own private folder and on nothing else; fsync stays on.
Several processes may use one home: the first to come starts the server, the last to leave stops it.
Who uses it is known by locks on a file, which the system lets go even of a process that was killed,
so no count of users can go wrong. A server left behind by a killed process is simply used again.

In the home, the folder `postgres` holds `data` (or `location`, the name of a folder outside the
home; see `data_directory.py`), `log`, and the two lock files `turn` and `users`.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from trunkline.embedded_postgres.data_directory import (
    PORT,
    EmbeddedPostgresError,
    Place,
    as_owner,
    binaries,
    find_place,
    forget_dead_server,
    is_running,
    lay,
    make_private,
    open_private,
    recorded_pid,
    socket_folder,
)
from trunkline.embedded_postgres.password import (
    ONLY_BY_PASSWORD,
    believes_everybody,
    given_password,
    make_password,
    needs_password,
    read_password,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_SUPERUSER = "trunkline"
_START_SECONDS = 120
_SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_connections": "60",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """The PostgreSQL of one home: `start`, ask for `url`s, `stop`. Also a context manager.

    `home` is created when missing.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()
        self._folder = self.home / "postgres"
        self._use: IO[bytes] | None = None
        self._place: Place | None = None

    @property
    def location(self) -> Path:
        """The folder with the database's files. Raises EmbeddedPostgresError before `start`."""
        return self._started().data

    @property
    def outside(self) -> bool:
        """Whether `location` is outside the home (root with a private home): the user is informed."""
        return self._started().outside

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedPostgresError when it is not running."""
        pid = recorded_pid(self._started().data)
        if pid is None:
            raise EmbeddedPostgresError(f"the PostgreSQL of {self.home} is not running")
        return pid

    def start(self) -> Self:
        """Create the cluster if there is none, start its server unless it runs, count as its user.

        Returns itself once the server answers. Raises EmbeddedPostgresError with the end of the
        server's log when it does not start.
        """
        make_private(self.home)
        self._folder.mkdir(exist_ok=True)
        with self._turn():
            self._place = find_place(self._folder, self.home)
            lay(self._place, self._folder)
            if self._use is None:
                self._use = (self._folder / "users").open("ab")
                fcntl.flock(self._use, fcntl.LOCK_SH)
            try:
                self._bring_up(self._place)
            except BaseException:
                self._leave()
                raise
        return self

    @property
    def running(self) -> bool:
        """Whether the server's process is there; cheap enough to be asked every second."""
        return is_running(self._started().data)

    def start_again(self) -> None:
        """Start the server of a home in use after it has died; one that runs by now is left alone.

        Raises EmbeddedPostgresError with the end of the server's log when it does not start.
        """
        location = self._started()
        with self._turn():
            if self._use is not None:
                self._bring_up(location)

    def stop(self) -> None:
        """Leave the server; stop it when nobody else uses it. Does nothing when not started."""
        if self._use is None or self._place is None:
            return
        data = self._place.data
        with self._turn():
            if self._leave() and is_running(data):
                try:
                    self._run("pg_ctl", "stop", "-s", "-w", "-t", "60", "-m", "fast")
                except EmbeddedPostgresError:
                    if is_running(data):  # else it has died meanwhile, and there is nothing to stop
                        raise

    def discard(self) -> None:
        """Stop, and delete the data wherever it lies. For temporary homes.

        Raises EmbeddedPostgresError when another process still uses it.
        """
        self.stop()
        location = self._started()
        if recorded_pid(location.data) is not None:
            raise EmbeddedPostgresError(f"the PostgreSQL of {self.home} is still in use")
        shutil.rmtree(location.data.parent if location.outside else location.data)
        if socket_folder(location) != location.data:
            shutil.rmtree(socket_folder(location).parent)
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """The connection URL of `database`, which is created when missing."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT FROM pg_database WHERE datname = %s", (database,))
            if there.rowcount == 0:
                # another process may be faster
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database))
                    connection.execute(statement)
        return self._address(database)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _started(self) -> Place:
        if self._place is None:
            raise EmbeddedPostgresError(f"the PostgreSQL of {self.home} was not started")
        return self._place

    def _address(self, database: str) -> str:
        host = quote(str(socket_folder(self._started())), safe="")
        password = read_password(self._folder)
        who = _SUPERUSER if password is None else f"{_SUPERUSER}:{password}"
        return f"postgresql://{who}@/{quote(database, safe='')}?host={host}&port={PORT}"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time starts or stops; the others wait here."""
        with (self._folder / "turn").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _leave(self) -> bool:
        """Stop counting as a user; True when nobody is left. Only while holding the turn."""
        use, self._use = self._use, None
        if use is None:
            return False
        with use:
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def _bring_up(self, location: Place) -> None:
        if not (location.data / "global" / "pg_control").exists():
            self._create_cluster(location)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if forget_dead_server(location):
                self._launch(location, deadline)
            elif time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"the PostgreSQL of {self.home} does not answer")
            else:
                time.sleep(0.05)  # left behind by a killed process, and still recovering
        if needs_password(location) and believes_everybody(location):
            self._demand_password(location)

    def _demand_password(self, location: Place) -> None:
        """Demand a password of a cluster that was created without one.

        The password is written down first and demanded last: whoever is killed in between does the rest next time.
        """
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            password = read_password(self._folder) or make_password(self._folder)
            connection.execute("SET scram_iterations = 1")
            change = sql.SQL("ALTER USER {} PASSWORD {}").format(sql.Identifier(_SUPERUSER), sql.Literal(password))
            connection.execute(change)
            (location.data / "pg_hba.conf").write_text(ONLY_BY_PASSWORD)
            connection.execute("SELECT pg_reload_conf()")

    def _create_cluster(self, location: Place) -> None:
        draft = location.data / "draft"
        if draft.exists():  # of an initdb that was killed
            shutil.rmtree(draft)
        with given_password(location, self._folder) as authentication:
            self._run(
                *("initdb", "-D", str(draft), "-U", _SUPERUSER, *authentication, "--encoding=UTF8"),
                # sorted by code point on every machine, whatever its locales
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            )
        for made in sorted(draft.iterdir(), key=lambda made: made.name == "global"):
            made.rename(location.data / made.name)
        draft.rmdir()

    def _launch(self, location: Place, deadline: float) -> None:
        settings = _SETTINGS | {"unix_socket_directories": f'"{socket_folder(location)}"'}
        # pg_ctl's own -D would not stand a quotation mark in the folder's name
        options = shlex.join(["-D", str(location.data), *(f"--{name}={value}" for name, value in settings.items())])
        command = ("pg_ctl", "start", "-s", "-w", "-t", str(_START_SECONDS), "-o", options)
        while True:
            try:
                return self._run(*command)
            except EmbeddedPostgresError as error:
                # the children of a killed server take a moment to let go of its memory
                if "shared memory block" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        location = self._started()
        with open_private(self._folder / "log") as log:
            before = log.tell()
            done = subprocess.run(
                [binaries(location) / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=location.data,
                # none of the user's PG… variables
                env={"PATH": os.defpath, "LC_ALL": "C", "PGDATA": str(location.data)},
                check=False,
                **as_owner(location),
            )
            if done.returncode != 0:
                log.seek(before)
                output = log.read().decode(errors="replace").strip()[-2000:]
                raise EmbeddedPostgresError(f"{program} failed for {location.data}: {output}")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
