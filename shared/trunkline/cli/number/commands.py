"""`trunkline number`: one telephone number, now, then, and all that happened to it; adding some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from trunkline.cli.client.named_parties import NAMED, PARTY, with_name
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Partly
from trunkline.cli.terminal.options import LIMIT, AsOf, DryRun, Limit, instant, more

app = typer.Typer(help="Telephone numbers and their lives.", no_args_is_help=True)

_PARTIES: Final = frozenset({"organization_id", "reserver_id", "holder_id", "uploader_id"})
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="In E.164 form, such as +6531580001.")]


@verb(app, "show")
def show(call: CommandContext, number: Number, as_of: AsOf = None) -> None:
    """Show a number as it is, or as it was."""
    found = call.remote.get(f"/numbers/{number}", as_of=instant(as_of))
    present_number(call, found)


@verb(app, "history")
def history(call: CommandContext, number: Number, as_of: AsOf = None, limit: Limit = LIMIT) -> None:
    """Show everything that happened to a number: when, what, why and by whom, down to the billing event behind it."""
    found = call.remote.page_through(f"/numbers/{number}/history", limit, as_of=instant(as_of))
    call.present(found, lambda: history_table(found["items"]), lambda: more(found))


@verb(app, "add")
def add(
    call: CommandContext,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER...", help="At most 50; also with commas between.")],
    vendor: Annotated[str, typer.Option(help="Whom they come from.")],
    country: Annotated[str, typer.Option(metavar="ISO", help="Such as SG; 001 for none.")],
    sku: Annotated[str, typer.Option(help="The code they are sold under.")],
    holder: Annotated[
        str | None, PARTY, typer.Option(metavar="PARTY", help=f"The partner or organization they are for: {NAMED}.")
    ] = None,
    dry_run: DryRun = None,
) -> None:
    """Bring numbers into the inventory; one that is refused does not spoil the others."""
    named = [part.strip() for text in numbers for part in text.split(",") if part.strip()]
    body: dict[str, Any] = {"numbers": named, "vendor": vendor, "country": country, "sku": sku}
    body |= {"holder_id": holder} if holder is not None else {}
    answer = call.remote.post("/numbers", body, dry_run=dry_run)
    call.present(answer, lambda: _added(answer))
    if answer["refused"]:
        raise Partly(f"{answer['refused']:,} of {len(named):,} numbers were refused.")


def present_number(call: CommandContext, found: dict[str, Any]) -> None:
    """Show a number as it is; after a dry run, as it would be."""
    call.present(found, lambda: number_facts(found, lambda party_id: with_name(call.remote, party_id)))


def number_facts(found: dict[str, Any], named: Callable[[str], str] = str) -> Any:
    """A number, one fact a line; `named` says how a party is called, by its id."""
    from trunkline.cli.terminal.output import facts, relative, state

    shown: dict[str, Any] = {"number": found["number"], "state": state(found["state"])}
    shown["since"] = relative(found["since"])
    for name in ("cause", "organization_id", "subscription_id", "reserver_id", "holder_id", "uploader_id"):
        if found.get(name) is not None:
            shown[name.removesuffix("_id")] = named(found[name]) if name in _PARTIES else found[name]
    for name in ("ends_at", "free_ends_at", "quarantined_until"):
        if found.get(name) is not None and found[name] != shown.get("ends_at"):
            shown[name] = relative(found[name])
    able = [name for name, yes in found["capabilities"].items() if yes]
    marks = [name for name in ("golden", "ported_in", "charged") if found.get(name)]
    shown |= {"country": found["country"], "sku": found["sku"], "vendor": found["vendor"], "capabilities": able}
    shown |= {name: found[name] for name in ("voice_carrier", "sms_carrier", "routing", "domains") if found.get(name)}
    shown |= {"marks": [m.replace("_", " ") for m in marks]} if marks else {}
    shown |= {"bound to": [bound_to(b) for b in found["bindings"]]} if found["bindings"] else {}
    return facts(shown)


def bound_to(binding: dict[str, Any]) -> str:
    """A user that a number serves, in a few words."""
    form = f" as {binding['trunk_form']}" if binding.get("trunk_form") else ""
    return f"{binding['kind']} {binding['user_id'] or binding['extension_id']}{form}"


def history_table(items: list[dict[str, Any]]) -> Any:
    """What happened to a number, one line each."""
    from trunkline.cli.terminal.output import relative, state, table

    rows = [
        (relative(h["at"]), h["event"], state(h["state"]), why(h), h.get("remark"), h.get("actor"), h["correlation_id"])
        for h in items
    ]
    return table(("at", "what", "state", "why", "remark", "by", "cause"), rows)


def why(happened: dict[str, Any]) -> str:
    """The gist of an event of a number: its cause, until when, for whom, what changed."""
    from trunkline.cli.terminal.output import relative

    data = happened.get("data", {})
    parts = [str(data["cause"])] if data.get("cause") else []
    parts += ["restored"] if data.get("restored") else []
    parts += [f"until {relative(data['ends_at'])}"] if data.get("ends_at") else []
    parts += [f"subscription {data['subscription_id']}"] if data.get("subscription_id") else []
    parts += [f"reserver {data['reserver_id']}"] if data.get("reserver_id") and not data.get("subscription_id") else []
    parts += [f"holder {data['holder_id']}"] if data.get("holder_id") else []
    parts += [str(data["reason"])] if data.get("reason") else []
    parts += [", ".join(data["changed"])] if data.get("changed") else []
    parts += [bound_to(data | {"extension_id": data.get("extension_id")})] if data.get("kind") else []
    return ", ".join(parts)


def _added(answer: dict[str, Any]) -> Any:
    from trunkline.cli.terminal.output import table

    rows = [(r["input"], r["number"], r["outcome"], r["reason"] or r["warning"]) for r in answer["results"]]
    return table(("input", "number", "outcome", "why"), rows)
