"""`trunkline bulk`: foreseen, assigned, watched, reported on (L10, L11, L13)."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from trunkline.cli.bulk.commands import Bulk, Whose, app, path_to, present_bulk
from trunkline.cli.bulk.users import write
from trunkline.cli.terminal.background_work import outliving
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Partly, Refused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

_EVERY_S: Final = 0.3
_COLUMNS: Final = ("row", "file", "line", "ext_key", "user", "number", "outcome", "code", "reason")
_HEADINGS: Final = (">row", "file", ">line", "ext key", "user", "number", "outcome", "code", "why")


class Outcome(StrEnum):
    """What can have become of a row."""

    pending = "pending"
    waiting = "waiting"
    succeeded = "succeeded"
    failed = "failed"


@verb(app, "preflight")
def preflight(call: CommandContext, bulk: Bulk, organization: Whose = None, limit: Limit = LIMIT) -> None:
    """Tell what would happen if it were assigned now, row by row; of good rows only how many there are."""
    call.announce("Looking at each row")
    found = call.remote.get(f"{path_to(call, bulk, organization)}/preflight")
    failing = [row for row in found["rows"] if row["outcome"] == "fails"]

    def counted() -> str:
        return f"{found['would_succeed']:,} of {found['total']:,} rows would succeed, {len(failing):,} would fail."

    call.present(found, counted, lambda: _rows(failing[:limit]) if failing else "")
    if failing:
        raise Partly(f"{len(failing):,} rows would fail.")


@verb(app, "assign")
def assign(
    call: CommandContext,
    bulk: Bulk,
    organization: Whose = None,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="Where one row fails, none is.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is done.")] = False,
    dry_run: DryRun = None,
) -> None:
    """Assign: it goes on in the service, whatever becomes of this command."""
    body, path = {"all_or_nothing": all_or_nothing}, path_to(call, bulk, organization)
    if dry_run:
        present_bulk(call, call.remote.post(f"{path}/assign", body, dry_run=dry_run))
        return
    with _outliving(bulk):
        found = call.remote.post(f"{path}/assign", body)
        ended = _watched(call, path) if watch else None
    if ended is None:
        present_bulk(call, found)
    else:
        _end(call, ended)


@verb(app, "watch")
def watch(call: CommandContext, bulk: Bulk, organization: Whose = None) -> None:
    """Watch a bulk assignment until it is completed: counts, rate, time left."""
    path = path_to(call, bulk, organization)
    with _outliving(bulk):
        found = _watched(call, path)
    _end(call, found)


@verb(app, "report")
def report(
    call: CommandContext,
    bulk: Bulk,
    organization: Whose = None,
    outcome: Annotated[Outcome | None, typer.Option(help="Only rows with this outcome.")] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only rows that failed with it.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all rows there.")] = None,
    limit: Limit = LIMIT,
) -> None:
    """Report what became of each row."""
    path = f"{path_to(call, bulk, organization)}/report"
    chosen = {"outcome": outcome.value if outcome else None, "code": code}
    if csv is not None:
        with call.remote.download(path, format="csv", **chosen) as pieces:
            write(csv, b"".join(pieces))
        call.present({"file": str(csv)}, lambda: f"Written to {csv}.")
        return
    found = call.remote.page_through(path, limit, **chosen)
    call.present(found, lambda: _rows(found["items"]), lambda: more(found))


def _outliving(bulk: UUID) -> AbstractContextManager[None]:
    return outliving(f"Bulk assignment {bulk}", f"trunkline bulk watch {bulk}")


def _watched(call: CommandContext, path: str) -> dict[str, Any]:
    """A bulk assignment once it is completed; meanwhile a progress bar."""
    from trunkline.cli.terminal.output import progress

    path = f"{path}/progress"
    with progress("bulk assignment", None, silent=call.as_json) as bar:
        found: dict[str, Any] = call.remote.get(path)
        if found["status"] == "draft":
            raise Refused("It is a draft: nothing runs yet. `trunkline bulk assign` starts it.", found)
        while found["status"] != "completed":
            bar.move(found["succeeded"] + found["failed"], found["total"], _line(found))
            time.sleep(_EVERY_S)
            found = call.remote.get(path)
    return found


def _end(call: CommandContext, found: dict[str, Any]) -> None:
    call.present(found, lambda: _line(found))
    if found["failed"]:
        raise Partly(f"{found['failed']:,} of {found['total']:,} rows failed; `trunkline bulk report` says why.")


def _line(found: dict[str, Any]) -> str:
    """How far it is, in one line."""
    parts = [f"{found['succeeded']:,} of {found['total']:,} succeeded", f"{found['failed']:,} failed"]
    parts += [f"{found['waiting']:,} waiting for their number"] if found["waiting"] else []
    parts += ["being taken back"] if found["undoing"] else []
    parts += [f"{found['rows_per_second']:,.0f} rows/s"] if found["rows_per_second"] else []
    if found["status"] != "completed" and found["seconds_left"] is not None:
        parts.append(f"{found['seconds_left']:,.0f} s left")
    return ", ".join(parts) + "."


def _rows(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not items:
        return "No such rows."
    return table(_HEADINGS, [[str(r[c]) if c in ("row", "line") else r[c] for c in _COLUMNS] for r in items])
