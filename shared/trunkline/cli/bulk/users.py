"""`trunkline bulk`: people from files: added, listed; sample files (L7-L9)."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from trunkline.cli.bulk.commands import Bulk, Organization, Whose, app, path_of, path_to, present_bulk
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

_MOST_BYTES = 5 * 1_048_576


class Layout(StrEnum):
    """How a file names its people, or that it carries add-ons."""

    name = "name"
    uuid = "uuid"
    addons = "addons"


@verb(app, "add-users")
def add_users(
    call: CommandContext,
    bulk: Bulk,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file in one of the layouts of `sample`.")],
    organization: Whose = None,
    dry_run: DryRun = None,
) -> None:
    """Add the people of a CSV file to a draft; any number of files, 15,000 people in all."""
    path = f"{path_to(call, bulk, organization)}/users"
    content = _read(file)
    call.announce(f"Adding {file.name}, {len(content):,} bytes")
    found = call.remote.post_bytes(path, content, "text/csv", file_name=file.name[:200], dry_run=dry_run)
    present_bulk(call, found)


@verb(app, "users")
def users(call: CommandContext, bulk: Bulk, organization: Whose = None, limit: Limit = LIMIT) -> None:
    """List the people of a bulk assignment, in the order of their files."""
    found = call.remote.page_through(f"{path_to(call, bulk, organization)}/users", limit)
    call.present(found, lambda: _users(found["items"]), lambda: more(found))


@verb(app, "sample")
def sample(
    call: CommandContext,
    layout: Annotated[Layout, typer.Argument(help="Which.")],
    organization: Organization,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there; else print it.")] = None,
) -> None:
    """Give a sample file of a layout, about people of the organization: it can be used as it is."""
    with call.remote.download(f"{path_of(organization)}/samples/{layout.value}") as pieces:
        content = b"".join(pieces)
    if out is None and not call.as_json:
        sys.stdout.write(content.decode())
        return
    if out is not None:
        write(out, content)
    document = {"layout": layout.value, "file": str(out) if out else None, "content": content.decode()}
    call.present(document, lambda: f"Written to {out}.")


def write(out: Path, content: bytes) -> None:
    """Write a file that was asked for.

    Raises:
        Misused: it cannot be written.
    """
    try:
        out.write_bytes(content)
    except OSError as error:
        raise Misused(f"{out} cannot be written: {error.strerror}.") from None


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise Misused(f"{file} has {file.stat().st_size:,} bytes; {_MOST_BYTES:,} are the most.")
        return file.read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}.") from None


def _users(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not items:
        return "No users."
    columns = ("row", "file", "line", "ext_key", "user", "number", "subscription_reference", "addons")
    headings = (">row", "file", ">line", "ext key", "user", "number", "reference", "add-ons")
    return table(headings, [[str(u[c]) if c in ("row", "line") else u[c] for c in columns] for u in items])
