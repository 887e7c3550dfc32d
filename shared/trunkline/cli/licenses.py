"""`trunkline license`: what an organization has bought, uses and has to spare (L19, L20)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION
from trunkline.cli.extension.changes import save
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, Limit, more

app = typer.Typer(help="Licenses: bought, used, to spare.", no_args_is_help=True)

Organization = Annotated[
    str, ORGANIZATION, typer.Option("--organization", metavar="ORGANIZATION", help=f"Whose they are: {NAMED}.")
]


@verb(app, "overview")
def overview(
    call: CommandContext,
    organization: Organization,
    units: Annotated[bool, typer.Option("--units", help="Every unit in use, and who uses it.")] = False,
    license: Annotated[str | None, typer.Option(metavar="CODE", help="Only this license.")] = None,  # noqa: A002
    user: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Units of this person: UUID or part of the name.")
    ] = None,
    extension: Annotated[str | None, typer.Option(metavar="TEXT", help="Units of this extension: UUID or key.")] = None,
    suspended: Annotated[bool, typer.Option("--suspended", help="Units that nothing covers now.")] = False,
    limit: Limit = LIMIT,
) -> None:
    """Show each license: purchased, allocated, free, suspended; or, unit by unit, who uses it."""
    path = f"/licensing/organizations/{organization}/licenses"
    if units or user or extension or suspended:
        wanted = {"license": license, "user": user, "extension": extension, "suspended": True if suspended else None}
        found = call.remote.page_through(f"{path}/units", limit, **wanted)
        call.present(found, lambda: _units(found["items"]), lambda: more(found))
        return
    whole = call.remote.get(path, license=license)
    call.present(whole, lambda: _overview(whole["items"]))


@verb(app, "available-numbers")
def available_numbers(
    call: CommandContext,
    organization: Organization,
    export: Annotated[bool, typer.Option("--export", help="Write all of them as CSV.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file, or a folder that takes it under its own name.")
    ] = None,
    limit: Limit = LIMIT,
) -> None:
    """List the numbers that the organization has and that serve nobody yet."""
    path = f"/licensing/organizations/{organization}/licenses/available-numbers"
    if export or out is not None:
        save(call, organization, f"{path}/export", out)
        return
    found = call.remote.page_through(path, limit)
    call.present(found, lambda: _numbers(found["items"]), lambda: more(found))


def _overview(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not items:
        return "No licenses."
    figures = ("purchased", "allocated", "free", "suspended")
    rows = [(item["name"], item["license_code"], *(f"{item[name]:,}" for name in figures)) for item in items]
    return table(("license", "code", *(f">{name}" for name in figures)), rows)


def _units(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not items:
        return "No unit is in use."
    rows = [
        (
            u["ext_key"],
            u["name"],
            u["user_name"],
            u["contact_center_role"],
            u["subscription_id"],
            "suspended" if u["suspended"] else "",
        )
        for u in items
    ]
    return table(("extension", "license", "user", "role there", "subscription", "status"), rows)


def _numbers(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "No number is free."
    rows = [
        (n["number"], n["subscription_id"], n["sku"], n["country"], n["capabilities"], relative(n["assigned_since"]))
        for n in items
    ]
    return table(("number", "subscription", "sku", "country", "capabilities", "assigned since"), rows)
