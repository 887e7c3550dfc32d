"""Changing, deleting and exporting extensions (L3, L15, L16, L18)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trunkline.cli.extension.commands import (
    Addons,
    Extension,
    Organization,
    app,
    extension_table,
    identify,
    path_of,
    present_changed,
)
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import DryRun

Several = Annotated[list[str], typer.Argument(metavar="EXTENSION...", help="UUIDs or keys.")]
Codes = list[str] | None


@verb(app, "change")
def change(
    call: CommandContext,
    extensions: Several,
    organization: Organization,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="Another key: 3 to 5 digits.")] = None,
    name: Annotated[str | None, typer.Option(help="The directory name, at most 100 characters; empty: none.")] = None,
    user: Annotated[str | None, typer.Option(metavar="UUID", help="Whom it serves; empty: nobody.")] = None,
    number: Annotated[str | None, typer.Option(metavar="E164", help="The number it has; empty: none.")] = None,
    addon: Addons = None,
    no_addons: Annotated[bool, typer.Option("--no-addons", help="Take all add-ons away.")] = False,
    add: Annotated[Codes, typer.Option("--add", metavar="CODE", help="An add-on more; also of several.")] = None,
    remove: Annotated[Codes, typer.Option("--remove", metavar="CODE", help="An add-on less; also of several.")] = None,
    dry_run: DryRun = None,
) -> None:
    """Change an extension; or, with --add, --remove and --addon alone, the add-ons of several at once."""
    fields: dict[str, Any] = {"ext_key": key} if key is not None else {}
    for field, value in (("directory_name", name), ("user_id", user), ("number", number)):
        fields |= {field: value or None} if value is not None else {}
    keys = [identify(call, organization, named) for named in extensions]
    whole = {"addons": addon or []} if addon or no_addons else {}
    if fields and (len(keys) > 1 or add or remove):
        raise Misused("Key, name, user and number are changed of one extension, by itself; --add and --remove apart.")
    if not (fields or whole or add or remove):
        raise Misused("Say what to change: --key, --name, --user, --number, --addon, --no-addons, --add or --remove.")
    if len(keys) == 1 and not (add or remove):
        present_changed(call, call.remote.patch(path_of(organization, keys[0]), fields | whole, dry_run=dry_run))
        return
    body = {"extension_ids": keys, "add": add or [], "remove": remove or [], **whole}
    answer = call.remote.post(path_of(organization, "addons"), body, dry_run=dry_run)
    call.present(answer, lambda: extension_table(answer["extensions"]))


@verb(app, "delete")
def delete(call: CommandContext, extension: Extension, organization: Organization, dry_run: DryRun = None) -> None:
    """Delete an extension; its licenses, its person and its number are free again."""
    key = identify(call, organization, extension)
    present_changed(call, call.remote.delete(path_of(organization, key), dry_run=dry_run))


@verb(app, "export")
def export(
    call: CommandContext,
    organization: Organization,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file, or a folder that takes it under its own name.")
    ] = None,
) -> None:
    """Write all extensions as CSV: key, number, user, add-on licenses."""
    save(call, organization, path_of(organization, "export"), out)


def save(call: CommandContext, organization: str, path: str, out: Path | None) -> None:
    """Download a report of an organization into a file, or a folder; None: the present folder.

    Raises:
        Misused: it cannot be written.
    """
    with call.remote.download(path) as pieces:
        content = b"".join(pieces)
    where = out or Path()
    if where.is_dir():
        where /= call.remote.file_name or f"{organization}.csv"
    try:
        where.write_bytes(content)
    except OSError as error:
        raise Misused(f"{where} cannot be written: {error.strerror}.") from None
    rows = content.count(b"\r\n") - 1
    call.present({"file": str(where), "rows": rows}, lambda: f"{rows:,} rows written to {where}.")
