"""`trunkline deadletter`: messages that could not be read or understood, with all they came with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trunkline.cli.options import LIMIT, Limit, ServiceName, more
from trunkline.cli.verb import Call, verb

app = typer.Typer(help="Messages that could not be read, kept whole.", no_args_is_help=True)


@verb(app, "list")
def list_(call: Call, limit: Limit = LIMIT) -> None:
    """List what was parked and waits for somebody to look at it, oldest first."""
    found = call.remote.merged("/parked", limit, by="parked_at", status="waiting")
    call.tell(found, lambda: _letters(found["items"]), lambda: more(found))


@verb(app, "show")
def show(
    call: Call,
    service: Annotated[ServiceName, typer.Argument(help="The service that parked it.")],
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="As `deadletter list` shows it.")],
) -> None:
    """Show one parked message: where it came from, why it was parked, and its bytes."""
    found = call.remote.get(f"/{service.value}/operate/parked/{number}")
    call.tell(found, lambda: _letter(found))


def _letters(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.screen import moment, table

    if not items:
        return "No dead letters."
    rows = [(m["service"], str(m["id"]), moment(m["parked_at"]), _place(m), m["code"], m["reason"]) for m in items]
    return table(("service", ">id", "parked", "from", "code", "reason"), rows)


def _place(letter: dict[str, Any]) -> str:
    return f"{letter['topic']}/{letter['partition']}@{letter['offset']}"


def _letter(letter: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.screen import facts, line, moment

    about = {"from": _place(letter), "code": letter["code"], "reason": letter["reason"]}
    about |= {"parked": moment(letter["parked_at"]), "status": letter["status"]}
    about |= {"key": letter.get("key_text") or letter.get("key_base64")}
    about |= {f"header {name}": value for name, value in letter["headers"]}
    value = letter.get("value_text")
    body = value if value is not None else f"(base64) {letter.get('value_base64') or '–'}"
    return Group(facts(about), "", line(body))
