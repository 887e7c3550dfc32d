"""`trunkline party`: the directory: the platform, its partners, their organizations, and the people in them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION, PARTNER, with_names
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Refused
from trunkline.cli.terminal.light_command import LightGroup
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

app = typer.Typer(help="The platform, partners, organizations and people.", no_args_is_help=True)
register = typer.Typer(help="Enter a party into the directory.", no_args_is_help=True)
change = typer.Typer(help="Change what is named, and nothing else.", no_args_is_help=True)
app.add_typer(register, name="register", cls=LightGroup)
app.add_typer(change, name="change", cls=LightGroup)

PLATFORM = "platform"


class Kind(StrEnum):
    """What can be listed."""

    partners = "partners"
    organizations = "organizations"
    identities = "identities"


class RoleInOrganization(StrEnum):
    """What a person may do in their organization."""

    owner = "owner"
    admin = "admin"
    member = "member"


Id = Annotated[UUID | None, typer.Option("--id", help="Its UUID; else a new one.")]
Party = Annotated[UUID, typer.Argument(metavar="ID", help="Its UUID.")]
Name = Annotated[str, typer.Option(help="What it is called.")]
NewName = Annotated[str | None, typer.Option("--name", help="What it is called.")]
Mail = Annotated[str, typer.Option(metavar="ADDRESS", help="Where it is told.")]
NewMail = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where it is told.")]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="A portal domain; can be given again.")]
Of = Annotated[
    str,
    ORGANIZATION,
    typer.Option("--organization", metavar="ORGANIZATION", help=f"The organization they belong to: {NAMED}."),
]


@verb(register, "platform")
def register_platform(
    call: CommandContext,
    name: Name,
    owner_email: Mail,
    support_email: Mail,
    domain: Domains = None,
    dry_run: DryRun = None,
) -> None:
    """Enter the platform itself, or change all that is known of it."""
    body = {"name": name, "owner_email": owner_email, "support_email": support_email, "domains": domain or []}
    _present(call, call.remote.put("/licensing/platform", body, dry_run=dry_run))


@verb(register, "partner")
def register_partner(
    call: CommandContext,
    name: Name,
    owner_email: Mail,
    support_email: Mail,
    domain: Domains = None,
    party_id: Id = None,
    dry_run: DryRun = None,
) -> None:
    """Enter a reseller."""
    body = {"name": name, "owner_email": owner_email, "support_email": support_email, "domains": domain or []}
    _present(call, call.remote.post("/licensing/partners", body | _given(partner_id=party_id), dry_run=dry_run))


@verb(register, "organization")
def register_organization(
    call: CommandContext,
    name: Name,
    billing_email: Mail,
    partner: Annotated[
        str | None, PARTNER, typer.Option(metavar="PARTNER", help=f"Its reseller: {NAMED}; else whoever asks.")
    ] = None,
    allow_external_numbers: Annotated[bool, typer.Option(help="May it bring numbers of its own?")] = False,
    party_id: Id = None,
    dry_run: DryRun = None,
) -> None:
    """Enter a customer."""
    body = {"name": name, "billing_email": billing_email, "allow_external_numbers": allow_external_numbers}
    given = _given(partner_id=partner, organization_id=party_id)
    _present(call, call.remote.post("/licensing/organizations", body | given, dry_run=dry_run))


@verb(register, "identity")
def register_identity(
    call: CommandContext,
    organization: Of,
    name: Name,
    email: Mail,
    role: Annotated[RoleInOrganization, typer.Option(help="There is one owner.")],
    party_id: Id = None,
    dry_run: DryRun = None,
) -> None:
    """Enter a person."""
    body = {"name": name, "email": email, "role": role.value} | _given(identity_id=party_id)
    _present(call, call.remote.post(f"/licensing/organizations/{organization}/identities", body, dry_run=dry_run))


@verb(change, "partner")
def change_partner(
    call: CommandContext,
    party: Annotated[str, PARTNER, typer.Argument(metavar="PARTNER", help=f"Which: {NAMED}.")],
    name: NewName = None,
    owner_email: NewMail = None,
    support_email: NewMail = None,
    domain: Domains = None,
    dry_run: DryRun = None,
) -> None:
    """Change a reseller; the domains named replace those there were."""
    given = _given(name=name, owner_email=owner_email, support_email=support_email, domains=domain)
    _present(call, call.remote.patch(f"/licensing/partners/{party}", _some(given), dry_run=dry_run))


@verb(change, "organization")
def change_organization(
    call: CommandContext,
    party: Annotated[str, ORGANIZATION, typer.Argument(metavar="ORGANIZATION", help=f"Which: {NAMED}.")],
    name: NewName = None,
    billing_email: NewMail = None,
    partner: Annotated[str | None, PARTNER, typer.Option(metavar="PARTNER", help=f"Another reseller: {NAMED}.")] = None,
    allow_external_numbers: Annotated[bool | None, typer.Option(help="May it bring numbers of its own?")] = None,
    dry_run: DryRun = None,
) -> None:
    """Change a customer."""
    given = _given(
        name=name, billing_email=billing_email, partner_id=partner, allow_external_numbers=allow_external_numbers
    )
    _present(call, call.remote.patch(f"/licensing/organizations/{party}", _some(given), dry_run=dry_run))


@verb(change, "identity")
def change_identity(
    call: CommandContext,
    party: Party,
    organization: Of,
    name: NewName = None,
    email: NewMail = None,
    role: Annotated[RoleInOrganization | None, typer.Option(help="There is one owner.")] = None,
    dry_run: DryRun = None,
) -> None:
    """Change a person."""
    given = _given(name=name, email=email, role=None if role is None else role.value)
    _present(
        call,
        call.remote.patch(f"/licensing/organizations/{organization}/identities/{party}", _some(given), dry_run=dry_run),
    )


@verb(app, "show")
def show(
    call: CommandContext,
    party: Annotated[str, typer.Argument(metavar="PARTY", help=f"Which: {NAMED}; or platform.")],
    organization: Annotated[
        str | None, ORGANIZATION, typer.Option(metavar="ORGANIZATION", help="For a person: their organization.")
    ] = None,
) -> None:
    """Show a partner, an organization, a person or the platform."""
    if organization is not None:
        _present(call, call.remote.get(f"/licensing/organizations/{organization}/identities/{_uuid(party)}"))
    elif party == PLATFORM:
        _present(call, call.remote.get("/licensing/platform"))
    else:
        from trunkline.cli.client.named_parties import PARTY, party_id

        _present(call, _partner_or_organization(call, party_id(call.remote, PARTY, party, "PARTY")))


@verb(app, "list")
def list_(
    call: CommandContext,
    kind: Annotated[Kind, typer.Argument(help="Which.")],
    organization: Annotated[
        str | None, ORGANIZATION, typer.Option(metavar="ORGANIZATION", help=f"Whose people: {NAMED}.")
    ] = None,
    limit: Limit = LIMIT,
) -> None:
    """List the parties of one kind, by name."""
    path = f"/licensing/{kind.value}"
    if kind is Kind.identities:
        if organization is None:
            raise Misused("The people of which organization? Say it by --organization.")
        path = f"/licensing/organizations/{organization}/identities"
    found = call.remote.page_through(path, limit)
    call.present(found, lambda: _list(call, kind, found["items"]), lambda: more(found))


def _given(**fields: Any) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, UUID) else v for name, v in fields.items() if v is not None}


def _some(changes: dict[str, Any]) -> dict[str, Any]:
    if not changes:
        raise Misused("Nothing is named that is to be changed; --help lists what can be.")
    return changes


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise Misused(f"{text!r} is no UUID.") from None


def _partner_or_organization(call: CommandContext, party_id: str) -> Any:
    try:
        return call.remote.get(f"/licensing/organizations/{party_id}")
    except Refused as refused:
        if refused.document.get("status") != 404:
            raise
    return call.remote.get(f"/licensing/partners/{party_id}")


def _present(call: CommandContext, party: Any) -> None:
    from trunkline.cli.terminal.output import facts

    call.present(party, lambda: facts(party))


def _list(call: CommandContext, kind: Kind, items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not items:
        return f"No {kind.value}."
    columns = {
        Kind.partners: ("name", "partner_id", "owner_email", "support_email", "domains"),
        Kind.organizations: ("name", "organization_id", "partner_id", "billing_email", "allow_external_numbers"),
        Kind.identities: ("name", "identity_id", "role", "email"),
    }[kind]
    headings = [c.removesuffix("_id").replace("_", " ") for c in columns]
    parties = with_names(call.remote, [item.get("partner_id") for item in items if kind is Kind.organizations])
    rows = [[parties.get(item[c], item[c]) if c == "partner_id" else item[c] for c in columns] for item in items]
    return table(headings, rows)
