"""When the services run on the embedded PostgreSQL of a home."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from trunkline.embedded_postgres.server import EmbeddedPostgres, EmbeddedPostgresError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


@pytest.fixture
def outer() -> Iterator[Path]:
    """A private folder, as a user's own is; what is below it is nobody else's business."""
    with tempfile.TemporaryDirectory(prefix="trunkline-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def server(outer: Path) -> Iterator[EmbeddedPostgres]:
    found = EmbeddedPostgres(outer / "home").start()
    yield found
    found.start()
    found.discard()


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def modes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of every folder above."""
    found = {above: above.stat() for above in (folder, *folder.parents)}
    return {above: (stat.st_mode, stat.st_uid, stat.st_gid) for above, stat in found.items()}


def test_each_database_is_created_when_asked_for_and_found_again(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("numbers")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    assert ask(server.url("numbers"), "SELECT value FROM kept") == 7
    assert ask(server.url("licensing"), "SELECT current_database()") == "licensing"


def test_what_was_committed_is_safe_and_no_port_is_open(server: EmbeddedPostgres) -> None:
    url = server.url("numbers")
    assert ask(url, "SHOW fsync") == "on"
    assert ask(url, "SHOW synchronous_commit") == "on"
    assert ask(url, "SHOW listen_addresses") == ""


def test_data_outlives_a_stop(server: EmbeddedPostgres) -> None:
    url = server.url("numbers")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (value int)")
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    server.start()
    assert ask(url, "SELECT count(*) FROM kept") == 0


def test_a_killed_server_is_started_again(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("numbers")) as connection:
        connection.execute("CREATE TABLE kept (value int)")
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    server.start()
    assert server.pid != killed
    assert ask(server.url("numbers"), "SELECT count(*) FROM kept") == 0


def test_a_process_id_that_is_somebody_elses_by_now_does_no_harm(server: EmbeddedPostgres) -> None:
    server.stop()
    (server.location / "postmaster.pid").write_text(f"{os.getpid()}\n{server.location}\n")
    server.start()
    assert ask(server.url("numbers"), "SELECT 1") == 1


def test_the_second_user_finds_the_server_of_the_first_and_leaves_it_running(
    server: EmbeddedPostgres,
) -> None:
    with EmbeddedPostgres(server.home) as second:
        assert second.pid == server.pid
    assert ask(server.url("numbers"), "SELECT 1") == 1


def test_the_server_outlives_the_process_that_started_it_while_another_uses_it(
    server: EmbeddedPostgres,
) -> None:
    server.stop()
    program = (
        "import sys; from pathlib import Path; from trunkline.embedded_postgres.server import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1])).start();"
        "print(server.pid, flush=True); sys.stdin.read(); server.stop()"
    )
    first = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(server.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with first:
        assert first.stdout is not None
        started = int(first.stdout.readline())
        server.start()
        first.communicate()
    assert first.returncode == 0
    assert server.pid == started
    assert ask(server.url("numbers"), "SELECT 1") == 1


def test_a_user_that_was_killed_does_not_keep_the_server_up(server: EmbeddedPostgres) -> None:
    program = (
        "import os, sys; from pathlib import Path; from trunkline.embedded_postgres.server import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(server.home)], check=False)
    assert done.returncode == -signal.SIGKILL
    server.stop()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        assert server.pid


def test_nothing_is_said_where_the_session_has_no_runtime_folder(outer: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    program = (
        "import sys; from pathlib import Path; from trunkline.embedded_postgres.server import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1])).start(); server.url('a'); server.discard()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(outer / "home")],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_home_with_a_long_and_awkward_name_serves_too(outer: Path) -> None:
    server = EmbeddedPostgres(outer / 'it\'s a "home", too' / ("x" * 100)).start()
    try:
        assert ask(server.url("numbers"), "SELECT 1") == 1
    finally:
        server.discard()


def test_starting_changes_the_mode_of_no_folder_there_was(outer: Path) -> None:
    home = outer / "home"
    home.mkdir(mode=0o700)
    before = modes(home)
    interpreter = modes(Path(sys.prefix))
    server = EmbeddedPostgres(home).start()
    try:
        assert modes(home) == before
        assert modes(Path(sys.prefix)) == interpreter
    finally:
        server.discard()
    assert modes(home) == before
    assert not list(home.iterdir())


@as_root
def test_as_root_the_data_of_a_private_home_lies_outside_and_is_found_again(outer: Path) -> None:
    server = EmbeddedPostgres(outer / "home").start()
    try:
        assert server.outside
        assert not server.location.is_relative_to(outer)
        assert (server.home / "postgres" / "location").read_text().strip() == str(server.location)
        assert server.location.stat().st_mode & 0o777 == 0o700
        first = ask(server.url("numbers"), "SELECT system_identifier FROM pg_control_system()")
        server.stop()
        with EmbeddedPostgres(server.home) as again:
            found = ask(again.url("numbers"), "SELECT system_identifier FROM pg_control_system()")
            assert found == first
    finally:
        server.discard()
    assert not server.location.parent.exists()


@as_root
def test_as_root_the_data_of_a_home_open_to_all_stays_in_it(outer: Path) -> None:
    outer.chmod(0o755)
    (outer / "home").mkdir(mode=0o755)
    server = EmbeddedPostgres(outer / "home").start()
    try:
        assert not server.outside
        assert server.location == outer / "home" / "postgres" / "data"
    finally:
        server.discard()


@as_root
def test_as_root_a_home_that_was_moved_is_refused_rather_than_empty(outer: Path) -> None:
    server = EmbeddedPostgres(outer / "home").start()
    server.stop()
    try:
        shutil.move(outer / "home", outer / "moved")
        with pytest.raises(EmbeddedPostgresError, match="was moved"):
            EmbeddedPostgres(outer / "moved").start()
    finally:
        shutil.move(outer / "moved", outer / "home")
        server.discard()


def test_programs_that_the_owner_cannot_reach_are_copied_beside_the_data(
    outer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as under root with the environment in root's own private folder
    monkeypatch.setattr(
        "trunkline.embedded_postgres.data_directory._runs",
        lambda install, place: install.is_relative_to(place.data.parent),
    )
    server = EmbeddedPostgres(outer / "home").start()
    try:
        assert ask(server.url("numbers"), "SELECT 1") == 1
    finally:
        server.discard()
    assert not server.location.parent.exists()


def test_a_new_home_and_its_log_are_their_owners_alone(server: EmbeddedPostgres) -> None:
    """P6: whatever the umask; what was open to all is so no more from the next start on."""
    assert server.home.stat().st_mode & 0o777 == 0o700
    log = server.home / "postgres" / "log"
    assert log.stat().st_mode & 0o777 == 0o600
    log.chmod(0o644)
    server.home.chmod(0o755)
    server.stop()
    server.start()
    assert log.stat().st_mode & 0o777 == 0o600
    # under root others could pass through it, and the server's account may have to
    assert server.home.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    server.home.chmod(0o750)
    server.stop()
    server.start()
    assert server.home.stat().st_mode & 0o777 == 0o700


def _as_everybody(url: str) -> str:
    """The same server for who does not know its password."""
    return url.replace(url.partition("//")[2].partition("@")[0], "trunkline")


@as_root
def test_as_root_nobody_gets_in_without_the_password(server: EmbeddedPostgres) -> None:
    """P6: the account that the server runs as has other programs too; they reach the socket, and no further."""
    url = server.url("numbers")
    password = server.home / "postgres" / "password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text() in url
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(_as_everybody(url))
    assert not list(server.location.glob(".password*"))


@as_root
def test_as_root_a_cluster_of_before_demands_the_password_from_the_next_start_on(server: EmbeddedPostgres) -> None:
    """P6: also if the start that was to demand it was killed in between."""
    with psycopg.connect(server.url("numbers")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    server.stop()
    (server.location / "pg_hba.conf").write_text("local all all trust\n")
    for password_written in (True, False):
        if not password_written:
            (server.location / "pg_hba.conf").write_text("local all all trust\n")
            (server.home / "postgres" / "password").unlink()
        url = server.start().url("numbers")
        assert ask(url, "SELECT value FROM kept") == 7
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(_as_everybody(url))
        server.stop()
