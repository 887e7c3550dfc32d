"""Numbers as they are typed: as arguments, out of a file, or from standard input (O1)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trunkline.cli.number.commands import present_number
from trunkline.cli.terminal.command import CommandContext
from trunkline.cli.terminal.exit_codes import Misused, Partly, Refused

_STANDARD_INPUT: Final = Path("-")

Numbers = Annotated[
    list[str] | None, typer.Argument(metavar="[NUMBER]...", help="In E.164 form; also with commas between.")
]
NumbersFrom = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Take the numbers out of a file, one a line; - reads standard input."),
]


def split(numbers: Sequence[str]) -> list[str]:
    """Numbers as they are typed, with commas between or not."""
    return [part.strip() for text in numbers for part in text.split(",") if part.strip()]


def numbers_given(numbers: Sequence[str] | None, file: Path | None) -> list[str]:
    """The numbers that are meant, each once, in their order.

    Args:
        numbers: the arguments.
        file: what `--from` names.

    Raises:
        Misused: there are none, or the file cannot be read.
    """
    found = split(list(numbers or ()))
    if file is not None:
        found += split(_lines(file))
    if not found:
        raise Misused("Say which numbers: as arguments, or --from FILE with one a line.")
    return list(dict.fromkeys(found))


def each(call: CommandContext, numbers: Sequence[str], done: str, act: Callable[[str], dict[str, Any]]) -> None:
    """Do something to each number and print what became of all of them; one alone is printed whole.

    Args:
        call: the command.
        numbers: at least one.
        done: what is said of a number to which it was done.
        act: does it to one.

    Raises:
        Partly: some were refused.
        Refused: all were.
    """
    if len(numbers) == 1:
        present_number(call, act(numbers[0]))
        return
    items = [_outcome(number, done, act) for number in numbers]
    refused = sum(item["code"] is not None for item in items)
    document = {"done": len(items) - refused, "refused": refused, "items": items}
    call.present(document, lambda: _table(items))
    if refused == len(items):
        raise Refused(f"None of the {len(items):,} numbers was {done}.", document)
    if refused:
        raise Partly(f"{refused:,} of {len(items):,} numbers were refused.", document)


def _outcome(number: str, done: str, act: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    try:
        found = act(number)
    except Refused as refused:
        code = refused.document.get("code", "refused")
        return {"number": number, "outcome": "refused", "state": None, "code": code, "reason": str(refused)}
    return {"number": number, "outcome": done, "state": found.get("state"), "code": None, "reason": None}


def _lines(file: Path) -> list[str]:
    try:
        text = sys.stdin.read() if file == _STANDARD_INPUT else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Misused(f"{file} is no text in UTF-8; it takes one number a line.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _table(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    rows = [(item["number"], item["outcome"], item["state"], item["code"], item["reason"]) for item in items]
    return table(("number", "outcome", "state", "code", "why"), rows)
