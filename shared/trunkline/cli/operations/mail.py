"""`trunkline mail`: the notices that went out, or wait to."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, Service, ServiceName, more

app = typer.Typer(help="Notices by e-mail.", no_args_is_help=True)


class MailState(StrEnum):
    """What has become of a mail."""

    waiting = "waiting"
    sent = "sent"
    failed = "failed"
    dropped = "dropped"
    discarded = "discarded"


@verb(app, "list")
def list_(
    call: CommandContext,
    state: Annotated[MailState | None, typer.Option(help="Only these.")] = None,
    limit: Limit = LIMIT,
) -> None:
    """List mails, newest first."""
    chosen = None if state is None else state.value
    found = call.remote.merged("/mail", limit, by="created_at", newest_first=True, state=chosen)
    call.present(found, lambda: _mails(found["items"]), lambda: more(found))


@verb(app, "show")
def show(
    call: CommandContext,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `mail list` shows it.")],
    service: Service = None,
) -> None:
    """Show one mail, whole."""
    found = call.remote.get(_path(key, service))
    call.present(found, lambda: _mail(found))


@verb(app, "retry")
def retry(
    call: CommandContext,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `mail list` shows it.")],
    service: Service = None,
    dry_run: DryRun = None,
) -> None:
    """Try a mail again at once that waits, has failed or was discarded; it goes to the address of now."""
    done = call.remote.post(f"{_path(key, service)}/retry", {}, dry_run=dry_run)
    call.present(done, lambda: f"{key} is tried again.")


@verb(app, "discard")
def discard(
    call: CommandContext,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `mail list` shows it.")],
    remark: Annotated[str, typer.Option("--remark", help="Why it is given up; kept with the mail.")],
    service: Service = None,
    dry_run: DryRun = None,
) -> None:
    """Give a mail up that waits or has failed. It is kept and can still be shown and retried."""
    done = call.remote.post(f"{_path(key, service)}/discard", {"remark": remark}, dry_run=dry_run)
    call.present(done, lambda: f"{key} is discarded.")


def _path(key: str, service: ServiceName | None) -> str:
    whose = "numbers" if service is None else service.value
    return f"/{whose}/operate/mail/{quote(key, safe='/')}"


def _mails(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "No mail."
    rows = [(relative(m["created_at"]), m["state"], m["recipient"], m["subject"], m["key"]) for m in items]
    return table(("at", "state", "to", "subject", "key"), rows)


def _mail(mail: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import facts, line, relative

    about = {"to": mail["recipient"], "subject": mail["subject"], "at": relative(mail["created_at"])}
    about |= {"state": mail["state"], "sent": relative(mail["sent_at"]), "tries": str(mail["attempts"])}
    about |= {"last error": mail["last_error"]} if mail["last_error"] else {}
    return Group(facts(about), "", line(mail["body"].rstrip()))
