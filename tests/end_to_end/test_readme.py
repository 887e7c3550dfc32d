"""When somebody types the commands of README.md and of the pages in docs/: they work in the order of the pages (O1)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from deploy.local_servers.broker import free_ports
from tests.contracts import reference_tables
from trunkline.settings import PREFIX, Settings
from trunkline.settings_variables import CLIENT

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "docs/quickstart.md",
        "docs/billing-integration.md",
        "docs/consuming-events.md",
        "docs/number-administration.md",
        "docs/bulk-extensions.md",
        "docs/operations.md",
    )
]
"""In the order in which they continue each other."""
STORY = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SETTINGS_PAGE = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"<!-- run(?:: ([a-z ]+))? -->\n```sh\n(.*?)```", re.DOTALL)
_PORT = "8080"
_LOOKS = 50
"""A notice is mailed a moment after it is recorded."""


def blocks(mark: str) -> str:
    """The commands under a mark, one script; their port is one that is free here."""
    return "".join(script for found, script in _BLOCK.findall(STORY) if found == mark)


class Reader:
    """Somebody with a fresh home and a free port who types what the page says."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        (self._port,) = map(str, free_ports(1))
        programs = Path(sys.executable).parent
        path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
        temporary = {"TMPDIR": str(folder / "temporary"), f"{PREFIX}HTTP_PORT": self._port}
        (folder / "temporary").mkdir()
        self._environment = (
            {n: v for n, v in os.environ.items() if not n.startswith(PREFIX)} | path | temporary | environment
        )
        self.folder = folder / "checkout"
        self.folder.mkdir()
        self._log = folder / "log"

    def types(self, script: str) -> str:
        """What the commands say. Every one of them must succeed."""
        done = self._done(script, "-euo")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def types_again(self, script: str) -> str:
        """What the commands say, errors among it, to somebody who goes on whatever they say."""
        done = self._done(script, "-uo")
        return f"{done.stdout}\n{done.stderr}"

    def _done(self, script: str, options: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", options, "pipefail", "-c", script.replace(_PORT, self._port)]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )

    @contextmanager
    def has_running(self, script: str) -> Iterator[None]:
        """Commands that go on in another terminal until Ctrl-C."""
        command = ["bash", "-euo", "pipefail", "-c", f"{script.rstrip()} & trap 'kill $!' TERM; wait $!; wait $!"]
        with (
            self._log.open("a") as log,
            subprocess.Popen(
                command, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            assert process.stdout is not None
            said = process.stdout.readline()
            try:
                assert "Ctrl-C stops it" in said, self._log.read_text()
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.stdout.read()


@pytest.fixture
def reader_with(databases: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes a reader; the databases are of the tests' own server, everything else is new."""
    urls = {f"{PREFIX}{name}_DATABASE_URL": databases.create() for name in ("LICENSING", "NUMBERS")}
    yield lambda **environment: Reader(tmp_path, urls | environment)
    for url in urls.values():
        databases.drop(url)


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"NO {program}, so the README's commands are not shown")


def test_then_a_story_runs_from_the_first_command_to_the_last(reader_with: Any) -> None:
    """Integrator, consumer and operator, in the order of the page, in one shell as they would."""
    _needs("curl")
    reader = reader_with()
    with reader.has_running(blocks("up")):
        told = reader.types(blocks(""))
        mailed = next((True for _ in range(_LOOKS) if "reservation of" in reader.types("trunkline mail list")), False)
        again = reader.types_again(blocks(""))
        numbers = reader.types("trunkline number search --json")
    assert mailed
    assert not re.search(r"Traceback|Something went wrong|command not found|unbound variable", again), again
    assert again.count("is in the inventory already") >= 2, again
    assert numbers.count('"number":') == 14
    assert [path.name for path in reader.folder.iterdir()] == [".trunkline"]
    for word in ("duplicate", "NumberAssigned", "NumberReserved", "ReservationEnding", "NumberReleased"):
        assert word in told


def test_then_the_events_can_be_read_from_a_real_broker(reader_with: Any, own_broker: Any) -> None:
    """The same with topics: created, and read by another program."""
    _needs("kcat")
    reader = reader_with(TRUNKLINE_KAFKA_BOOTSTRAP=own_broker.bootstrap)
    assert "NumberAdded" in reader.types(blocks("kafka"))
    with reader.has_running(blocks("up")):
        assert "+442079460003 {" in reader.types(blocks("kafka after"))


def test_then_the_services_run_apart(own_broker: Any, postgres: Any, tmp_path: Path) -> None:
    """With roles, databases and ports of their own, as the page has it."""
    _needs("psql")
    _needs("curl")
    server = conninfo_to_dict(postgres.url("postgres"))
    login = {f"PG{name.upper()}": str(server[name]) for name in ("host", "port", "user", "password") if name in server}
    reader = Reader(tmp_path, login | {"PGDATABASE": "postgres"})
    one, two = map(str, free_ports(2))
    script = blocks("apart").replace("localhost:9092", own_broker.bootstrap).replace("8081", one).replace("8082", two)
    script = script.replace("/var/lib/trunkline", str(tmp_path / "home"))
    place = f"?host={quote(str(server['host']), safe='')}&port={server.get('port', 5432)}"
    for name in ("licensing", "numbers"):
        script = script.replace(f"@localhost/{name}", f"@/{name}{place}")
    try:
        told = reader.types(f"{script}\nkill $(jobs -p)\nwait")
    finally:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            for name in (b"licensing", b"numbers"):
                connection.execute(b"DROP DATABASE IF EXISTS " + name + b" WITH (FORCE)")
                connection.execute(b"DROP ROLE IF EXISTS " + name)
    assert "applied" in told
    assert "SubscriptionExpired" in told


def test_then_every_block_of_commands_has_a_mark_or_is_known() -> None:
    """No block escapes by lacking its mark: only what makes this environment, or needs servers, is not run here."""
    unmarked = re.sub(_BLOCK, "", STORY)
    others = re.findall(r"```sh\n(.*?)```", unmarked, re.DOTALL)
    assert others == ["make demo\n", 'eval "$(cd "$OLDPWD" && make kafka-up)"\n']
    for page in set(ROOT.glob("docs/**/*.md")) - set(PAGES):
        assert "```sh" not in page.read_text(encoding="utf-8"), page


def test_then_what_is_typed_means_the_same_in_zsh() -> None:
    """O1: interactively, zsh refuses globs that match nothing, expands `=word`, and takes `#` for a word."""
    for script in re.findall(r"```sh\n(.*?)```", STORY, re.DOTALL):
        typed = re.sub(r"<<(\w+)\n.*?\n\1\n", "\n", script, flags=re.DOTALL)
        typed = re.sub(r"'[^']*'|\"[^\"]*\"", "''", typed)
        found = re.search(r"[*?#\[\]^]|(^|\s)=\w|\s!\w", typed)
        assert found is None, f"{found[0]!r} in {typed}"


def test_then_every_file_that_a_page_names_is_there() -> None:
    """Code, tests and deployment."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    named = set(re.findall(r"`((?:services|shared|tests|deploy|bench)/[\w./-]+)`", pages))
    assert len(named) > 30
    assert not {path for path in named if not (ROOT / path).exists()}


def test_then_every_setting_is_explained() -> None:
    """And what the command line reads besides, and none that there is not."""
    explained = SETTINGS_PAGE.partition("## What they do")[2]
    named = set(re.findall(rf"`({PREFIX}[A-Z_]+)`", explained)) - {PREFIX}
    assert named == {f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, *CLIENT)}


def test_then_the_tables_of_settings_and_metrics_are_those_of_the_code() -> None:
    """O7: `python -m tests.contracts.reference_tables` writes them."""
    for name, text in reference_tables.pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


def test_then_the_readme_fits_on_one_screen() -> None:
    """What it is, three readers, how to start: the rest lies in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60
