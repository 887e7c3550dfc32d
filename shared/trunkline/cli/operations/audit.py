"""`trunkline audit`: what operators did."""

from __future__ import annotations

from typing import Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, Limit, more


def add_audit(app: typer.Typer, panel: str) -> None:
    """Add `audit` to the commands."""

    @verb(app, "audit", panel=panel)
    def audit(call: CommandContext, limit: Limit = LIMIT) -> None:
        """List what operators did, newest first: also what was refused."""
        found = call.remote.merged("/audit", limit, by="at", newest_first=True)
        call.present(found, lambda: _rows(found["items"]), lambda: more(found))


def _rows(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "No operator has done anything yet."
    rows = [
        (relative(a["at"]), a["service"], a["actor"], a["command"], _arguments(a["arguments"]), a["outcome"])
        for a in items
    ]
    return table(("at", "service", "by", "command", "with", "outcome"), rows)


def _arguments(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items())
