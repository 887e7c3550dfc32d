"""`trunkline token`: bearer tokens signed with the home's own key."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, get_args

import typer

from trunkline.cli.ending import Misused
from trunkline.cli.verb import Call, verb

app = typer.Typer(help="Bearer tokens, signed with this home's own key.", no_args_is_help=True)

_HOURS = 12


class RoleName(StrEnum):
    """Who a token can speak for."""

    platform_admin = "platform-admin"
    platform_support = "platform-support"
    partner_admin = "partner-admin"
    org_admin = "org-admin"
    member = "member"
    machine = "machine"


class ScopeName(StrEnum):
    """What a token can be good for beside its role."""

    billing_write = "billing:write"
    projections_read = "projections:read"
    operate = "operate"


@verb(app, "issue", remote=False)
def issue(
    call: Call,
    role: Annotated[RoleName, typer.Option(help="Who it speaks for.")],
    party: Annotated[
        str | None, typer.Option(metavar="UUID", help="The partner or organization it belongs to.")
    ] = None,
    scope: Annotated[
        list[ScopeName] | None, typer.Option(help="What it is good for beside the role; can be given again.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="URI", help="A source that its billing events may have; can be given again."),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Whom histories name; else a name of its own.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=8_784, help="How long it holds.")] = _HOURS,
) -> None:
    """Make a token; the token alone goes to stdout."""
    from datetime import timedelta

    from trunkline.parties import Role
    from trunkline.tokens import TokenRefused, Tokens

    made_for: Role = next(known for known in get_args(Role) if known == role.value)
    scopes = [s.value for s in scope or []]
    sources = list(dict.fromkeys(source or []))
    if party is not None and (taken := sorted(call.settings.billing_sources.intersection(sources))):
        raise Misused(f"{', '.join(taken)} in --source belongs to the platform (TRUNKLINE_BILLING_SOURCES).")
    try:
        tokens = Tokens.of(call.settings)
        token = tokens.issue(
            made_for,
            subject=subject,
            party_id=party,
            scopes=scopes,
            sources=sources,
            ttl=timedelta(hours=hours),
        )
    except TokenRefused as refused:
        raise Misused(f"There is no such token: {refused.facts['why']}.") from None
    document = {"token": token, "role": role.value, "party": party, "scope": scopes, "source": sources, "hours": hours}
    call.tell(document, lambda: token)
