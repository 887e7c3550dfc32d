"""`trunkline number`: allocate, take-back, change, bind, unbind: whose a number is, what it is, and whom it serves."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION, PARTY, with_names
from trunkline.cli.number.commands import Number, app, present_number
from trunkline.cli.number.files import Numbers, NumbersFrom, numbers_given
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import DryRun

Remark = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in a few words; welcome.")]
Text = Annotated[str | None, typer.Option(metavar="TEXT", help='Another one; "": none.')]
Code = Annotated[str | None, typer.Option(metavar="TEXT", help="Another one.")]
Form = Annotated[
    str | None,
    typer.Option(metavar="+CC<EXTENSION>", help="The legacy form of a trunk from before: only by the import."),
]


class Kind(StrEnum):
    """What kind of user a number serves by hand; that of a PBX user is made through the extension."""

    trunk = "trunk"
    sms = "sms"


@verb(app, "allocate")
def allocate(
    call: CommandContext,
    holder: Annotated[str, PARTY, typer.Option("--to", metavar="PARTY", help=f"The partner or organization: {NAMED}.")],
    numbers: Numbers = None,
    file: NumbersFrom = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Give numbers to a partner or an organization to use or resell: all of them, or none."""
    body = _given(numbers=numbers_given(numbers, file), holder_id=str(holder), remark=remark)
    _present_handed_on(call, call.remote.post("/numbers/allocate", body, dry_run=dry_run))


@verb(app, "take-back")
def take_back(
    call: CommandContext,
    numbers: Numbers = None,
    file: NumbersFrom = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Take numbers back from whom they were given to: all of them, or none."""
    body = _given(numbers=numbers_given(numbers, file), remark=remark)
    _present_handed_on(call, call.remote.post("/numbers/take-back", body, dry_run=dry_run))


@verb(app, "change")
def change(
    call: CommandContext,
    number: Number,
    voice: Annotated[bool | None, typer.Option(help="Can it be called?")] = None,
    sms: Annotated[bool | None, typer.Option(help="Can it be texted?")] = None,
    fax: Annotated[bool | None, typer.Option(help="Can it be faxed?")] = None,
    voice_carrier: Text = None,
    sms_carrier: Text = None,
    routing: Text = None,
    golden: Annotated[bool | None, typer.Option(help="Is it a golden one?")] = None,
    ported_in: Annotated[bool | None, typer.Option(help="Was it ported in?")] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help='A portal it is shown to; can be given again; "": all of them.')
    ] = None,
    sku: Code = None,
    vendor: Code = None,
    trunk_form: Annotated[
        str | None, typer.Option(metavar="+CC<EXTENSION>", help='Of a trunk that has one; "": the number itself.')
    ] = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Change what is named of a number, and nothing else; the domains named replace those there were."""
    body = _given(capabilities=_given(voice=voice, sms=sms, fax=fax) or None, golden=golden, ported_in=ported_in)
    body |= _given(sku=sku, vendor=vendor, domains=None if domain is None else [d for d in domain if d])
    texts = {"voice_carrier": voice_carrier, "sms_carrier": sms_carrier, "routing": routing, "trunk_form": trunk_form}
    body |= {name: text or None for name, text in texts.items() if text is not None}
    if not body:
        raise Misused("Nothing is named that is to be changed; --help lists what can be.")
    found = call.remote.patch(f"/numbers/{number}", body | _given(remark=remark), dry_run=dry_run)
    present_number(call, found)


@verb(app, "bind")
def bind(
    call: CommandContext,
    number: Number,
    kind: Annotated[Kind, typer.Option(help="`trunk`: its default number; `sms`: an SMS user.")],
    user: Annotated[UUID, typer.Option(metavar="UUID", help="Whom it is to serve.")],
    external: Annotated[
        bool, typer.Option("--external", help="It is not in the inventory yet: add it as well.")
    ] = False,
    country: Annotated[str | None, typer.Option(metavar="ISO", help="Of an external one.")] = None,
    vendor: Annotated[str | None, typer.Option(help="Of an external one: whom it comes from.")] = None,
    sku: Annotated[str | None, typer.Option(help="Of an external one.")] = None,
    organization: Annotated[
        str | None,
        ORGANIZATION,
        typer.Option(metavar="ORGANIZATION", help="Of an external one: whose it is to be; else the asker's."),
    ] = None,
    trunk_form: Form = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Let a number serve a trunk or SMS user of the organization it is assigned to or held by."""
    body = _given(kind=kind.value, user_id=str(user), trunk_form=trunk_form, remark=remark)
    new = _given(
        country=country, vendor=vendor, sku=sku, organization_id=None if organization is None else str(organization)
    )
    if external and not {"country", "vendor"} <= new.keys():
        raise Misused("An external number needs --country and --vendor.")
    if new and not external:
        raise Misused("--country, --vendor, --sku and --organization describe an --external number.")
    found = call.remote.post(f"/numbers/{number}/bind", body | ({"external": new} if external else {}), dry_run=dry_run)
    present_number(call, found)


@verb(app, "unbind")
def unbind(
    call: CommandContext,
    number: Number,
    kind: Annotated[Kind, typer.Option(help="Which user.")],
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Let a number serve a trunk or SMS user no more."""
    found = call.remote.post(f"/numbers/{number}/unbind", _given(kind=kind.value, remark=remark), dry_run=dry_run)
    present_number(call, found)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _present_handed_on(call: CommandContext, answer: dict[str, Any]) -> None:
    from trunkline.cli.terminal.output import state, table

    def shown() -> Any:
        parties = with_names(call.remote, [n["holder_id"] for n in answer["numbers"]])
        rows = [(n["number"], n["outcome"], state(n["state"]), parties[n["holder_id"]]) for n in answer["numbers"]]
        return table(("number", "outcome", "state", "holder"), rows)

    call.present(answer, shown)
