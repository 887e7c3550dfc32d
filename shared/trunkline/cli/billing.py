"""`trunkline billing`: what billing says: check it and publish it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.ending import Ended, Partly, Refused
from trunkline.cli.options import DryRun
from trunkline.cli.verb import Call, verb

if TYPE_CHECKING:
    from trunkline.cli.billing_file import Finding, Line

app = typer.Typer(help="What billing says of its subscriptions.", no_args_is_help=True)

VERDICTS = ("accepted", "duplicate", "waiting", "refused", "quarantined", "unreadable")
_BATCH = "application/cloudevents-batch+json"
_MOST_SHOWN = 50

File = Annotated[Path, typer.Argument(help="JSON lines, one CloudEvent each; - reads standard input.")]


@verb(app, "publish")
def publish(call: Call, file: File, dry_run: DryRun = None) -> None:
    """Send a file of events; sent again, it does no harm. Exits with 3 when some were refused or put aside."""
    from trunkline.cli.billing_file import Finding, batches, is_object, read_lines
    from trunkline.cli.screen import progress

    lines = read_lines(file)
    good = [line for line in lines if is_object(line)]
    broken = [Finding(line.number, "not-json", "The line is no JSON object.") for line in lines if not is_object(line)]
    counts = Counter(unreadable=len(broken))
    findings = [_finding(finding) for finding in broken]
    with progress("publishing", len(lines), silent=call.as_json) as bar:
        for batch in batches(good):
            _send(call, batch, counts, findings, dry_run)
            bar.move(counts.total())
    document = {"events": len(lines), **{verdict: counts[verdict] for verdict in VERDICTS}, "findings": findings}
    call.tell(document, lambda: _findings(document, VERDICTS))
    _end(counts["refused"] + counts["quarantined"] + counts["unreadable"], len(lines), "taken")


@verb(app, "validate", remote=False)
def validate(call: Call, file: File) -> None:
    """Check a file of events as the service would, without sending anything."""
    from trunkline.cli.billing_file import check, read_lines

    lines = read_lines(file)
    findings = check(lines)
    counts = Counter(finding.code if finding.code in VERDICTS else "unreadable" for finding in findings)
    counts["accepted"] = len(lines) - len(findings)
    shown = ("accepted", "duplicate", "quarantined", "unreadable")
    document = {
        "events": len(lines),
        **{verdict: counts[verdict] for verdict in shown},
        "findings": [_finding(finding) for finding in findings],
    }
    call.tell(document, lambda: _findings(document, shown))
    _end(counts["quarantined"] + counts["unreadable"], len(lines), "acceptable")


def _send(
    call: Call, batch: list[Line], counts: Counter[str], findings: list[dict[str, Any]], dry_run: bool | None
) -> None:
    """Send one batch, count what became of it, and note what was not accepted."""
    body = b"[" + b",".join(line.body for line in batch) + b"]"
    try:
        answer = call.remote.post_bytes("/licensing/billing-events", body, _BATCH, dry_run=dry_run)
    except Ended as ended:
        done = f" {counts.total():,} events before line {batch[0].number:,} were sent; sending them again does no harm."
        raise type(ended)(f"{ended}{done if counts.total() else ''}", ended.document) from None
    for result in answer["results"]:
        counts[result["verdict"]] += 1
        if result["verdict"] not in ("accepted", "duplicate"):
            line = batch[result["place"]].number
            code = result["code"] or result["verdict"]
            findings.append({"line": line, "id": result["id"], "code": code, "reason": result["reason"]})


def _end(wrong: int, events: int, word: str) -> None:
    if wrong == events:
        raise Refused(f"None of the {events:,} events is {word}.")
    if wrong:
        raise Partly(f"{wrong:,} of {events:,} events are not {word}.")


def _finding(finding: Finding) -> dict[str, Any]:
    return {"line": finding.line, "id": finding.id, "code": finding.code, "reason": finding.reason}


def _findings(document: dict[str, Any], verdicts: tuple[str, ...]) -> Any:
    from trunkline.cli.screen import table

    counts = [f"{document[verdict]:,} {verdict}" for verdict in verdicts if document[verdict]]
    told = f"{document['events']:,} events: {', '.join(counts)}."
    if not document["findings"]:
        return told
    rows = [(str(f["line"]), f["id"], f["code"], f["reason"]) for f in document["findings"][:_MOST_SHOWN]]
    return table((">line", "id", "code", "reason"), rows, title=told)
