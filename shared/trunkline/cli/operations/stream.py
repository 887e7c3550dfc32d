"""`trunkline stream`: the events of one stream, with who caused them and why; or all of them as they happen."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import AsOf, Service, ServiceName, instant

if TYPE_CHECKING:
    from trunkline.cli.client.api_client import ApiClient

app = typer.Typer(help="The recorded events themselves.", no_args_is_help=True)

_BETWEEN_LOOKS = 0.3  # seconds
_PAGE = 500


@verb(app, "show")
def show(
    call: CommandContext,
    stream: Annotated[str, typer.Argument(metavar="ID", help="Such as number/+6531580001 or subscription/UUID.")],
    as_of: AsOf = None,
    service: Service = None,
) -> None:
    """Show the events of a stream. Without --service, number/… is asked of numbers and all else of licensing."""
    category, slash, key = stream.partition("/")
    if not (category and slash and key):
        raise Misused(f"{stream!r} is no stream: it is a category and a key, such as number/+6531580001.")
    whose = service.value if service is not None else "numbers" if category == "number" else "licensing"
    found = call.remote.get(f"/{whose}/operate/streams/{stream}", as_of=instant(as_of))
    call.present(found, lambda: _events(found["items"]))


@verb(app, "follow")
def follow(
    call: CommandContext,
    service: Service = None,
    after: Annotated[
        int | None, typer.Option(min=0, help="A log position to begin after (needs --service); else from now on.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
) -> None:
    """Show events as they are recorded, until Ctrl-C; with --json one document a line."""
    if after is not None and service is None:
        raise Misused("--after is a position in one service's log: say which by --service.")
    names = [service.value] if service is not None else [name.value for name in ServiceName]
    places = {name: _end(call.remote, name) if after is None else after for name in names}
    left = count
    while left is None or left > 0:
        heard = 0
        for name in names:
            page = call.remote.get(f"/{name}/operate/log", after=places[name], limit=min(_PAGE, left or _PAGE))
            places[name] = page["after"]
            for event in page["items"][:left]:
                _print(event | {"service": name}, as_json=call.as_json)
            heard += len(page["items"])
            left = left if left is None else max(0, left - len(page["items"]))
            if left == 0:
                return
        if not heard:
            time.sleep(_BETWEEN_LOOKS)


def _end(remote: ApiClient, name: str) -> int:
    end: int = remote.get(f"/{name}/operate/log", limit=1)["end"]
    return end


def _print(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    else:
        from trunkline.cli.terminal.output import line, moment, print_shown

        what = (_name(event), "bold")
        where = (f"{event['service']} {event['position']:>6}  ", "dim")
        print_shown(line(where, moment(event["occurred_at"]), "  ", what, f"  {event['stream']}  {_facts(event)}"))
    sys.stdout.flush()


def _events(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    rows = [
        (str(e["version"]), relative(e["occurred_at"]), e["type"].rpartition(".")[2], _facts(e), e["actor"])
        for e in items
    ]
    return table((">#", "at", "event", "data", "by"), rows)


def _name(event: dict[str, Any]) -> str:
    name: str = event["type"]
    return name.partition(".")[2]


def _facts(event: dict[str, Any]) -> str:
    known = {name: value for name, value in event["data"].items() if name != "at" and value not in (None, [], "")}
    return " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in known.items()
    )
