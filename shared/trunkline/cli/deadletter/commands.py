"""`trunkline deadletter`: messages that could not be read or understood, with all they came with (X6, O5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, Limit, Service, ServiceName, more

app = typer.Typer(help="Messages that could not be read: looked at, retried, edited, discarded.", no_args_is_help=True)

Topic = Annotated[str | None, typer.Option("--topic", help="Only what came from this topic.")]
Code = Annotated[str | None, typer.Option("--code", help="Only what was parked with this code, such as not-json.")]
Owner = Annotated[ServiceName, typer.Argument(help="The service that parked it.")]
Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `deadletter list` shows it.")]
Status = Literal["waiting", "retried", "discarded", "all"]
_WAITING: Final = "waiting"


@verb(app, "list")
def list_(
    call: CommandContext,
    service: Service = None,
    topic: Topic = None,
    code: Code = None,
    status: Annotated[Status, typer.Option("--status", help="What became of them.")] = _WAITING,
    limit: Limit = LIMIT,
) -> None:
    """List what was parked and waits for somebody to look at it, oldest first."""
    chosen = {"topic": topic, "code": code, "status": None if status == "all" else status}
    found = letters(call, service, limit, chosen)
    call.present(found, lambda: _letters(found["items"], status), lambda: more(found))


@verb(app, "show")
def show(call: CommandContext, service: Owner, number: Number) -> None:
    """Show one parked message: where it came from, why it was parked, what became of it, and its bytes."""
    found = letter(call, service, number)
    call.present(found, lambda: _letter(found))


def letters(call: CommandContext, service: ServiceName | None, limit: int, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Dead letters of one service, or of both together, oldest first: items, each with its `service`, and `more`.

    Args:
        call: the command.
        service: whose; None: both services'.
        limit: most of them.
        chosen: `topic`, `code`, `status`; None: any.
    """
    if service is None:
        return call.remote.merged("/parked", limit, by="parked_at", **chosen)
    found = call.remote.page_through(f"/{service.value}/operate/parked", limit, **chosen)
    return {
        "items": [{"service": service.value} | item for item in found["items"]],
        "more": found.get("next") is not None,
    }


def letter(call: CommandContext, service: ServiceName, number: int) -> dict[str, Any]:
    """One dead letter, whole."""
    found: dict[str, Any] = call.remote.get(f"/{service.value}/operate/parked/{number}")
    return found


def _letters(items: list[dict[str, Any]], status: Status) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "No dead letters." if status in (_WAITING, "all") else f"No dead letters that were {status}."
    if status == _WAITING:
        rows = [
            (m["service"], str(m["id"]), relative(m["parked_at"]), _place(m), m["code"], m["reason"]) for m in items
        ]
        return table(("service", ">id", "parked", "from", "code", "reason"), rows)
    done = [
        (m["service"], str(m["id"]), _place(m), m["code"], m["status"], relative(m["resolved_at"]), m["resolved_by"],
         m["remark"]) for m in items
    ]  # fmt: skip
    return table(("service", ">id", "from", "code", "status", "when", "who", "remark"), done)


def _place(found: dict[str, Any]) -> str:
    return f"{found['topic']}/{found['partition']}@{found['offset']}"


def _letter(found: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import facts, line, moment, relative

    about = {"from": _place(found), "code": found["code"], "reason": found["reason"]}
    about |= {"parked": relative(found["parked_at"]), "status": found["status"]}
    if found["status"] != _WAITING:
        about |= {found["status"]: f"{moment(found['resolved_at'])} by {found['resolved_by']}"}
        about |= {"remark": found["remark"]}
    about |= {"key": found.get("key_text") or found.get("key_base64")}
    shown: list[Any] = [facts(about), "", *_parts(found)]
    if (edited := found.get("retried_as")) is not None:
        shown += ["", line(("retried as", "bold")), "", *_parts(edited)]
    return Group(*shown)


def _parts(parts: dict[str, Any]) -> list[Any]:
    """Headers, named as they are, and the value."""
    from trunkline.cli.terminal.output import line, table

    headers = [table(("header", "value"), parts["headers"]), ""] if parts["headers"] else []
    return [*headers, line(_body(parts))]


def _body(parts: dict[str, Any]) -> str:
    text: str | None = parts.get("value_text")
    return text if text is not None else f"(base64) {parts.get('value_base64') or '–'}"
