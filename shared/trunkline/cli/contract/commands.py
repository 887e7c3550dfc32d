"""`trunkline contract`: the public events, and what changed of them between two releases (X7)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Refused

if TYPE_CHECKING:
    from trunkline.cli.contract.files import Compared
    from trunkline.contracts.compatibility.releases import EventChange

app = typer.Typer(help="The public events, and what changed of them between two releases.", no_args_is_help=True)


@verb(app, "list", remote=False)
def list_(call: CommandContext) -> None:
    """List the public events of this release: what is heard and what is said, where, and by which schema."""
    from trunkline.cli.terminal.output import table
    from trunkline.contracts.catalogue.catalogue import ALL

    names = ("event", "version", "direction", "topic", "schema")
    rows = [(c.name, c.version, c.direction, c.topic, c.schema_file) for c in ALL]
    document = {"items": [dict(zip(names, row, strict=True)) for row in rows]}
    call.present(document, lambda: table(("event", ">version", *names[2:]), rows))


@verb(app, "show", remote=False)
def show(
    call: CommandContext,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as NumberReserved or NumberReserved.v1.")],
) -> None:
    """Show the JSON Schema of an event; without a version, of the newest one."""
    import json

    from trunkline.contracts.catalogue.catalogue import ALL
    from trunkline.contracts.compatibility.releases import schemas_of

    found = {name: schema for v, schema in sorted(schemas_of(ALL).items()) for name in (str(v), v.name)}
    schema = found.get(name.removesuffix(".json"))
    if schema is None:
        raise Misused(f"There is no public event {name!r}; trunkline contract list tells which there are.")
    call.present(schema, lambda: json.dumps(schema, indent=2, ensure_ascii=False))


@verb(app, "diff", remote=False)
def diff(
    call: CommandContext,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A folder of schemas (*.v1.json and so on), or one file.")],
    new: Annotated[
        Path | None, typer.Argument(metavar="NEW", help="The same; left out: the events of this release.")
    ] = None,
) -> None:
    """Tell what changed of the public events, and whether it breaks who reads or sends them; then it exits with 1."""
    from trunkline.cli.contract.files import compare_files

    compared = compare_files(old, new)
    changes = [_document(change) for change in compared.changes]
    breaking = sum(change["verdict"] == "breaking" for change in changes)
    document = {"breaking": breaking, "compatible": len(changes) - breaking, "changes": changes}
    call.present(document, lambda: _changes(compared))
    if breaking:
        raise Refused(f"{breaking:,} of {len(changes):,} changes break who reads or sends these events.")


def _document(found: EventChange) -> dict[str, Any]:
    (event, version), direction, change = found
    return {"event": event, "version": version, "direction": direction, **change._asdict()}


def _changes(compared: Compared) -> Any:
    from rich.text import Text

    from trunkline.cli.terminal.output import table

    if not compared.changes:
        return f"No difference in {compared.versions:,} event{'' if compared.versions == 1 else 's'}."
    styles = {"compatible": "green", "breaking": "bold red"}
    rows = [
        (str(version), change.place, change.what, Text(change.verdict, style=styles[change.verdict]))
        for version, _, change in compared.changes
    ]
    return table(("event", "place", "what", "verdict"), rows)
