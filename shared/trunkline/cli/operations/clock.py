"""`trunkline clock`: the services' time, which a sandbox can move ahead."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Refused
from trunkline.cli.terminal.options import SERVICES, instant
from trunkline.clock import read_duration

app = typer.Typer(help="The services' time; a sandbox can move it ahead.", no_args_is_help=True)

_BETWEEN_LOOKS = 0.05  # seconds
_LOOKS = 200


@verb(app, "show")
def show(call: CommandContext) -> None:
    """Show what time it is for the services."""
    document = _clocks(call)
    call.present(document, lambda: _shown(document))


@verb(app, "advance")
def advance(
    call: CommandContext,
    by: Annotated[str, typer.Argument(metavar="BY", help="Such as 49d, 36h, 90m, 10s or 1d12h; a day is 24 hours.")],
) -> None:
    """Move the clock of both services ahead; what falls due meanwhile is done, in due order."""
    _move(call, "advance", {"by": by})


@verb(app, "set")
def set_to(
    call: CommandContext,
    to: Annotated[str, typer.Argument(metavar="T", help="An instant ahead, such as 2026-03-01T00:00:00Z.")],
) -> None:
    """Move the clock of both services to an instant."""
    _move(call, "set", {"at": instant(to, "The instant")})


def _clocks(call: CommandContext) -> dict[str, Any]:
    return {name: call.remote.get(f"/{name}/operate/clock") for name in SERVICES}


def _move(call: CommandContext, how: str, body: dict[str, Any]) -> None:
    before = _clocks(call)
    fixed = [name for name, clock in before.items() if not clock["sandbox"]]
    if fixed:
        whose = " and ".join(fixed)
        raise Refused(f"The clock of {whose} is the machine's: only a sandbox's can be moved (TRUNKLINE_SANDBOX=on).")
    moves = moves_of(before, how, body)
    for name, (path, sent) in moves.items():
        call.remote.post(f"/{name}/operate/clock/{path}", sent, dry_run=True)
    call.remote.dry = False  # that was only to see that no service refuses
    moved: list[str] = []
    for name, (path, sent) in moves.items():
        try:
            call.remote.post(f"/{name}/operate/clock/{path}", sent)
        except Ended as ended:
            if not moved:
                raise
            raise Refused(
                f"The clock of {' and '.join(moved)} has moved and that of {name} has not: {ended} "
                f"Type the same command again: then only the clock of {name} moves."
            ) from None
        moved.append(name)
    document = _clocks(call)
    _until_done(call)
    call.present(document, lambda: _shown(document))


def moves_of(clocks: dict[str, Any], how: str, body: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """What each service is sent, the one furthest behind first; afterwards all clocks stand at one instant.

    Where a move before reached one clock only, the same move typed again concerns only those that it left behind.

    Args:
        clocks: of each service, as it shows its own.
        how: `advance` or `set`.
        body: as a person typed it.

    Returns:
        Service -> (`advance` or `set`, body).

    Raises:
        Refused: all clocks are past the instant.
    """
    furthest = max(clock["ahead_seconds"] for clock in clocks.values())
    behind = {name: round(furthest - clock["ahead_seconds"]) for name, clock in clocks.items()}
    order = sorted(clocks, key=lambda name: -behind[name])
    late = {name: ("advance", {"by": f"{seconds}s"}) for name in order if (seconds := behind[name]) > 0}
    if how == "set":
        past = [name for name in order if _instant(clocks[name]["now"]) > _instant(body["at"])]
        if (past and len(past) + len(late) < len(order)) or len(past) == len(order):
            latest = max(clocks[name]["now"] for name in past)
            raise Refused(f"The clock of {' and '.join(past)} stands at {latest} and never goes back: none was moved.")
        return late if past else dict.fromkeys(order, ("set", body))
    if late and all(seconds == _seconds(body["by"]) for seconds in behind.values() if seconds > 0):
        return late
    return {name: ("advance", {"by": f"{body['by']}{behind[name]}s"} if name in late else body) for name in order}


def _seconds(by: str) -> float | None:
    try:
        return read_duration(by).total_seconds()
    except ValueError:
        return None  # the services refuse it, with how it is written


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _until_done(call: CommandContext) -> None:
    """Wait until nothing is due any more, so that the next command sees it; what takes longer goes on by itself."""
    for name in SERVICES:
        for _ in range(_LOOKS):
            if call.remote.get(f"/{name}/operate/deadlines")["overdue"] == 0:
                break
            time.sleep(_BETWEEN_LOOKS)


def _shown(document: dict[str, Any]) -> Any:
    from trunkline.cli.terminal.output import moment, table

    rows = [
        (name, moment(clock["now"]), _ahead(clock["ahead_seconds"]) if clock["sandbox"] else "the machine's clock")
        for name, clock in document.items()
    ]
    return table(("service", "now", "clock"), rows)


def _ahead(seconds: float) -> str:
    from datetime import timedelta

    return f"{timedelta(seconds=round(seconds))} ahead of the machine" if seconds else "as the machine"
