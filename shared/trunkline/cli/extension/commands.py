"""`trunkline extension`: extensions provisioned, assigned and looked at (L1, L2, L20)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Refused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

app = typer.Typer(help="Extensions: licenses that became a key to dial, for somebody.", no_args_is_help=True)

Organization = Annotated[
    str, ORGANIZATION, typer.Option("--organization", metavar="ORGANIZATION", help=f"Whose it is: {NAMED}.")
]
Extension = Annotated[str, typer.Argument(metavar="EXTENSION", help="Its UUID, or its key.")]
Addons = Annotated[list[str] | None, typer.Option("--addon", metavar="CODE", help="An add-on; can be given again.")]


def path_of(organization: str, extension: str = "", what: str = "") -> str:
    """Where an organization's extensions are, or one of them, or something of it."""
    path = f"/licensing/organizations/{organization}/extensions"
    return f"{path}/{extension}{what}" if extension else path


def identify(call: CommandContext, organization: str, named: str) -> str:
    """The UUID of an extension that is named by it, or by its key.

    Raises:
        Refused: the organization has no extension with this key.
    """
    if not named.isdigit():
        return named
    found = call.remote.get(path_of(organization), ext_key=named[:5])["items"]
    matching: list[str] = [x["extension_id"] for x in found if x["ext_key"] == named]
    if not matching:
        raise Refused(f"The organization has no extension with the key {named}.")
    return matching[0]


@verb(app, "provision")
def provision(
    call: CommandContext,
    count: Annotated[int, typer.Argument(min=1, metavar="N", help="How many extensions.")],
    start: Annotated[str, typer.Argument(metavar="KEY", help="The first one's key: 3 to 5 digits.")],
    organization: Organization,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="UUID", help="Whom they serve, in order; can be given again.")
    ] = None,
    addon: Addons = None,
    reference: Annotated[str | None, typer.Option(help="Of the subscription that the units must be of.")] = None,
    dry_run: DryRun = None,
) -> None:
    """Make extensions with consecutive keys, all or none; with --user, assign them in the same step."""
    body = {"count": count, "start_from": start, "user_ids": user or [], "addons": addon or []}
    body |= {"reference": reference} if reference is not None else {}
    made = call.remote.post(path_of(organization), body, dry_run=dry_run)
    call.present(made, lambda: extension_table(made["extensions"]))


@verb(app, "assign")
def assign(
    call: CommandContext,
    extension: Extension,
    user: Annotated[str, typer.Argument(metavar="USER", help="The person's UUID.")],
    organization: Organization,
    dry_run: DryRun = None,
) -> None:
    """Let an extension serve a person; whom it served before is free for another one."""
    key = identify(call, organization, extension)
    present_changed(call, call.remote.post(path_of(organization, key, "/assign"), {"user_id": user}, dry_run=dry_run))


@verb(app, "show")
def show(call: CommandContext, extension: Extension, organization: Organization) -> None:
    """Show an extension: its key, whom it serves, licenses and number."""
    found = call.remote.get(path_of(organization, identify(call, organization, extension)))
    call.present(found, lambda: extension_facts(found))


@verb(app, "list")
def list_(
    call: CommandContext,
    organization: Organization,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="In the key, or in a name.")] = None,
    user: Annotated[UUID | None, typer.Option(metavar="UUID", help="Serving this person.")] = None,
    license: Annotated[str | None, typer.Option(metavar="CODE", help="With this license.")] = None,  # noqa: A002
    number: Annotated[str | None, typer.Option(metavar="E164", help="With this number.")] = None,
    assigned: Annotated[
        bool | None, typer.Option("--assigned/--unassigned", help="Serving somebody, or nobody.")
    ] = None,
    suspended: Annotated[
        bool | None, typer.Option("--suspended/--covered", help="With a license nothing covers.")
    ] = None,
    limit: Limit = LIMIT,
) -> None:
    """List the extensions of an organization in the order of their keys."""
    wanted = {"q": search, "user_id": str(user) if user else None, "license": license, "number": number}
    found = call.remote.page_through(path_of(organization), limit, **wanted, assigned=assigned, suspended=suspended)
    call.present(found, lambda: extension_table(found["items"]), lambda: more(found))


def present_changed(call: CommandContext, answer: dict[str, Any]) -> None:
    """Tell of a change: the extension after it, and what it has freed."""
    from rich.console import Group

    freed = {name: value for name, value in answer["freed"].items() if value}

    def shown() -> Any:
        from trunkline.cli.terminal.output import facts

        gone = answer["extension"] is None
        head = "The extension is no more." if gone else extension_facts(answer["extension"])
        return Group(head, facts({"freed": _freed(freed)})) if freed else head

    call.present(answer, shown)


def _freed(freed: dict[str, Any]) -> list[str]:
    return [f"{name.removesuffix('_id')} {' '.join(v) if isinstance(v, list) else v}" for name, v in freed.items()]


def extension_facts(x: dict[str, Any]) -> Any:
    """One extension, a fact a line."""
    from trunkline.cli.terminal.output import facts, state

    shown: dict[str, Any] = {"extension": x["ext_key"], "id": x["extension_id"], "name": x["directory_name"]}
    shown["state"] = state("suspended" if x["suspended"] else "active")
    shown["user"] = None if x["user"] is None else f"{x['user']['name']} ({x['user']['user_id']})"
    shown["number"] = number_of(x)
    shown["add-ons"] = [addon_of(addon) for addon in x["addons"]]
    if x["contact_center"] is not None:
        center = x["contact_center"]
        shown["contact center"] = center["role"]
        shown |= {"contact center lacks": center["missing"]} if center["missing"] else {}
    shown["subscription"] = x["subscription_id"]
    return facts(shown)


def extension_table(items: list[dict[str, Any]]) -> Any:
    """Extensions, one a line."""
    from trunkline.cli.terminal.output import state, table

    if not items:
        return "No extensions."
    rows = [
        (
            x["ext_key"],
            x["directory_name"],
            x["user"]["name"] if x["user"] else None,
            number_of(x),
            [addon_of(addon) for addon in x["addons"]],
            state("suspended" if x["suspended"] else "active"),
            x["extension_id"],
        )
        for x in items
    ]
    return table(("key", "name", "user", "number", "add-ons", "state", "extension"), rows)


def number_of(x: dict[str, Any]) -> str | None:
    """An extension's number, with how it stands where it is not simply bound."""
    number = x["number"]
    if number is None:
        return None
    why = f": {number['reason']}" if number["reason"] else ""
    return str(number["number"]) if number["status"] == "bound" else f"{number['number']} ({number['status']}{why})"


def addon_of(addon: dict[str, Any]) -> str:
    """An add-on's name, with a mark where nothing covers it."""
    return f"{addon['name']}{' (suspended)' if addon['suspended'] else ''}"
