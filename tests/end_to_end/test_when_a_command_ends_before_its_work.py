"""When a command ends before its work: Ctrl-C, a killed service, slow projections (O1)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shell import Shell
from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.terminal.exit_codes import Unreachable

ID, ORG = "5c1d9d8e-8a6f-4a53-9d43-0d9f6a7c5e04", "7f0f5f8e-51f5-4d53-8a7e-b3f1c2a9d902"
SEEN = {"upload_id": ID, "rows": 2, "good": 2, "bad": 0, "unlikely": 0, "bad_rows": []}
UPLOAD, BULK = f"trunkline number upload-watch {ID}", f"trunkline bulk watch {ID}"
LIST = "trunkline projection list"
REST = "trunkline republish numbers --from 43 --to 90 --event NumberAdded --rate 5"
VIEWS_BEHIND = {"code": "views-behind", "detail": "The views have not reached 9 within 5 s; try again."}
ENDS = {
    "ctrl-c": (KeyboardInterrupt(), 3),
    "killed": (Unreachable("Nothing answers at http://127.0.0.1:9: start it with `trunkline up`."), 4),
    "restarting": (Unreachable("It is stopping; try again.", {"code": "database-unavailable"}), 4),
    "slow projections": (Unreachable(VIEWS_BEHIND["detail"], VIEWS_BEHIND), 4),
}
COMMANDS = {
    "upload": (("number", "upload", "FILE"), ID, UPLOAD),
    "upload-run": (("number", "upload-run", ID), ID, UPLOAD),
    "upload-watch": (("number", "upload-watch", ID), ID, UPLOAD),
    "bulk assign": (("bulk", "assign", ID, "--organization", ORG), ID, BULK),
    "bulk assign --watch": (("bulk", "assign", ID, "--organization", ORG, "--watch"), ID, BULK),
    "bulk watch": (("bulk", "watch", ID, "--organization", ORG), ID, BULK),
    "rebuild": (("projection", "rebuild", "number_view", "--service", "numbers"), "number_view", LIST),
    "republish": (
        ("republish", "numbers", "--to", "90", "--event", "NumberAdded", "--rate", "5"), "position 42", REST),
}  # fmt: skip


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Commands typed where nothing runs."""
    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRUNKLINE_URL", "http://127.0.0.1:9")
    return Shell(capsys)


def interrupt(patch: pytest.MonkeyPatch, end: BaseException) -> None:
    """Let a service take everything, and end every look at what became of it so."""

    def look(*_: Any, **__: Any) -> Any:
        raise end

    def post(_: ApiClient, path: str, *__: Any, **___: Any) -> Any:
        if path.endswith("/assign"):
            raise end
        return {}

    @contextmanager
    def lines(*_: Any, **__: Any) -> Iterator[Iterator[str]]:
        def told() -> Iterator[str]:
            step = {"name": "n", "phase": "p", "done": 42, "total": 90, "position": 42, "events": 7}
            yield json.dumps({"progress": step})
            raise end

        yield told()

    patch.setattr(ApiClient, "post_bytes", lambda *_, **__: SEEN)
    patch.setattr(ApiClient, "post", post)
    patch.setattr(ApiClient, "get", look)
    patch.setattr(ApiClient, "lines", lines)
    patch.setattr(ApiClient, "catch_up", lambda _: None)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_then_it_names_the_work_and_what_shows_it(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, end: str
) -> None:
    """O1: never "try again" for what would run twice; the command that it names is complete."""
    argv, id_, show = COMMANDS[command]
    error, code = ENDS[end]
    file = tmp_path / "numbers.csv"
    file.write_text("")
    interrupt(monkeypatch, error)
    done = shell(*(str(file) if word == "FILE" else word for word in argv))
    assert (done.code, id_ in done.err, f"`{show}`" in done.err) == (code, True, True), done.err
    assert "try again" not in done.err
    if end == "ctrl-c" and command != "republish":
        assert "goes on in the service" in done.err
    if end == "slow projections":
        assert "projections are behind" in done.err or command == "republish"


@pytest.mark.parametrize("end", ["ctrl-c", "killed"])
def test_then_an_upload_that_may_not_have_arrived_has_added_nothing(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """O1: what is not previewed yet does not run."""
    error, code = ENDS[end]
    (file := tmp_path / "numbers.csv").write_text("")

    def post_bytes(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(ApiClient, "post_bytes", post_bytes)
    done = shell("number", "upload", str(file))
    assert (done.code, "No number was added." in done.err, "`trunkline number uploads`" in done.err) == (
        code,
        True,
        True,
    )


def test_then_what_republish_names_can_be_typed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: the same conditions from the next position on; nothing else is published twice."""
    interrupt(monkeypatch, KeyboardInterrupt())
    done = shell("republish", "numbers", "--stream", "number/+6531580001", "--topic", "again and again", "--rate", "9")
    rest = shlex.split(done.err.split("`")[1])
    assert rest == ["trunkline", "republish", "numbers", "--from", "43", "--stream", "number/+6531580001", "--topic",
                    "again and again", "--rate", "9"]  # fmt: skip
