"""A bulk assignment: a template with people from files, run once, in chunks (L5, L6, L9, L10, L13, L14).

                 edit, add users
                   +-------+
                   v       |   assign                  every row settled
    create ------> Draft --+------------> In progress -------------------> Completed (final)
                     |                      chunk by chunk; rows with a number wait for the answer,
                     | delete               rows short of a unit for what waiting ones may give back
                     v
                   deleted (gone)

A row is pending, then one of: succeeded, failed, waiting (its number is asked for), held (all or nothing: good, but
not all are), short (no unit left, but one may come back). The counts of these always add up to the total. What a row
is about lies in a table beside the stream (`rows.py` has the rules), written in the same transactions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from trunkline.eventstore.decider import Decider
from trunkline_licensing.domain.bulk_assignment.errors import (
    BulkAssignmentInProgress,
    BulkAssignmentIsCompleted,
    BulkAssignmentIsDraft,
    BulkAssignmentUnknown,
    FileAddedBefore,
    NoUsersYet,
)
from trunkline_licensing.domain.bulk_assignment.events import (
    EVENTS,
    AnyEvent,
    BulkAssignmentCompleted,
    BulkAssignmentCreated,
    BulkAssignmentDeleted,
    BulkAssignmentEdited,
    BulkAssignmentStarted,
    BulkChunkDone,
    BulkRowsAnswered,
    BulkRowsUndone,
    BulkUndoBegun,
    BulkUsersAdded,
    Identified,
)

MOST_USERS: Final = 15_000
"""In one template, over all its files (L9)."""
LONGEST_NAME: Final = 200
_MARKS: Final = 8

Status = Literal["draft", "in_progress", "completed"]
Action = Literal["edit", "add users", "see users", "assign", "preflight", "delete", "report"]

ALLOWED: Final[dict[Status, frozenset[Action]]] = {
    "draft": frozenset({"edit", "add users", "see users", "assign", "preflight", "delete"}),
    "in_progress": frozenset({"see users", "report"}),
    "completed": frozenset({"report"}),
}
"""What L6 lists, beside looking at name and add-ons and duplicating, which one always can."""

# -- state ------------------------------------------------------------------------------------------------------------


class File(msgspec.Struct, frozen=True, gc=False):
    """A file whose people were added."""

    name: str
    digest: str
    identified_by: Identified
    rows: int


class Bulk(msgspec.Struct, frozen=True):
    """All that decisions need to know of a bulk assignment.

    Attributes:
        id: its UUID.
        organization_id: whose it is; None: there is none.
        deleted: whether it is gone.
        total: people over all files; a row each.
        undoing: the row that failed, and its code: what was done is being taken back (all or nothing).
        marks: (instant, rows settled) of the last steps, for the rate.
    """

    id: str
    organization_id: str | None = None
    name: str = ""
    addons: tuple[str, ...] = ()
    copied_from: str | None = None
    status: Status = "draft"
    deleted: bool = False
    files: tuple[File, ...] = ()
    total: int = 0
    all_or_nothing: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    succeeded: int = 0
    failed: int = 0
    waiting: int = 0
    held: int = 0
    short: int = 0
    undoing: tuple[int, str] | None = None
    marks: tuple[tuple[datetime, int], ...] = ()

    @property
    def exists(self) -> bool:
        """Whether there is such a template."""
        return self.organization_id is not None and not self.deleted

    @property
    def settled(self) -> int:
        """Rows whose outcome is final, or is that but for the others (held)."""
        return self.succeeded + self.failed + self.held

    @property
    def pending(self) -> int:
        """Rows that nothing was decided about yet."""
        return self.total - self.settled - self.waiting - self.short


def evolve(b: Bulk, event: AnyEvent) -> Bulk:
    """The bulk assignment after one more event. Assigns only; never guards."""
    match event:
        case BulkAssignmentCreated():
            of = {"organization_id": event.organization_id, "name": event.name, "addons": event.addons}
            return replace(b, **of, copied_from=event.copied_from, created_at=event.at)
        case BulkAssignmentEdited():
            return replace(b, name=event.name, addons=event.addons)
        case BulkUsersAdded():
            file = File(event.file, event.digest, event.identified_by, event.rows)
            return replace(b, files=(*b.files, file), total=b.total + event.rows)
        case BulkAssignmentStarted():
            begun = {"status": "in_progress", "started_at": event.at, "marks": ((event.at, 0),)}
            return replace(b, all_or_nothing=event.all_or_nothing, **begun)
        case BulkUndoBegun():
            return replace(b, undoing=(event.row, event.code))
        case BulkAssignmentCompleted():
            counts = {"succeeded": event.succeeded, "failed": event.failed, "held": 0}
            return replace(b, status="completed", completed_at=event.at, **counts)
        case BulkAssignmentDeleted():
            return replace(b, deleted=True)
        case _:
            counted = _counted(b, event)
            return replace(counted, marks=(*counted.marks[-_MARKS + 1 :], (event.at, counted.settled)))


def _counted(b: Bulk, event: AnyEvent) -> Bulk:
    match event:
        case BulkChunkDone():
            good = {"succeeded": b.succeeded + event.succeeded, "held": b.held + event.held}
            counts = {"failed": b.failed + event.failed, "waiting": b.waiting + event.waiting}
            return replace(b, **good, **counts, short=b.short + event.short)
        case BulkRowsAnswered():
            answered = event.succeeded + event.failed + event.held
            good = {"succeeded": b.succeeded + event.succeeded, "held": b.held + event.held}
            return replace(b, waiting=b.waiting - answered, failed=b.failed + event.failed, **good)
        case BulkRowsUndone():
            undone = event.waiting + event.held + event.pending
            return replace(b, waiting=b.waiting - event.waiting, held=b.held - event.held, failed=b.failed + undone)
        case _:
            return b


BULK: Decider[Bulk] = Decider("bulk", Bulk, evolve, EVENTS)

# -- decisions of people ----------------------------------------------------------------------------------------------


def check(b: Bulk, action: Action) -> None:
    """Whether the template can be treated so in its status (L6).

    Raises:
        BulkAssignmentUnknown: there is none.
        BulkAssignmentIsDraft, BulkAssignmentInProgress, BulkAssignmentIsCompleted: not in this status.
    """
    if not b.exists:
        raise BulkAssignmentUnknown(key=b.id)
    if action in ALLOWED[b.status]:
        return
    if b.status == "draft":
        raise BulkAssignmentIsDraft(name=b.name, what=action)
    if b.status == "in_progress":
        raise BulkAssignmentInProgress(name=b.name, since=b.started_at, what=action)
    raise BulkAssignmentIsCompleted(name=b.name, since=b.completed_at, what=action)


def create(
    b: Bulk, organization_id: str, name: str, addons: Collection[str], at: datetime, copied_from: str | None = None
) -> list[AnyEvent]:
    """Make a template (L5). Said again, nothing."""
    if b.organization_id is not None:
        return []
    of = {"organization_id": organization_id, "name": name, "addons": tuple(dict.fromkeys(addons))}
    return [BulkAssignmentCreated(at=at, **of, copied_from=copied_from)]  # type: ignore[arg-type]


def edit(b: Bulk, name: str | None, addons: Collection[str] | None, at: datetime) -> list[AnyEvent]:
    """Give a draft another name, other add-ons, or both; None leaves it (L6)."""
    check(b, "edit")
    wanted = (b.name if name is None else name, b.addons if addons is None else tuple(dict.fromkeys(addons)))
    if wanted == (b.name, b.addons):
        return []
    return [BulkAssignmentEdited(at=at, name=wanted[0], addons=wanted[1])]


def add_users(b: Bulk, file: File, at: datetime) -> list[AnyEvent]:
    """Add a file's people to a draft (L7). The caller has held their number against `MOST_USERS`.

    Raises:
        FileAddedBefore: these very bytes were.
    """
    check(b, "add users")
    for before in b.files:
        if before.digest == file.digest:
            raise FileAddedBefore(file=file.name, before=before.name)
    return [BulkUsersAdded(at=at, file=file.name, digest=file.digest, identified_by=file.identified_by, rows=file.rows)]


def start(b: Bulk, all_or_nothing: bool, at: datetime) -> list[AnyEvent]:
    """Begin the assignment (L6, L10); pressed by two at once, the second is refused.

    Raises:
        NoUsersYet: there is nobody to assign.
    """
    check(b, "assign")
    assert b.organization_id is not None
    if not b.total:
        raise NoUsersYet(name=b.name)
    of = {"organization_id": b.organization_id, "name": b.name, "addons": b.addons}
    return [BulkAssignmentStarted(at=at, **of, total=b.total, all_or_nothing=all_or_nothing)]  # type: ignore[arg-type]


def delete(b: Bulk, at: datetime) -> list[AnyEvent]:
    """Do away with a draft (L6)."""
    check(b, "delete")
    return [BulkAssignmentDeleted(at=at)]


def name_of_copy(name: str) -> str:
    """What a duplicate is called (L14)."""
    return f"Copy of {name}"[:LONGEST_NAME]


# -- decisions of the run ---------------------------------------------------------------------------------------------


def chunk_done(b: Bulk, done: BulkChunkDone, first_failure: tuple[int, str] | None = None) -> Sequence[AnyEvent]:
    """What follows from a chunk: its counts, and that everything is to be undone, or is complete.

    Args:
        b: in progress.
        done: the chunk.
        first_failure: the first row of it that failed, and its code.
    """
    events: list[AnyEvent] = [done]
    if b.all_or_nothing and first_failure is not None and b.undoing is None:
        row, code = first_failure
        events.append(BulkUndoBegun(at=done.at, row=row, code=code))
    return _and_end(b, events)


def answered(b: Bulk, event: BulkRowsAnswered, first_failure: tuple[int, str] | None = None) -> Sequence[AnyEvent]:
    """What follows when rows that waited have their answer."""
    events: list[AnyEvent] = [event]
    if b.all_or_nothing and first_failure is not None and b.undoing is None:
        row, code = first_failure
        events.append(BulkUndoBegun(at=event.at, row=row, code=code))
    return _and_end(b, events)


def undone(b: Bulk, event: BulkRowsUndone) -> Sequence[AnyEvent]:
    """What follows when rows were taken back."""
    return _and_end(b, [event])


def _and_end(b: Bulk, events: list[AnyEvent]) -> list[AnyEvent]:
    """The events, and the end where they settle the last row."""
    for event in events:
        b = evolve(b, event)
    if b.pending or b.waiting or b.short or (b.undoing is not None and b.held):
        return events
    assert b.organization_id is not None
    counts = {"total": b.total, "succeeded": b.succeeded + b.held, "failed": b.failed}
    of = {"organization_id": b.organization_id, "name": b.name}
    return [*events, BulkAssignmentCompleted(at=events[0].at, **of, **counts)]  # type: ignore[arg-type]
