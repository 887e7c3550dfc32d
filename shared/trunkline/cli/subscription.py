"""`trunkline subscription`: what billing's facts come to, and what became of each of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, ORGANIZATION, with_name
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Refused
from trunkline.cli.terminal.options import LIMIT, Limit, more

app = typer.Typer(help="Subscriptions: what billing's facts come to.", no_args_is_help=True)


class Product(StrEnum):
    """What is sold."""

    number = "number"
    license = "license"
    did_reservation = "did_reservation"


class Status(StrEnum):
    """How a subscription stands."""

    active = "active"
    expired = "expired"
    terminated = "terminated"


@verb(app, "show")
def show(call: CommandContext, subscription: Annotated[UUID, typer.Argument(metavar="ID", help="Its UUID.")]) -> None:
    """Show a subscription, every fact that billing said of it, and the numbers it has."""
    found = call.remote.get(f"/licensing/subscriptions/{subscription}")
    found["in_numbers"] = _in_numbers(call, subscription)
    call.present(found, lambda: _subscription(call, found))


@verb(app, "list")
def list_(
    call: CommandContext,
    organization: Annotated[
        str | None, ORGANIZATION, typer.Option(metavar="ORGANIZATION", help=f"Only of this organization: {NAMED}.")
    ] = None,
    product: Annotated[Product | None, typer.Option(help="Only of this kind.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only in this status.")] = None,
    number: Annotated[str | None, typer.Option(metavar="E164", help="Only that which names this number.")] = None,
    limit: Limit = LIMIT,
) -> None:
    """List subscriptions, the oldest first."""
    filters = {"organization_id": organization, "product": product, "status": status, "number": number}
    chosen = {name: str(value) for name, value in filters.items() if value is not None}
    found = call.remote.page_through("/licensing/subscriptions", limit, **chosen)
    call.present(found, lambda: _subscriptions(found["items"]), lambda: more(found))


def _in_numbers(call: CommandContext, subscription: UUID) -> Any:
    """What numbers holds of it; None where it has heard nothing of it (yet)."""
    try:
        return call.remote.get(f"/numbers/subscriptions/{subscription}")
    except Refused as refused:
        if refused.document.get("status") != 404:
            raise
        return None


def _subscription(call: CommandContext, found: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import facts, line, relative, state, table

    shown: dict[str, Any] = {"subscription_id": found["subscription_id"]}
    if (organization := found.get("organization_id")) is not None:
        shown["organization_id"] = with_name(call.remote, organization)
    kept = ("product", "reference", "sku", "license_code")
    shown |= {name: found[name] for name in kept if found.get(name) is not None}
    shown |= {"status": state(found["status"] or "not started")}
    instants = ("started_at", "expired_at", "terminated_at", "renewed_until")
    shown |= {name: relative(found[name]) for name in instants if found.get(name) is not None}
    shown |= {name: str(found[name]) for name in ("quantity", "plan_days") if found.get(name) is not None}
    for out in found["swapped_out"]:
        shown["swapped out"] = f"{out['number']} at {relative(out['at'])}"
    shown |= _assignment(found)
    rows = [
        (relative(f["at"]), f["fact"], f["verdict"], relative(f["heard_at"]), f["id"], f["reason"])
        for f in found["facts"]
    ]
    ahead = [
        (relative(f["at"]), f["fact"], f["code"] or "scheduled", relative(f["heard_at"]), f["id"], None)
        for f in found["scheduled"]
    ]
    return Group(facts(shown), line(), table(("at", "fact", "verdict", "heard", "id", "why"), [*rows, *ahead]))


def _assignment(found: dict[str, Any]) -> dict[str, Any]:
    """The number that was sold and whether it is assigned: two facts, of two services."""
    from trunkline.cli.terminal.output import relative

    shown: dict[str, Any] = {"number sold": found["number"]} if found["number"] is not None else {}
    held = found["in_numbers"]
    if held is None:
        return shown | ({"assigned": "no: numbers has not processed this subscription yet"} if shown else {})
    if held["set_by_hand"]:
        shown["number set by hand"] = held["number"]
    if held["assigned"]:
        shown["assigned"] = f"yes, since {relative(held['assigned_since'])}"
    elif held["assigned"] is False:
        why = held["not_assigned"]
        since = f", since {relative(why['since'])}" if why is not None and why["since"] is not None else ""
        shown["assigned"] = (
            f"no{since}: {why['reason'] if why is not None else 'the subscription is ' + held['status']}"
        )
        if held["assigned_number"] is not None:
            shown["assigned meanwhile"] = f"{held['assigned_number']}, since {relative(held['assigned_since'])}"
    return shown


def _subscriptions(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, state, table

    if not items:
        return "No subscriptions."
    rows = [
        (
            s["subscription_id"],
            s["product"],
            state(s["status"]),
            s["number"] or s["license_code"],
            s["assigned"],
            relative(s["started_at"]),
        )
        for s in items
    ]
    return table(("subscription", "product", "status", "sold", "assigned", "started"), rows)
