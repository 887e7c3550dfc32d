"""Bulk assignments as they are sent and shown over HTTP (L5-L14)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from trunkline.http.schemas import Body, Name
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import ALLOWED, Bulk
from trunkline_licensing.domain.bulk_assignment.rows import Row
from trunkline_licensing.tables.bulk_rows import Reported

Codes = Annotated[
    tuple[Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,63}$")], ...],
    Field(max_length=50, description="Add-ons that every row gets beside its own."),
]
Status = Literal["draft", "in_progress", "completed"]
Outcome = Literal["pending", "waiting", "succeeded", "failed"]


class NewBulk(Body):
    """A template to make."""

    name: Name
    addons: Codes = ()


class BulkChange(Body):
    """What is to be another in a draft."""

    name: Name = Field(default_factory=str)
    addons: Codes = Field(default_factory=tuple)


class AssignPeople(Body):
    """How it is to run."""

    all_or_nothing: bool = Field(default=False, description="Where one row fails, none is assigned.")


class FileShown(BaseModel):
    """A file whose people were added."""

    name: str
    rows: int
    identified_by: Literal["name", "uuid"]


class BulkShown(BaseModel):
    """A bulk assignment: succeeded, failed, waiting and pending make the total."""

    bulk_id: str
    organization_id: str
    name: str
    addons: list[str]
    status: Status
    total: int
    succeeded: int
    failed: int
    waiting: int = Field(description="Rows whose number is asked for, or that are held back until all are good.")
    pending: int = Field(description="Rows that are still to be done.")
    all_or_nothing: bool
    copied_from: str | None
    files: list[FileShown]
    actions: list[str] = Field(description="What can be done with it now.")
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None


class BulkListed(BaseModel):
    """A bulk assignment in a list."""

    bulk_id: str
    name: str
    addons: list[str]
    status: Status
    total: int
    succeeded: int
    failed: int
    waiting: int
    pending: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class Progress(BaseModel):
    """How far a bulk assignment is. `rows_per_second` and `seconds_left` are of the last steps; null: not known."""

    bulk_id: str
    status: Status
    total: int
    succeeded: int
    failed: int
    waiting: int
    pending: int
    undoing: bool = Field(description="All or nothing was asked for and a row has failed: all is being taken back.")
    rows_per_second: float | None
    seconds_left: float | None
    started_at: datetime | None
    completed_at: datetime | None


class UserShown(BaseModel):
    """A row as its file has it."""

    row: int
    file: str
    line: int
    ext_key: str
    user: str
    number: str | None
    subscription_reference: str | None
    addons: list[str]


class Foreseen(UserShown):
    """What would become of a row."""

    outcome: Literal["succeeds", "fails"]
    code: str | None
    reason: str | None


class Preflight(BaseModel):
    """What would happen if it were assigned now, row by row in file order; nothing is recorded."""

    total: int
    would_succeed: int
    would_fail: int
    codes: dict[str, int]
    rows: list[Foreseen]


class RowReported(UserShown):
    """What became of a row."""

    outcome: Outcome
    code: str | None
    reason: str | None
    extension_id: str | None
    identity_id: str | None


def shown_bulk(b: Bulk) -> BulkShown:
    """A template as it is shown."""
    assert b.organization_id is not None
    actions: set[str] = {*ALLOWED[b.status], "duplicate"}
    if not b.total:
        actions -= {"assign", "preflight"}
    return BulkShown(
        bulk_id=b.id,
        organization_id=b.organization_id,
        name=b.name,
        addons=list(b.addons),
        status=b.status,
        total=b.total,
        succeeded=b.succeeded,
        failed=b.failed,
        waiting=b.waiting + b.held,
        pending=b.pending + b.short,
        all_or_nothing=b.all_or_nothing,
        copied_from=b.copied_from,
        files=[FileShown(name=f.name, rows=f.rows, identified_by=f.identified_by) for f in b.files],
        actions=sorted(actions),
        created_at=b.created_at,
        started_at=b.started_at,
        completed_at=b.completed_at,
    )


def progress_of(b: Bulk) -> Progress:
    """How far a template is, with the rate of the last steps (L13)."""
    rate = left = None
    if len(b.marks) > 1:
        (first, before), (last, after) = b.marks[0], b.marks[-1]
        seconds = (last - first).total_seconds()
        rate = round((after - before) / seconds, 1) if seconds > 0 and after > before else None
    still = b.total - b.succeeded - b.failed - b.held
    if b.status == "completed":
        left = 0.0
    elif rate:
        left = round(still / rate, 1)
    return Progress(
        bulk_id=b.id,
        status=b.status,
        total=b.total,
        succeeded=b.succeeded,
        failed=b.failed,
        waiting=b.waiting + b.held,
        pending=b.pending + b.short,
        undoing=b.undoing is not None and b.status == "in_progress",
        rows_per_second=rate,
        seconds_left=left,
        started_at=b.started_at,
        completed_at=b.completed_at,
    )


def shown_row(b: Bulk, row: Row) -> dict[str, object]:
    """A row as its file has it, ready for JSON."""
    return {
        "row": row.place,
        "file": b.files[row.file].name,
        "line": row.line,
        "ext_key": row.ext_key,
        "user": row.person,
        "number": row.number or None,
        "subscription_reference": row.reference or None,
        "addons": list(row.addons),
    }


def reported_row(b: Bulk, found: Reported) -> dict[str, object]:
    """What became of a row, ready for JSON; what is not final yet has no code."""
    outcome: Outcome = {"held": "waiting", "short": "pending"}.get(found.status, found.status)  # type: ignore[assignment]
    final = outcome == "failed"
    return shown_row(b, found.row) | {
        "outcome": outcome,
        "code": found.code if final else None,
        "reason": found.reason if final else None,
        "extension_id": found.extension_id if outcome in ("succeeded", "waiting") else None,
        "identity_id": found.identity_id,
    }
