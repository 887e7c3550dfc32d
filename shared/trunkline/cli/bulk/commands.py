"""`trunkline bulk`: bulk assignments: templates made, looked at, edited, duplicated, deleted (L5, L6, L14)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

app = typer.Typer(help="Extensions for thousands of people, from a spreadsheet.", no_args_is_help=True)

Organization = Annotated[
    str, ORGANIZATION, typer.Option("--organization", metavar="ORGANIZATION", help=f"Whose it is: {NAMED}.")
]
Whose = Annotated[
    str | None,
    ORGANIZATION,
    typer.Option("--organization", metavar="ORGANIZATION", help=f"Whose it is: {NAMED}; the id alone is enough."),
]
Bulk = Annotated[UUID, typer.Argument(metavar="ID", help="The bulk assignment's UUID.")]
Addons = Annotated[
    list[str] | None, typer.Option("--addon", metavar="CODE", help="Every row gets it; can be given again.")
]


class Status(StrEnum):
    """What a bulk assignment can be."""

    draft = "draft"
    in_progress = "in_progress"
    completed = "completed"


def path_of(organization: str) -> str:
    """Where an organization's bulk assignments are."""
    return f"/licensing/organizations/{organization}/bulk-assignments"


def path_to(call: CommandContext, bulk: UUID, organization: str | None = None) -> str:
    """Where a bulk assignment is.

    Args:
        call: asks the service whose it is, unless that was given.
        bulk: its id.
        organization: whose it is; None: not given.
    """
    if organization is None:
        organization = call.remote.get(f"/licensing/bulk-assignments/{bulk}")["organization_id"]
    return f"{path_of(organization)}/{bulk}"


@verb(app, "create")
def create(
    call: CommandContext,
    organization: Organization,
    name: Annotated[str, typer.Option(help="What it is called.")],
    addon: Addons = None,
    dry_run: DryRun = None,
) -> None:
    """Make a draft: a name, and the add-ons that every row gets beside its own."""
    body = {"name": name, "addons": addon or []}
    present_bulk(call, call.remote.post(path_of(organization), body, dry_run=dry_run))


@verb(app, "list")
def list_(
    call: CommandContext,
    organization: Organization,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of the name or of the UUID.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    limit: Limit = LIMIT,
) -> None:
    """List the bulk assignments of an organization, the newest first."""
    wanted = {"search": search, "status": status.value if status else None, "sort": "-created_at"}
    found = call.remote.page_through(path_of(organization), limit, **wanted)
    call.present(found, lambda: _list(found["items"]), lambda: more(found))


@verb(app, "show")
def show(call: CommandContext, bulk: Bulk, organization: Whose = None) -> None:
    """Show a bulk assignment: name, add-ons, files, status, counts, and what can be done with it now."""
    present_bulk(call, call.remote.get(path_to(call, bulk, organization)))


@verb(app, "edit")
def edit(
    call: CommandContext,
    bulk: Bulk,
    organization: Whose = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    addon: Addons = None,
    no_addons: Annotated[bool, typer.Option("--no-addons", help="Rows get none but their own.")] = False,
    dry_run: DryRun = None,
) -> None:
    """Give a draft another name or other add-ons; those named replace those there were."""
    if addon and no_addons:
        raise Misused("--addon and --no-addons contradict each other.")
    body: dict[str, Any] = {} if name is None else {"name": name}
    body |= {"addons": addon or []} if addon or no_addons else {}
    if not body:
        raise Misused("Nothing is named that is to be changed; --help lists what can be.")
    present_bulk(call, call.remote.patch(path_to(call, bulk, organization), body, dry_run=dry_run))


@verb(app, "duplicate")
def duplicate(call: CommandContext, bulk: Bulk, organization: Whose = None, dry_run: DryRun = None) -> None:
    """Make a draft with the same add-ons, and a name that says it is a copy; people are not copied."""
    present_bulk(call, call.remote.post(f"{path_to(call, bulk, organization)}/duplicate", dry_run=dry_run))


@verb(app, "delete")
def delete(call: CommandContext, bulk: Bulk, organization: Whose = None, dry_run: DryRun = None) -> None:
    """Delete a draft, with its people."""
    call.remote.delete(path_to(call, bulk, organization), dry_run=dry_run)
    call.present({"bulk_id": str(bulk), "deleted": not dry_run}, lambda: f"The bulk assignment {bulk} is deleted.")


def present_bulk(call: CommandContext, found: Any) -> None:
    """Say how a bulk assignment is."""
    from trunkline.cli.terminal.output import facts, relative

    def made() -> Any:
        document = {n: found[n] for n in ("name", "bulk_id", "status", "addons", "total")}
        document["files"] = [f"{f['name']} ({f['rows']:,})" for f in found["files"]]
        if found["status"] != "draft":
            document |= {n: found[n] for n in ("succeeded", "failed", "waiting", "pending", "all_or_nothing")}
        document |= {"copy of": found["copied_from"]} if found["copied_from"] else {}
        document |= {n: relative(found[n]) for n in ("created_at", "started_at", "completed_at") if found[n]}
        return facts(document | {"possible now": found["actions"]})

    call.present(found, made)


def _list(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "No bulk assignments."
    columns = ("bulk_id", "name", "status", "total", "succeeded", "failed")
    headings = ("uuid", "name", "status", ">users", ">succeeded", ">failed", "created")
    return table(headings, [[*(str(item[c]) for c in columns), relative(item["created_at"])] for item in items])
