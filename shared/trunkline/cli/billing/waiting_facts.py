"""`trunkline billing waiting|quarantined`: what waits or contradicts what was processed is listed and settled."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trunkline.cli.billing.commands import app
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

Remark = Annotated[str | None, typer.Option("--remark", help="Why; kept on record. --dismiss needs one.")]
_CATEGORIES = ("subscription", "party", "identity")


@verb(app, "waiting")
def waiting(
    call: CommandContext,
    retry: Annotated[
        str | None, typer.Option("--retry", metavar="STREAM", help="Decide again what waits in this stream.")
    ] = None,
    dismiss: Annotated[
        str | None, typer.Option("--dismiss", metavar="STREAM", help="Refuse for good what waits in this stream.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="With --id: only this fact of the stream.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="With --source: only this fact of the stream.")] = None,
    remark: Remark = None,
    limit: Limit = LIMIT,
    dry_run: DryRun = None,
) -> None:
    """List the facts that wait for an organization or a subscription that is not known yet, or settle them.

    To replace a fact, publish the right one under an id of its own, and dismiss this one.
    """
    if retry is not None and dismiss is not None:
        raise Misused("Give --retry or --dismiss, not both.")
    if (source is None) != (event_id is None):
        raise Misused("--source and --id name a fact together; give both or neither.")
    if dismiss is not None:
        body = {"remark": _needed(remark)} | ({} if source is None else {"source": source, "id": event_id})
        done = call.remote.post(f"{_path(dismiss)}/dismiss", body, dry_run=dry_run)
        call.present(done, lambda: f"{done['stream']}: {done['dismissed']:,} facts dismissed.")
        return
    if retry is not None:
        done = call.remote.post(f"{_path(retry)}/retry", dry_run=dry_run)
        awaits = ", ".join(done["still_awaits"])
        still = f"still waits for {awaits}" if awaits else "nothing waits any more"
        call.present(done, lambda: f"{done['stream']}: {still}.")
        return
    found = call.remote.merged("/waiting", limit, by="since")
    found["items"] = [item for item in found["items"] if not item["awaited"].startswith("number/")]
    call.present(found, lambda: _waiting(found["items"]), lambda: more(found))


@verb(app, "quarantined")
def quarantined(
    call: CommandContext,
    apply: Annotated[
        int | None,
        typer.Option("--apply", metavar="ID", min=1, help="Process this one as an event of its own."),
    ] = None,
    as_id: Annotated[
        str | None, typer.Option("--as", metavar="EVENT-ID", help="With --apply: the event id that it gets.")
    ] = None,
    dismiss: Annotated[
        int | None, typer.Option("--dismiss", metavar="ID", min=1, help="Keep to what took effect first.")
    ] = None,
    settled: Annotated[bool, typer.Option("--settled", help="List also those that were settled.")] = False,
    remark: Remark = None,
    limit: Limit = LIMIT,
    dry_run: DryRun = None,
) -> None:
    """List the messages with other contents under an event id that was processed before, or settle them."""
    if apply is not None and dismiss is not None:
        raise Misused("Give --apply or --dismiss, not both.")
    if as_id is not None and apply is None:
        raise Misused("--as names the event id of what --apply processes.")
    path = "/licensing/operate/quarantined"
    if apply is not None:
        body = {name: value for name, value in (("event_id", as_id), ("remark", remark)) if value is not None}
        done = call.remote.post(f"{path}/{apply}/apply", body, dry_run=dry_run)
        call.present(done, lambda: _applied(done))
        return
    if dismiss is not None:
        done = call.remote.post(f"{path}/{dismiss}/dismiss", {"remark": _needed(remark)}, dry_run=dry_run)
        call.present(done, lambda: f"Conflicting duplicate {done['id']} is dismissed; what took effect first stands.")
        return
    status = None if settled else "open"
    found = call.remote.merged("/quarantined", limit, by="quarantined_at", status=status)
    call.present(found, lambda: _quarantined(found["items"]), lambda: more(found))


def _needed(remark: str | None) -> str:
    if remark is None or not remark.strip():
        raise Misused("--dismiss needs a --remark that says why.")
    return remark


def _path(stream: str) -> str:
    category, _, key = stream.partition("/")
    if category not in _CATEGORIES or not key or not key.replace("-", "").isalnum():
        raise Misused(f"{stream!r} is no stream; it takes subscription/ID, party/ID or identity/ID, as listed.")
    return f"/licensing/operate/waiting/{category}/{key}"


def _applied(done: dict[str, Any]) -> str:
    recorded = ", ".join(f"{e['type'].partition('.')[2]} of {e['stream']}" for e in done["recorded"])
    return f"Applied as event {done['event_id']}: {recorded or 'no event follows from it'}."


def _waiting(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "Nothing waits."
    rows = [(w["service"], w["waiter"], w["awaited"], relative(w["since"]), w["reason"]) for w in items]
    return table(("service", "who waits", "for", "since", "why"), rows)


def _quarantined(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "Nothing was put aside."
    rows = [
        (str(q["id"]), relative(q["quarantined_at"]), q["source"], q["event_id"], q["type"], q["subject"], q["status"])
        for q in items
    ]
    return table((">no.", "at", "source", "id", "type", "subject", "status"), rows)
