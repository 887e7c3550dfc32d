"""What commands print is whole and harmless, whatever the terminal and whoever chose a name (O1, §9)."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.terminal import output

NAME = "Zo\u00eb \u4e2d \U0001f600"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_then_json_is_whole_on_every_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: what a terminal cannot write is escaped, never replaced."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="replace"))
    output.print_json({"name": NAME, "half": "\ud83d"})
    assert json.loads(raw.getvalue().decode(encoding)) == {"name": NAME, "half": "\ud83d"}


@pytest.mark.parametrize("show", [
    lambda name: name,
    lambda name: output.line("name ", (name, "bold")),
    lambda name: output.table(["name"], [[name], [[name, "x"]], [{"inner": name}]], title=None),
    lambda name: output.facts({"name": name}),
])  # fmt: skip
def test_then_a_name_cannot_steer_the_terminal(show: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """§9: escape sequences, bells, bidirectional and zero-width signs that others chose are shown escaped."""
    output.print_shown(show("a\x1b[2Jb\x07\u202ec\u200b\x9b"))
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\u202e\u200b\x9b")
    assert "x1b[2Jb" in out
    assert "u202ec" in out


def test_then_an_error_cannot_either(capsys: pytest.CaptureFixture[str]) -> None:
    """§9: refusals repeat what was sent."""
    output.print_error("no file a\x1b]0;owned\x07")
    assert "\x1b]" not in capsys.readouterr().err


@given(st.text(max_size=40))
def test_then_only_what_can_be_seen_is_left(text: str) -> None:
    """§9: and what can be seen stays as it is."""
    seen = output.visible(text)
    assert all(sign.isprintable() or sign in "\n\u00a0" or sign.isspace() for sign in seen)
    if text.isprintable():
        assert seen == text


def test_then_a_reader_that_goes_ends_a_command_quietly() -> None:
    """O1: as `| head` does."""
    command = [sys.executable, "-c", "from trunkline.cli.main import main; main(['contract', 'list', '--json'])"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
