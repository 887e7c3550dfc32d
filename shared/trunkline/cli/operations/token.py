"""`trunkline token`: bearer tokens signed with the home's own key."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, get_args

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Refused
from trunkline.cli.terminal.options import SERVICES, instant

app = typer.Typer(help="Bearer tokens, signed with this home's own key.", no_args_is_help=True)

_HOURS = 12.0


def user() -> str:
    """How the audit names whoever uses the home's key: by the account of this machine."""
    import getpass

    try:
        return f"account:{getpass.getuser()}"
    except (OSError, KeyError):  # an account without a name
        return "account:unknown"


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


@verb(app, "rotate", remote=False)
def rotate(
    call: CommandContext,
    overlap_days: Annotated[
        float | None,
        typer.Option(min=0, max=3_660, help="How long the old key verifies; else as long as a machine's token holds."),
    ] = None,
) -> None:
    """Sign with a new key from now on; tokens that the old key signed are believed until the overlap ends.

    Copies that only verify need the new `keys/public.json`. `--overlap-days 0` ends every token of the old key.
    """
    from datetime import UTC, datetime, timedelta

    from trunkline.security.key_journal import note
    from trunkline.security.signing_keys import PUBLIC
    from trunkline.security.signing_keys import rotate as rotate_keys

    keys, settings = call.settings.keys, call.settings
    overlap = timedelta(days=settings.machine_token_days if overlap_days is None else overlap_days)
    now = datetime.now(UTC)
    key, until = rotate_keys(keys, overlap, now)
    note(keys, now, user(), "token rotate", kid=key.kid, old_verifies_until=until.isoformat())
    document = {"kid": key.kid, "old_verifies_until": until.isoformat(), "public_keys": str(keys / PUBLIC)}
    call.present(
        document, lambda: f"{key.kid} signs from now on; what was issued before is believed until {until:%F %T}Z."
    )


@verb(app, "keys", remote=False)
def public_keys(call: CommandContext) -> None:
    """Print the public keys (a JWKS): saved as `keys/public.json`, they are all that a copy needs to verify."""
    import json

    from trunkline.security.signing_keys import publish

    text = publish(call.settings.keys).read_text(encoding="utf-8")
    call.present(json.loads(text), lambda: text)


@verb(app, "revoke")
def revoke(
    call: CommandContext,
    jti: Annotated[str | None, typer.Option(help="One token, by its `jti`.")] = None,
    issuer: Annotated[str, typer.Option(help="Who issued the token that --jti names.")] = "trunkline",
    subject: Annotated[str | None, typer.Option(help="All tokens of a subject, as histories name it.")] = None,
    before: Annotated[
        str | None, typer.Option(metavar="T", help="Of the subject's, those issued before this instant; else now.")
    ] = None,
    remark: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Believe a token, or a subject's tokens, no more."""
    if (jti is None) == (subject is None):
        raise Misused("A revocation takes either --jti or --subject.")
    body = {"token_id": jti, "issuer": issuer, "subject": subject, "remark": remark}
    if before is not None:
        body["not_before"] = instant(before, "--before")
    document = {name: call.remote.post(f"/{name}/operate/tokens/revoke", body) for name in SERVICES}
    what = f"Token {jti}" if jti is not None else f"What {subject} was issued before"
    call.present(document, lambda: f"{what} is believed no more.")


@verb(app, "issue", remote=False)
def issue(
    call: CommandContext,
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
    hours: Annotated[
        float | None,
        typer.Option(min=0.01, max=87_840, help="How long it holds; else 12, or as long as the settings allow."),
    ] = None,
) -> None:
    """Make a token; the token alone goes to stdout."""
    from datetime import timedelta
    from uuid import uuid4

    from trunkline.roles import Role
    from trunkline.security.signing_keys import NoSigningKey
    from trunkline.security.tokens import TokenRefused, Tokens

    made_for: Role = next(known for known in get_args(Role) if known == role.value)
    longest = call.settings.machine_token_days * 24 if role is RoleName.machine else call.settings.token_hours
    hours = min(_HOURS, longest) if hours is None else hours
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
            token_id=(jti := str(uuid4())),
        )
    except TokenRefused as refused:
        raise Misused(f"There is no such token: {refused.facts['why']}.") from None
    except NoSigningKey as refused:
        raise Refused(str(refused)) from None
    document = {
        "token": token,
        "jti": jti,
        "role": role.value,
        "party": party,
        "scope": scopes,
        "source": sources,
        "hours": hours,
    }
    call.present(document, lambda: token)
