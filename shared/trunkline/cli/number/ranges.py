"""`trunkline number add-range`: a contiguous range of numbers in one call (N14)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from trunkline.cli.client.named_parties import NAMED, PARTY
from trunkline.cli.number.commands import app
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Partly
from trunkline.cli.terminal.options import DryRun

Holder = Annotated[
    str | None,
    PARTY,
    typer.Option("--holder", "--for", metavar="PARTY", help=f"The partner or organization they are for: {NAMED}."),
]


class Able(StrEnum):
    """What a number can be used for."""

    voice = "voice"
    sms = "sms"
    fax = "fax"


@verb(app, "add-range")
def add_range(
    call: CommandContext,
    first: Annotated[str, typer.Argument(metavar="FIRST", help="The first number of the range.")],
    last: Annotated[str, typer.Argument(metavar="LAST", help="The last one.")],
    vendor: Annotated[str, typer.Option(help="Whom they come from.")],
    country: Annotated[str, typer.Option(metavar="ISO", help="Such as SG; 001 for none.")],
    sku: Annotated[str, typer.Option(help="The code they are sold under.")],
    able: Annotated[list[Able] | None, typer.Option("--capability", help="May be repeated; else voice.")] = None,
    holder: Holder = None,
    dry_run: DryRun = None,
) -> None:
    """Bring a contiguous range of numbers into the inventory; those that are there already are told by name."""
    body: dict[str, Any] = {"first": first, "last": last, "vendor": vendor, "country": country, "sku": sku}
    body |= {"capabilities": [a.value for a in able]} if able else {}
    body |= {"holder_id": str(holder)} if holder is not None else {}
    answer = call.remote.post("/numbers/ranges", body, dry_run=dry_run)
    call.present(answer, lambda: _range(answer), lambda: _refusals(answer["refusals"]))
    if answer["refused"]:
        raise Partly(f"{answer['refused']:,} of {answer['added'] + answer['refused']:,} numbers were refused.")


def _range(answer: dict[str, Any]) -> str:
    summary = f"{answer['added']:,} numbers added, from {answer['first']} to {answer['last']}."
    return f"{summary} {answer['unlikely']:,} of them look unassigned." if answer["unlikely"] else summary


def _refusals(refusals: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    rows = [(r["number"], r["code"], r["reason"]) for r in refusals]
    return table(("number", "code", "why"), rows) if rows else ""
