"""`trunkline number`: reserve, release, lock, unlock, delete, recover: what people do with one number, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from trunkline.cli.client.named_parties import NAMED, PARTY
from trunkline.cli.number.commands import Number, app, present_number
from trunkline.cli.number.files import Numbers, NumbersFrom, each, numbers_given
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import DryRun

Remark = Annotated[str, typer.Option(metavar="TEXT", help="Why, in a few words.")]


class Reason(StrEnum):
    """Why a number leaves the inventory."""

    ported_out = "ported_out"
    returned_to_vendor = "returned_to_vendor"
    faulty = "faulty"
    other = "other"


@verb(app, "reserve")
def reserve(
    call: CommandContext,
    reserver: Annotated[
        str, PARTY, typer.Option("--for", metavar="PARTY", help=f"The organization or partner: {NAMED}.")
    ],
    remark: Remark,
    numbers: Numbers = None,
    file: NumbersFrom = None,
    dry_run: DryRun = None,
) -> None:
    """Keep available numbers for an organization or a partner, 28 days unless the policy says otherwise."""
    body = {"reserver_id": str(reserver), "remark": remark}
    each(call, numbers_given(numbers, file), "reserved", lambda number: _done(call, number, "reserve", dry_run, body))


@verb(app, "release")
def release(
    call: CommandContext, remark: Remark, numbers: Numbers = None, file: NumbersFrom = None, dry_run: DryRun = None
) -> None:
    """End reservations: the numbers are available again."""
    body = {"remark": remark}
    each(call, numbers_given(numbers, file), "released", lambda number: _done(call, number, "release", dry_run, body))


@verb(app, "lock")
def lock(
    call: CommandContext,
    number: Number,
    remark: Remark,
    legacy: Annotated[bool, typer.Option("--legacy", help="Without end: only by the platform's import.")] = False,
    dry_run: DryRun = None,
) -> None:
    """Take an available number out of sale for nobody in particular."""
    _act(call, number, "lock", dry_run, remark=remark, legacy=legacy)


@verb(app, "unlock")
def unlock(call: CommandContext, number: Number, remark: Remark, dry_run: DryRun = None) -> None:
    """End a lock, a legacy one too."""
    _act(call, number, "unlock", dry_run, remark=remark)


@verb(app, "delete")
def delete(
    call: CommandContext,
    number: Number,
    reason: Annotated[Reason, typer.Option(help="What became of it.")],
    remark: Remark,
    dry_run: DryRun = None,
) -> None:
    """Take an available or locked number out of the inventory; its history stays, and `recover` brings it back."""
    _act(call, number, "delete", dry_run, reason=reason.value, remark=remark)


@verb(app, "recover")
def recover(call: CommandContext, number: Number, remark: Remark, dry_run: DryRun = None) -> None:
    """Bring a deleted number back: it is available again."""
    _act(call, number, "recover", dry_run, remark=remark)


def _act(call: CommandContext, number: str, what: str, dry_run: bool | None, **body: Any) -> None:
    present_number(call, _done(call, number, what, dry_run, body))


def _done(call: CommandContext, number: str, what: str, dry_run: bool | None, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = call.remote.post(f"/numbers/{number}/{what}", body, dry_run=dry_run)
    return found
