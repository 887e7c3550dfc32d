"""`trunkline number`: a file of numbers: previewed, run, watched, cancelled, reported (R1 to R3)."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from trunkline.cli.number.commands import app
from trunkline.cli.number.ranges import Holder
from trunkline.cli.terminal.background_work import before_it_runs, outliving
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Partly, Refused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

_PATH: Final = "/numbers/uploads"
_EVERY_SECONDS: Final = 0.25
_STANDARD_INPUT: Final = Path("-")

Upload = Annotated[UUID, typer.Argument(metavar="UPLOAD", help="As `upload` named it.")]


@verb(app, "upload")
def upload(
    call: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV as in `upload-sample`; - reads standard input.")],
    voice_carrier: Annotated[str | None, typer.Option(help="Of the numbers with voice; else the policy's.")] = None,
    sms_carrier: Annotated[str | None, typer.Option(help="SMS carrier profile; else the policy's.")] = None,
    holder: Holder = None,
    vendor: Annotated[str | None, typer.Option(help="Of the rows that name none.")] = None,
    sku: Annotated[str | None, typer.Option(help="Of the rows that name none.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Stop after the preview where any row is bad.")] = False,
    dry_run: DryRun = None,
) -> None:
    """Upload a file of numbers: preview it, then add what is good, row by row; it goes on without this command."""
    fields = {"voice_carrier": voice_carrier, "sms_carrier": sms_carrier, "vendor": vendor, "sku": sku}
    fields |= {"holder_id": str(holder) if holder is not None else None, "file_name": file.name[:200]}
    content = _read(file)
    call.announce(f"Previewing {file.name}, {len(content):,} bytes")
    with before_it_runs("No number was added.", "trunkline number uploads"):
        seen = call.remote.post_bytes(_PATH, content, "text/csv", **fields, dry_run=dry_run)
    if dry_run or not seen["good"] or (whole and seen["bad"]):
        call.present(seen, lambda: _previewed(seen), lambda: _bad_rows(seen))
        if not seen["good"]:
            raise Refused("No row of the file can be added.")
        if seen["bad"]:
            raise Partly(f"{seen['bad']:,} of {seen['rows']:,} rows cannot be added.")
        return
    if not call.as_json:
        from trunkline.cli.terminal.output import print_shown

        print_shown(_previewed(seen), _bad_rows(seen))
    with _outliving(seen["upload_id"]):
        call.remote.post(f"{_PATH}/{seen['upload_id']}/run")
        found = _watched(call, seen["upload_id"])
    _end(call, found, seen["bad_rows"])


@verb(app, "uploads")
def uploads(call: CommandContext, limit: Limit = LIMIT) -> None:
    """List the uploads of your branch, the newest first."""
    found = call.remote.page_through(_PATH, limit)
    call.present(found, lambda: _uploads(found["items"]), lambda: more(found))


@verb(app, "upload-history")
def upload_history(call: CommandContext, upload_id: Upload, limit: Limit = LIMIT) -> None:
    """Show everything that happened to an upload: who sent, started or cancelled it, and chunk after chunk."""
    found = call.remote.page_through(f"{_PATH}/{upload_id}/history", limit)
    call.present(found, lambda: _history(found["items"]), lambda: more(found))


@verb(app, "upload-watch")
def upload_watch(call: CommandContext, upload_id: Upload) -> None:
    """Watch an upload until it has ended: rows, rate, time left."""
    with _outliving(str(upload_id)):
        found = _watched(call, str(upload_id))
    _end(call, found, [])


@verb(app, "upload-run")
def upload_run(call: CommandContext, upload_id: Upload, dry_run: DryRun = None) -> None:
    """Add what the preview of an upload found good, and watch it; run again, it only watches."""
    if dry_run:
        found = call.remote.post(f"{_PATH}/{upload_id}/run", dry_run=dry_run)
        call.present(found, lambda: f"{found['good']:,} of {found['rows']:,} rows added.")
        return
    with _outliving(str(upload_id)):
        call.remote.post(f"{_PATH}/{upload_id}/run")
        found = _watched(call, str(upload_id))
    _end(call, found, [])


@verb(app, "upload-cancel")
def upload_cancel(call: CommandContext, upload_id: Upload, dry_run: DryRun = None) -> None:
    """End an upload where it stands; what it has added stays."""
    found = call.remote.post(f"{_PATH}/{upload_id}/cancel", dry_run=dry_run)
    call.present(found, lambda: _line(found))


@verb(app, "upload-report")
def upload_report(
    call: CommandContext,
    upload_id: Upload,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there; else print it.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only the rows that were refused.")] = False,
) -> None:
    """Report what became of each row, as CSV; with --json as JSON."""
    kind, only = ("json" if call.as_json else "csv"), ("refused" if refused else None)
    path = f"{_PATH}/{upload_id}/report"
    if call.as_json and out is None:
        call.present(call.remote.get(path, format=kind, only=only))
        return
    with call.remote.download(path, format=kind, only=only) as pieces:
        _write(out, b"".join(pieces))
    if out is not None:
        call.present({"file": str(out)}, lambda: f"Written to {out}.")


@verb(app, "upload-sample")
def upload_sample(
    call: CommandContext,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it there; else print it.")] = None,
) -> None:
    """Give a sample of the file that `upload` takes, with every column there is."""
    with call.remote.download(f"{_PATH}/sample") as pieces:
        content = b"".join(pieces)
    if out is not None or not call.as_json:
        _write(out, content)
    if out is not None or call.as_json:
        document = {"file": str(out) if out is not None else None, "content": content.decode()}
        call.present(document, lambda: f"Written to {out}.")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == _STANDARD_INPUT else file.read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}.") from None


def _write(out: Path | None, content: bytes) -> None:
    if out is None:
        sys.stdout.write(content.decode())
        sys.stdout.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise Misused(f"{out} cannot be written: {error.strerror}.") from None


def _outliving(upload_id: str) -> AbstractContextManager[None]:
    return outliving(f"Upload {upload_id}", f"trunkline number upload-watch {upload_id}")


def _watched(call: CommandContext, upload_id: str) -> dict[str, Any]:
    """An upload once it no longer runs; meanwhile a progress bar."""
    from trunkline.cli.terminal.output import progress

    with progress("adding numbers", None, silent=call.as_json) as bar:
        found: dict[str, Any] = call.remote.get(f"{_PATH}/{upload_id}")
        while found["status"] == "running":
            bar.move(found["done"], found["rows"], _pace(found))
            time.sleep(_EVERY_SECONDS)
            found = call.remote.get(f"{_PATH}/{upload_id}")
    return found


def _end(call: CommandContext, found: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    """Print what became of an upload.

    Args:
        call: the command.
        found: the upload, which no longer runs.
        documents: the bad rows that the document is to have too.

    Raises:
        Partly: rows were refused.
        Refused: it was cancelled, or does not run at all.
    """
    call.present(found | {"bad_rows": documents} if documents else found, lambda: _line(found))
    if found["status"] != "completed":
        raise Refused(f"The upload is {found['status']}.", found)
    if found["refused"]:
        summary = f"{found['refused']:,} of {found['rows']:,} rows were refused"
        raise Partly(f"{summary}; `trunkline number upload-report {found['upload_id']} --refused` says why.")


def _pace(found: dict[str, Any]) -> str:
    return f"adding numbers, {found['rate']:,.0f} rows/s" if found["rate"] else "adding numbers"


def _line(found: dict[str, Any]) -> str:
    """Where an upload stands, in one line."""
    parts = [f"{found['done']:,} of {found['rows']:,} rows done", f"{found['added']:,} added"]
    parts += [f"{found['refused']:,} refused"] if found["refused"] else []
    parts += [f"{found['rate']:,.0f} rows/s"] if found["rate"] else []
    if found["seconds_left"] is not None:
        parts.append(f"{found['seconds_left']:,.0f} s left")
    return f"Upload {found['upload_id']} is {found['status']}: {', '.join(parts)}."


def _previewed(seen: dict[str, Any]) -> str:
    summary = f"{seen['rows']:,} rows: {seen['good']:,} can be added, {seen['bad']:,} cannot."
    return f"{summary} {seen['unlikely']:,} look unassigned, and are taken." if seen["unlikely"] else summary


def _bad_rows(seen: dict[str, Any]) -> Any:
    from trunkline.cli.terminal.output import table

    if not seen["bad_rows"]:
        return ""
    rows = [(str(r["line"]), r["column"], r["value"], r["code"], r["reason"]) for r in seen["bad_rows"]]
    title = f"The first {len(rows)} of them:" if seen["bad"] > len(rows) else None
    return table((">line", "column", "value", "code", "why"), rows, title=title)


def _history(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    rows = [
        (relative(h["at"]), h["event"], h["status"], f"{h['done']:,}", f"{h['added']:,}", h["actor"]) for h in items
    ]
    return table(("at", "what", "status", ">done", ">added", "by"), rows)


def _uploads(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "Nothing was uploaded."
    figures = ("rows", "done", "added", "refused")
    rows = [
        (u["upload_id"], relative(u["previewed_at"]), u["file_name"], u["status"], *(f"{u[f]:,}" for f in figures))
        for u in items
    ]
    return table(("upload", "since", "file", "status", *(f">{figure}" for figure in figures)), rows)
