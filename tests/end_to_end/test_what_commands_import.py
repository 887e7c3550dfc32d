"""A command that speaks with running services imports only what it needs to: so it starts quickly (O1)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.end_to_end.test_every_wrong_value_is_refused_for_people import COMMANDS, EVERYWHERE, typed, usual
from trunkline.security.signing_keys import signing_key
from trunkline.settings import Settings
from trunkline.settings_variables import SETTINGS

HEAVY = (
    *("aiokafka", "faststream", "opentelemetry", "prometheus_client", "structlog"),
    *("fastapi", "starlette", "uvicorn", "httpx", "httpcore", "h11"),
    *("pydantic", "pydantic_core", "pydantic_settings", "msgspec", "joserfc", "cryptography.x509"),
    *("psycopg", "psycopg_pool", "eventsourcing", "phonenumbers", "xlsxwriter", "pygments"),
    *(
        "trunkline.settings",
        "trunkline.eventstore.event_store",
        "trunkline.messaging",
        "trunkline.http.app",
        "trunkline.contracts",
    ),
    *("trunkline_licensing", "trunkline_numbers"),
)
READS_MORE = {
    "billing publish": "it looks at each event by its contract before it sends it",
    "doctor": "it looks at disks and topics by the settings",
}
"""Commands that need some of it, and why."""
SCRIPT = """
import json, sys
from trunkline.cli.main import main
heavy, commands = json.load(sys.stdin)
found = {}
for name, words in commands.items():
    try:
        main(words)
    except SystemExit as ended:
        code = ended.code or 0
    found[name] = [code, [module for module in heavy if module in sys.modules]]
    for module in [m for m in sys.modules if any(m == h or m.startswith(h + ".") for h in heavy)]:
        del sys.modules[module]
print()
json.dump(found, sys.stdout)
"""


def words(name: str, folder: Path) -> list[str]:
    """A command with possible values for all it needs."""
    path, command = COMMANDS[name]
    needed = [p for p in command.params if p.name not in EVERYWHERE and p.required]
    chosen = [(p.param_type_name, typed(p, usual(p, folder))) for p in needed]
    options = [word for kind, each in chosen if kind != "argument" for word in each]
    return [*path, *options, "--", *(word for kind, each in chosen if kind == "argument" for word in each)]


def is_remote(command: Any) -> bool:
    return any(parameter.name == "url" for parameter in command.params)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of every command that speaks with services: how it ended, and what it imported of what takes long.

    Nothing answers: a command has then done all but to show what it was told.
    """
    home = tmp_path_factory.mktemp("home")
    (home / "text").write_text("+442079460001\n", encoding="utf-8")
    signing_key(home / "keys")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    commands = {
        name: words(name, home)
        for name, (_, command) in COMMANDS.items()
        if is_remote(command) and name not in READS_MORE
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environment |= {"TRUNKLINE_HOME": str(home), "TRUNKLINE_HTTP_PORT": str(port)}
    return run(commands, environment, home)


def run(commands: dict[str, list[str]], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Of each command how it ended, and what it imported of what takes long; all in one process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([HEAVY, commands]),
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Answers(BaseHTTPRequestHandler):
    """A service whose clock is the machine's, whatever it is asked."""

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps({"now": "2026-03-01T00:00:00Z", "ahead_seconds": 0.0, "sandbox": False, "services": []})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_then_neither_help_nor_an_answer_takes_more(tmp_path: Path) -> None:
    """O1: the version, the help, a mistyped name, and a table of what services have answered."""
    signing_key(tmp_path / "keys")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        environment |= {"TRUNKLINE_HOME": str(tmp_path), "TRUNKLINE_HTTP_PORT": str(server.server_address[1])}
        typed = ("--version", "--help", "number --help", "number list", "number search --help", "clock show")
        found = run({line: line.split() for line in typed}, environment, tmp_path)
        server.shutdown()
    by_typer = {"pygments"}  # with what it formats help; 50 ms that only help takes
    assert {line: [code, set(modules) - by_typer] for line, (code, modules) in found.items()} == {
        line: [2 if line == "number list" else 0, set()] for line in typed
    }
    assert found["--version"][1] == found["clock show"][1] == []


def test_then_nothing_is_imported_that_only_services_need(imported: dict[str, Any]) -> None:
    """O1: no models, no telemetry, no client of a broker or a database, no second HTTP client."""
    assert {name: modules for name, (_, modules) in imported.items() if modules} == {}
    assert len(imported) > 70


def test_then_they_get_as_far_as_the_services(imported: dict[str, Any]) -> None:
    """O1: what is asserted above is of commands that had read their arguments, settings and key."""
    codes = [code for code, _ in imported.values()]
    assert codes.count(4) > 60


def test_then_the_names_of_all_settings_are_known() -> None:
    """Settings: a misspelt variable is refused by commands that do not build their models, too."""
    assert set(Settings.model_fields) == SETTINGS
