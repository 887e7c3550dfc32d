"""`trunkline billing`: what billing says: check it and publish it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Partly, Refused
from trunkline.cli.terminal.options import DryRun

if TYPE_CHECKING:
    from trunkline.cli.billing.event_file import Finding, Line

app = typer.Typer(help="What billing says of its subscriptions.", no_args_is_help=True)

VERDICTS = ("accepted", "scheduled", "duplicate", "waiting", "refused", "quarantined", "unreadable")
_BATCH = "application/cloudevents-batch+json"
_MOST_SHOWN = 50

File = Annotated[Path, typer.Argument(help="JSON lines, one CloudEvent each; - reads standard input.")]


@verb(app, "publish")
def publish(call: CommandContext, file: File, dry_run: DryRun = None) -> None:
    """Send a file of events; sent again, it does no harm. Exits with 3 when some were refused or put aside."""
    from trunkline.cli.billing.event_file import batches, read_lines, unsendable
    from trunkline.cli.terminal.output import progress

    lines = read_lines(file)
    unsent = {finding.line: finding for line in lines if (finding := unsendable(line)) is not None}
    counts = Counter(unreadable=len(unsent))
    findings = [_finding(finding) for finding in unsent.values()]
    warnings: list[dict[str, Any]] = []
    with progress("publishing", len(lines), silent=call.as_json) as bar:
        for batch in batches([line for line in lines if line.number not in unsent]):
            _send(call, batch, counts, findings, warnings, dry_run)
            bar.move(counts.total())
    findings.sort(key=lambda finding: finding["line"])
    document = {"events": len(lines), **{verdict: counts[verdict] for verdict in VERDICTS}, "findings": findings}
    document["warnings"] = warnings
    call.present(document, lambda: _findings(document, VERDICTS))
    _end(counts["refused"] + counts["quarantined"] + counts["unreadable"], len(lines), "taken")


@verb(app, "validate", remote=False)
def validate(call: CommandContext, file: File) -> None:
    """Check a file of events as the service would, without sending anything.

    What depends on the facts that the service has on record is known only when they are published.
    """
    from trunkline.cli.billing.event_file import check, read_lines

    lines = read_lines(file)
    findings = check(lines, datetime.now(UTC))
    counts = Counter(finding.verdict for finding in findings)
    counts["accepted"] = len(lines) - len(findings)
    shown = ("accepted", "duplicate", "refused", "quarantined", "unreadable")
    document = {
        "events": len(lines),
        **{verdict: counts[verdict] for verdict in shown},
        "findings": [_finding(finding) for finding in findings],
    }
    call.present(document, lambda: _findings(document, shown))
    _end(counts["refused"] + counts["quarantined"] + counts["unreadable"], len(lines), "acceptable")


def _send(
    call: CommandContext,
    batch: list[Line],
    counts: Counter[str],
    findings: list[dict[str, Any]],
    warnings: list[dict[str, Any]],
    dry_run: bool | None,
) -> None:
    """Send one batch, count what became of it, and note what was not accepted and what may be a slip."""
    from trunkline.cli.billing.event_file import event_id

    body = b"[" + b",".join(line.body for line in batch) + b"]"
    try:
        answer = call.remote.post_bytes("/licensing/billing-events", body, _BATCH, dry_run=dry_run)
    except Ended as ended:
        done = f" {counts.total():,} events before line {batch[0].number:,} were sent; sending them again does no harm."
        raise type(ended)(f"{ended}{done if counts.total() else ''}", ended.document) from None
    for result in answer["results"]:
        counts[result["verdict"]] += 1
        line = batch[result["place"]]
        named = {"line": line.number, "id": result["id"] or event_id(line)}
        warnings += [{**named, "code": w["code"], "reason": w["message"]} for w in result.get("warnings", ())]
        if result["verdict"] not in ("accepted", "duplicate"):
            findings.append({**named, "code": result["code"] or result["verdict"], "reason": result["reason"]})


def _end(wrong: int, events: int, word: str) -> None:
    if wrong == events:
        raise Refused(f"None of the {events:,} events is {word}.")
    if wrong:
        raise Partly(f"{wrong:,} of {events:,} events are not {word}.")


def _finding(finding: Finding) -> dict[str, Any]:
    return {"line": finding.line, "id": finding.id, "code": finding.code, "reason": finding.reason}


def _findings(document: dict[str, Any], verdicts: tuple[str, ...]) -> Any:
    from trunkline.cli.terminal.output import table

    counts = [f"{document[verdict]:,} {verdict}" for verdict in verdicts if document[verdict]]
    summary = f"{document['events']:,} events: {', '.join(counts)}."
    listed = sorted((*document["findings"], *document.get("warnings", ())), key=lambda finding: finding["line"])
    if not listed:
        return summary
    rows = [(str(f["line"]), f["id"], f["code"], f["reason"]) for f in listed[:_MOST_SHOWN]]
    return table((">line", "id", "code", "reason"), rows, title=summary)
