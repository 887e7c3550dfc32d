"""The `trunkline` command as a test types it, and a running service for it to speak with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.http import world
from trunkline.cli.main import main

UP = (sys.executable, "-c", "from trunkline.cli.main import main; main()", "up", "--json")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said, as one JSON document."""
        return json.loads(self.out)


class Shell:
    """Types commands, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str) -> Done:
        """Run one command to its end."""
        self._capsys.readouterr()
        code: Any = 0
        try:
            main(argv)
        except SystemExit as left:
            code = left.code or 0
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        return Done(code, out, err)

    def json(self, *argv: str) -> Any:
        """What a command that does it says with --json."""
        done = self(*argv, "--json")
        assert done.code == 0, done.err
        return done.json

    def text(self, *argv: str) -> str:
        """What a command that does it says to people."""
        done = self(*argv)
        assert done.code == 0, done.err
        assert done.err == ""
        return done.out


def until_numbers_knows(shell: Shell, party_id: str) -> str:
    """Wait until numbers has heard of a partner or an organization that licensing has registered; its id."""
    given = ("--vendor", "V", "--country", "SG", "--sku", "S", "--holder", party_id, "--dry-run")
    for _ in range(1_000):
        if (done := shell("number", "add", "+6531599999", *given)).code == 0:
            return party_id
    raise AssertionError(f"numbers never knew {party_id}: {done.err}")


@contextmanager
def up(home: Path, licensing_url: str, numbers_url: str) -> Iterator[dict[str, Any]]:
    """`trunkline up` in a process of its own: what it says of itself. It must leave with 0 when told to."""
    settings = {
        "TRUNKLINE_HOME": str(home),
        "TRUNKLINE_LICENSING_DATABASE_URL": licensing_url,
        "TRUNKLINE_NUMBERS_DATABASE_URL": numbers_url,
        "TRUNKLINE_HTTP_PORT": "0",
        "TRUNKLINE_SANDBOX": "on",
        "PYTHONUNBUFFERED": "",  # as most have it: what it says must come through a pipe all the same
    }
    log = (home / "log").open("w")
    with log, subprocess.Popen(UP, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | settings) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, (home / "log").read_text()
            said += line
        try:
            yield json.loads(said)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait()
        assert code == 0, (home / "log").read_text()


def event(fact: str, subscription_id: str, organization_id: str, at: datetime, **data: Any) -> dict[str, Any]:
    """A CloudEvent of billing's, as a line of a file: `fact` is `started`, `expired`, …"""
    return world.event(fact, subscription_id, organization_id, at.isoformat(), **data)
