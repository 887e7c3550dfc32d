"""`trunkline number`: held-by, recycled, lookup: who had a number, whether it changed hands, many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from trunkline.cli.client.named_parties import with_names
from trunkline.cli.number.commands import Number, app, bound_to
from trunkline.cli.number.files import Numbers, NumbersFrom, numbers_given
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import instant


@verb(app, "held-by")
def held_by(
    call: CommandContext,
    number: Number,
    at: Annotated[
        str,
        typer.Option(
            "--at", "--as-of", metavar="T", help="An instant such as 2026-03-01T12:00:00Z; a date: its beginning."
        ),
    ],
) -> None:
    """Show with whom a number was at an instant: whom it served, for whom it was kept, who held it."""
    found = call.remote.get(f"/numbers/{number}/held-by", at=instant(at, "--at"))
    call.present(found, lambda: _holding(found))


@verb(app, "recycled")
def recycled(
    call: CommandContext,
    number: Number,
    since: Annotated[str, typer.Option(metavar="T", help="An instant such as 2026-03-01T12:00:00Z, or a date.")],
) -> None:
    """Say whether a number has left its customer, or come to another one, since an instant."""
    found = call.remote.get(f"/numbers/{number}/recycled", since=instant(since, "--since"))
    call.present(found, lambda: _verdict(found), lambda: _turns(call, found["turns"]))


@verb(app, "lookup")
def lookup(call: CommandContext, numbers: Numbers = None, file: NumbersFrom = None) -> None:
    """Show the states of many numbers at once."""
    found = call.remote.post("/numbers/lookup", {"numbers": numbers_given(numbers, file)})
    call.present(found, lambda: _found(call, found["numbers"]))


def _holding(found: dict[str, Any]) -> Any:
    from trunkline.cli.terminal.output import facts, relative, state

    shown: dict[str, Any] = {"number": found["number"], "at": relative(found["at"]), "state": state(found["state"])}
    shown["since"] = relative(found["since"])
    for who, does in (("organization", "assigned to"), ("reserver", "kept for"), ("holder", "held by")):
        if found[f"{who}_id"] is not None:
            name = found[who]
            shown[does] = f"{name} ({found[f'{who}_id']})" if name else found[f"{who}_id"]
    shown |= {"subscription": found["subscription_id"]} if found["subscription_id"] else {}
    shown |= {"until": relative(found["ends_at"])} if found["ends_at"] else {}
    shown |= {"bound to": [bound_to(b) for b in found["bindings"]]} if found["bindings"] else {}
    return facts(shown)


def _verdict(found: dict[str, Any]) -> str:
    from trunkline.cli.terminal.output import moment

    number, since = found["number"], moment(found["since"])
    verdict = f"{number} {'has been' if found['recycled'] else 'has not been'} recycled since {since}."
    known = found["known_from"]
    if known is None:
        return f"{verdict} Nothing of its past is known in this branch."
    whole = datetime.fromisoformat(known) <= datetime.fromisoformat(found["since"])
    return verdict if whole else f"{verdict} This branch has had it in sight since {moment(known)}."


def _turns(call: CommandContext, turns: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not turns:
        return ""
    parties = with_names(call.remote, [t["organization_id"] for t in turns])
    rows = [(relative(t["at"]), t["what"], parties[t["organization_id"]], t["subscription_id"]) for t in turns]
    return table(("at", "event", "organization", "subscription"), rows)


def _found(call: CommandContext, rows: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, state, table

    there = [row["found"] for row in rows if row["found"] is not None]
    parties = with_names(
        call.remote, [n[who] for n in there for who in ("organization_id", "reserver_id", "holder_id")]
    )
    shown: list[tuple[Any, ...]] = []
    for row in rows:
        n = row["found"]
        if n is None:
            shown.append((row["number"], "unknown", None, None, None))
            continue
        whose = parties[n["organization_id"] or n["reserver_id"]]
        shown.append((row["number"], state(n["state"]), relative(n["since"]), whose, parties[n["holder_id"]]))
    return table(("number", "state", "since", "owner", "holder"), shown)
