"""Every command with each kind of wrong value: a sentence for people, without a trace of what is inside (O1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin
from uuid import UUID, uuid4

import pytest
import typer

from tests.end_to_end.shell import Shell
from trunkline.cli.main import _app

TRACES = {
    "a regular expression": r"\(\?|\[\^|\\\\?[sSdDwx]\b|\{\d+,\d+\}|\^\[|\]\+\$|\\u00",
    "a pointer": r"#/|\$\.\w",
    "an enum or an object": r"AddressFamily|AF_INET|<\w+[.:]|<class |object at 0x|PosixPath|Annotated\[",
    "words of a library": r"(?i)\bpydantic|msgspec|httpx|should match|Input should|validation error|after validation"
    r"|Value error|String should|List should|Extra inputs|Field required|matching regex",
    "a mistake of the program": r"Traceback|Something went wrong|Error:\s|\w+Error\b|Errno|\bNoneType\b",
}
SKIPPED = {
    ("up",),
    ("demo",),
    ("stream", "follow"),
    ("migrate",),
    ("restored",),
    ("clock", "advance"),
    ("clock", "set"),
}
SKIPPED |= {("token", "rotate"), ("token", "revoke")}
"""They serve or run until they are stopped, or move what other tests see; what they refuse has tests of its own."""
PARTIES = {"ORGANIZATION", "PARTNER", "PARTY"}
"""Metavariables of what names a party; by a whole UUID it is not looked up."""
EVERYWHERE = {"as_json", "config", "url", "token", "help"}


def leaves() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield path, command
        for name, each in (below or {}).items():
            yield from walk(each, (*path, name))

    yield from walk(typer.main.get_command(_app()), ())


COMMANDS = {" ".join(path): (path, command) for path, command in leaves() if path not in SKIPPED}


def kind(parameter: Any) -> Any:
    """The type of a parameter's value, or of one of its values."""
    annotation = parameter.type_descriptor.annotation
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def wrong_values(parameter: Any, folder: Path) -> list[str]:
    """One of each kind of wrong value that a parameter can get."""
    of = kind(parameter)
    if of is bool:
        return []
    if of is UUID:
        return ["nobody"]
    if of in (int, float):
        return ["many"]
    if not isinstance(of, type) or issubclass(of, Enum):
        return ["purple"]
    if issubclass(of, Path):
        return [str(folder), str(folder / "binary")]
    return ["a@[;\x07", "x" * 1_500]


def usual(parameter: Any, folder: Path) -> str:
    """What a parameter that is needed gets while another one is tried."""
    of = kind(parameter)
    if of is UUID or parameter.metavar in PARTIES:
        return str(uuid4())
    if of in (int, float):
        return "1"
    if not isinstance(of, type):
        return str(get_args(of)[0])
    if issubclass(of, Enum):
        return str(next(iter(of)).value)
    if issubclass(of, Path):
        return str(folder / "text")
    return "+442079460001"


def typed(parameter: Any, value: str) -> list[str]:
    return [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]


@pytest.mark.parametrize("name", COMMANDS)
def test_then_what_a_person_reads_is_written_for_them(shell: Shell, tmp_path: Path, name: str) -> None:
    """O1: no regular expression, pointer, enum or exception; one parameter is wrong, the others are possible."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00PK\x03\x04")
    (tmp_path / "text").write_text("name,value\n1,2\n", encoding="utf-8")
    path, command = COMMANDS[name]
    parameters = [p for p in command.params if p.name not in EVERYWHERE]
    for parameter in parameters:
        for value in wrong_values(parameter, tmp_path):
            values = {p.name: usual(p, tmp_path) for p in parameters if p.required} | {parameter.name: value}
            chosen = [(p.param_type_name, typed(p, values[p.name])) for p in parameters if p.name in values]
            options = [word for where, words in chosen if where != "argument" for word in words]
            arguments = [word for where, words in chosen if where == "argument" for word in words]
            check(shell, (*path, *options, "--", *arguments))


def check(shell: Shell, argv: tuple[str, ...]) -> None:
    """Type it; what it writes has no trace of what is inside, apart from what was typed."""
    done: Any = shell(*argv)
    said = done.err
    for word in sorted(argv, key=len, reverse=True):
        said = said.replace(word, "…").replace(repr(word)[1:-1], "…")
    for what, trace in TRACES.items():
        found = re.search(trace, said)
        assert found is None, f"{what} in {said!r} of {argv}"
