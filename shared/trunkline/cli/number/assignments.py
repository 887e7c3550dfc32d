"""`trunkline number`: assign, swap, extend, refused: numbers and the subscriptions that they serve or wait for."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.number.commands import Number, app, number_facts, present_number
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

Remark = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in a few words, if you like.")]
ToWhom = Annotated[UUID, typer.Option("--to", metavar="SUBSCRIPTION", help="An active one for a number, without one.")]


@verb(app, "assign")
def assign(call: CommandContext, number: Number, to: ToWhom, remark: Remark = None, dry_run: DryRun = None) -> None:
    """Assign an available number, or one reserved for the organization, to a subscription that has none."""
    _act(call, number, "assign", dry_run, to, remark)


@verb(app, "extend")
def extend(
    call: CommandContext,
    number: Number,
    by: Annotated[UUID, typer.Option("--by", metavar="SUBSCRIPTION", help="A DID reservation subscription.")],
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Let a DID reservation subscription pay for a reservation, one period of its plan longer."""
    _act(call, number, "extend", dry_run, by, remark)


@verb(app, "swap")
def swap(
    call: CommandContext,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The number that serves the subscription.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The number to take its place.")],
    of: Annotated[UUID, typer.Option("--of", metavar="SUBSCRIPTION", help="The subscription.")],
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Put a number in the place of another, both or neither: the old one is kept for a day."""
    body = {"old_number": old, "new_number": new, "subscription_id": str(of)} | _why(remark)
    found = call.remote.post("/numbers/swap", body, dry_run=dry_run)
    call.present(
        found,
        lambda: number_facts(found["new"]),
        lambda: number_facts(found["old"]),
    )


@verb(app, "refused")
def refused(
    call: CommandContext,
    dismiss: Annotated[
        UUID | None, typer.Option("--dismiss", metavar="SUBSCRIPTION", help="Let this one wait no more.")
    ] = None,
    remark: Remark = None,
    limit: Limit = LIMIT,
    dry_run: DryRun = None,
) -> None:
    """List the assignments that were refused and wait for their number to change, or let one wait no more."""
    if dismiss is None:
        found = call.remote.page_through("/numbers/refused", limit)
        call.present(found, lambda: _refused(found["items"]), lambda: more(found))
        return
    done = call.remote.post(f"/numbers/refused/{dismiss}/dismiss", _why(remark), dry_run=dry_run)
    call.present(done, lambda: f"Subscription {done['subscription_id']} waits no more for {done['number']}.")


def _act(
    call: CommandContext, number: str, what: str, dry_run: bool | None, subscription: UUID, remark: str | None
) -> None:
    body = {"subscription_id": str(subscription)} | _why(remark)
    found = call.remote.post(f"/numbers/{number}/{what}", body, dry_run=dry_run)
    present_number(call, found)


def _why(remark: str | None) -> dict[str, Any]:
    return {} if remark is None else {"remark": remark}


def _refused(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "Nothing was refused."
    rows = [(r["number"], r["subscription_id"], r["code"], relative(r["refused_at"]), r["reason"]) for r in items]
    return table(("number", "subscription", "code", "since", "reason"), rows)
