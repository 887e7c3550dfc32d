"""`trunkline clock`: the services' time, which a sandbox can move ahead."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Refused
from trunkline.cli.terminal.options import SERVICES, instant

app = typer.Typer(help="The services' time; a sandbox can move it ahead.", no_args_is_help=True)

_BETWEEN_LOOKS = 0.05  # seconds
_LOOKS = 200


@verb(app, "show")
def show(call: CommandContext) -> None:
    """Show what time it is for the services."""
    document = _clocks(call)
    call.tell(document, lambda: _shown(document))


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
    if "at" in body and (ahead := [name for name in SERVICES if _instant(before[name]["now"]) > _instant(body["at"])]):
        latest = max(before[name]["now"] for name in ahead)
        raise Refused(f"The clock of {' and '.join(ahead)} stands at {latest} and never goes back: neither was moved.")
    document: dict[str, Any] = {}
    for name in sorted(before, key=lambda name: before[name]["ahead_seconds"]):
        try:
            document[name] = call.remote.post(f"/{name}/operate/clock/{how}", _caught_up(before, name, how, body))
        except Ended as ended:
            if not document:
                raise
            moved = " and ".join(document)
            raise Refused(
                f"The clock of {moved} has moved and that of {name} has not: {ended} "
                "Move the clock once more: the one that is behind catches up first."
            ) from None
    _until_done(call)
    call.tell({name: document[name] for name in SERVICES}, lambda: _shown(document))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _caught_up(clocks: dict[str, Any], name: str, how: str, body: dict[str, Any]) -> dict[str, Any]:
    """The same move for a clock that a move before has left behind: both stand at one instant after it."""
    ahead = {other: clock["ahead_seconds"] for other, clock in clocks.items()}
    behind = round(max(ahead.values()) - ahead[name])
    return {"by": f"{body['by']}{behind}s"} if how == "advance" and behind > 0 else body


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
