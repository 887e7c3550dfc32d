"""`trunkline projection`: the views, their positions and lag; built anew beside the old one, verified, rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trunkline.cli.terminal.background_work import outliving
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Refused, Unreachable
from trunkline.cli.terminal.options import SERVICES, Service

if TYPE_CHECKING:
    from trunkline.cli.terminal.output import Bar

app = typer.Typer(help="The views that readers see.", no_args_is_help=True)

_AWAY: Final = "Unless it was done by then it has to be begun anew; readers see the generation before it meanwhile."

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `projection list` shows it.")]


@verb(app, "list")
def list_(call: CommandContext) -> None:
    """List the views with position and lag; the retired generation is kept for a rollback."""
    found = _projections(call)
    call.present({"items": found}, lambda: _rows(found))


@verb(app, "rebuild")
def rebuild(call: CommandContext, name: Name, service: Service = None) -> None:
    """Build a view anew beside the old one while the service runs, compare, and swap."""
    result = _command(call, "rebuild", name, service)
    call.present(result, lambda: _compared(result, "rebuilt and swapped in"))


@verb(app, "verify")
def verify(call: CommandContext, name: Name, service: Service = None) -> None:
    """Hold a view against a fold of all streams from zero; readers notice nothing."""
    result = _command(call, "verify", name, service)
    call.present(result, lambda: _compared(result, "compared"))
    if result["differences"]:
        raise Refused(f"{name} differs from its streams in {result['differences']:,} rows: rebuild it.")
    if result["differences"] is None:
        raise Refused(f"{name} is of an older version than this code, so that nothing can be compared: rebuild it.")


@verb(app, "rollback")
def rollback(call: CommandContext, name: Name, service: Service = None) -> None:
    """Show the generation before this one again, brought up to the present first."""
    result = _command(call, "rollback", name, service)
    call.present(result, lambda: f"{name}: generation {result['generation']} is shown again.")


def _projections(call: CommandContext) -> list[dict[str, Any]]:
    return [{"service": s} | found for s in SERVICES for found in call.remote.get(f"/{s}/operate/projections")]


def _command(call: CommandContext, what: str, name: str, service: Service) -> dict[str, Any]:
    """Do it, with a progress bar; the result.

    Raises:
        Refused: it was, or it failed on the way.
    """
    whose = service.value if service is not None else _whose(call, name)
    from trunkline.cli.terminal.output import progress

    show = "trunkline projection list" if what == "rebuild" else "trunkline audit"
    with (
        outliving(f"The {what} of {name} in {whose}", show, away=_AWAY),
        progress(f"{name}", None, silent=call.as_json) as bar,
        call.remote.lines(f"/{whose}/operate/projections/{name}/{what}") as lines,
    ):
        return result_of(lines, bar)


def result_of(lines: Iterator[str], bar: Bar, look: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """What comes of something that tells its progress, line by line.

    Args:
        lines: as they come.
        bar: moves with them.
        look: is shown each step.

    Raises:
        Refused: it was, or it failed on the way.
    """
    for line in lines:
        document = json.loads(line)
        if "progress" in document:
            step = document["progress"]
            if look is not None:
                look(step)
            bar.move(step["done"], max(step["total"], step["done"]), f"{step['name']}: {step['phase']}")
        elif "error" in document:
            raise Refused(str(document["error"].get("detail", document["error"])), document["error"])
        else:
            result: dict[str, Any] = document["result"]
            return result
    raise Unreachable("The service broke off before it was done; its log says why.")


def _whose(call: CommandContext, name: str) -> str:
    """The service that has a view of this name."""
    known = _projections(call)
    whose = sorted({p["service"] for p in known if p["name"] == name})
    if len(whose) == 1:
        return str(whose[0])
    if whose:
        raise Misused(f"Both services have a projection {name}: say which by --service.")
    raise Refused(f"There is no projection {name}; there are: {', '.join(sorted({p['name'] for p in known}))}.")


def _rows(found: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    rows = [
        (
            p["service"], p["name"], str(p["generation"]), p["status"], _version(p),
            "–" if p["position"] is None else f"{p['position']:,}", "–" if p["lag"] is None else f"{p['lag']:,}",
            relative(p["built_at"]),
        )
        for p in found
    ]  # fmt: skip
    return table(("service", "name", ">gen.", "status", ">version", ">position", ">lag", "built"), rows)


def _version(p: dict[str, Any]) -> str:
    return f"{p['version']}" if p["code_version"] in (p["version"], None) else f"{p['version']} of {p['code_version']}"


def _compared(result: dict[str, Any], done: str) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import line, table

    differences = result["differences"]
    document = f"{result['name']}: {done} at position {result['position']:,}; {result['rows']:,} rows"
    if differences is None:
        return f"{document}, of a newer version than before."
    if not differences:
        return f"{document}, all as the streams say."
    rows = [(d["key"], d["found"], d["expected"]) for d in result["shown"]]
    return Group(line(f"{document}, {differences:,} of them differed."), table(("key", "found", "expected"), rows))
