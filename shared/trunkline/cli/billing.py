"""`trunkline billing`: what billing says: check it, publish it, and see what waits or was put aside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.ending import Partly, Refused
from trunkline.cli.verb import Call, verb

if TYPE_CHECKING:
    from trunkline.cli.billing_file import Finding

app = typer.Typer(help="What billing says of its subscriptions.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="JSON lines, one CloudEvent each; - reads standard input.")]


@verb(app, "validate", remote=False)
def validate(call: Call, file: File) -> None:
    """Check a file of events as the service would, without sending anything."""
    from trunkline.cli.billing_file import check, read_lines

    lines = read_lines(file)
    findings = check(lines)
    wrong = [finding for finding in findings if not finding.harmless]
    document = {
        "events": len(lines),
        "accepted": len(lines) - len(findings),
        "repeated": len(findings) - len(wrong),
        "wrong": len(wrong),
        "findings": [_finding(finding) for finding in findings],
    }
    call.tell(document, lambda: _findings(document))
    if len(wrong) == len(lines):
        raise Refused(f"None of the {len(lines):,} events would be accepted.")
    if wrong:
        raise Partly(f"{len(wrong):,} of {len(lines):,} events would not be accepted.")


def _finding(finding: Finding) -> dict[str, Any]:
    return {"line": finding.line, "id": finding.id, "code": finding.code, "reason": finding.reason}


def _findings(document: dict[str, Any]) -> Any:
    from trunkline.cli.screen import table

    counts = ", ".join(f"{document[kind]:,} {kind}" for kind in ("accepted", "repeated", "wrong"))
    told = f"{document['events']:,} events: {counts}."
    if not document["findings"]:
        return told
    rows = [(str(f["line"]), f["id"], f["code"], f["reason"]) for f in document["findings"]]
    return table((">line", "id", "code", "reason"), rows, title=told)
