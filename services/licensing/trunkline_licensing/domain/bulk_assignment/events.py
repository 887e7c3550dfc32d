"""What can happen to a bulk assignment. Names and fields are stored for ever: change one only by a new version.

The rows are no part of the stream: they lie in a table beside it, written in the same transactions, so that a stream
stays small however many people a template has.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from trunkline.eventstore.decider import Event

Identified = Literal["name", "uuid"]
"""How a file names its people: all of one file alike (L8)."""


class BulkAssignmentCreated(Event, frozen=True, kw_only=True):
    """There is a template; `copied_from` is the one it is a copy of (L14)."""

    TYPE: ClassVar[str] = "licensing.BulkAssignmentCreated"
    organization_id: str
    name: str
    addons: tuple[str, ...] = ()
    copied_from: str | None = None


class BulkAssignmentEdited(Event, frozen=True, kw_only=True):
    """It has this name and these add-ons from here on."""

    TYPE: ClassVar[str] = "licensing.BulkAssignmentEdited"
    name: str
    addons: tuple[str, ...]


class BulkUsersAdded(Event, frozen=True, kw_only=True):
    """A file's people were added; `digest` is of its bytes, `rows` how many people, behind those there were."""

    TYPE: ClassVar[str] = "licensing.BulkUsersAdded"
    file: str
    digest: str
    identified_by: Identified
    rows: int


class BulkAssignmentStarted(Event, frozen=True, kw_only=True):
    """Somebody has pressed assign; name and add-ons as they are from here on."""

    TYPE: ClassVar[str] = "licensing.BulkAssignmentStarted"
    organization_id: str
    name: str
    addons: tuple[str, ...]
    total: int
    all_or_nothing: bool = False


class BulkChunkDone(Event, frozen=True, kw_only=True):
    """Some rows were decided, up to `upto`: so many of each outcome.

    `waiting` for the answer about their number; `held` until all others are settled (all or nothing); `short`: how many
    more are short of a unit that a row which still waits may give back (fewer, where it is below 0).
    """

    TYPE: ClassVar[str] = "licensing.BulkChunkDone"
    upto: int
    succeeded: int = 0
    failed: int = 0
    waiting: int = 0
    held: int = 0
    short: int = 0


class BulkRowsAnswered(Event, frozen=True, kw_only=True):
    """Rows that waited for an answer have it: so many of each outcome."""

    TYPE: ClassVar[str] = "licensing.BulkRowsAnswered"
    succeeded: int = 0
    failed: int = 0
    held: int = 0


class BulkUndoBegun(Event, frozen=True, kw_only=True):
    """A row has failed and all or nothing was asked for: what the others have brought is taken back."""

    TYPE: ClassVar[str] = "licensing.BulkUndoBegun"
    row: int
    code: str


class BulkRowsUndone(Event, frozen=True, kw_only=True):
    """Rows were taken back, or never tried: `waiting`, `held` and `pending` ones."""

    TYPE: ClassVar[str] = "licensing.BulkRowsUndone"
    waiting: int = 0
    held: int = 0
    pending: int = 0


class BulkAssignmentCompleted(Event, frozen=True, kw_only=True):
    """Every row is settled."""

    TYPE: ClassVar[str] = "licensing.BulkAssignmentCompleted"
    organization_id: str
    name: str
    total: int
    succeeded: int
    failed: int


class BulkAssignmentDeleted(Event, frozen=True, kw_only=True):
    """The template is gone, with its people; only a draft can go."""

    TYPE: ClassVar[str] = "licensing.BulkAssignmentDeleted"


AnyEvent = (
    BulkAssignmentCreated
    | BulkAssignmentEdited
    | BulkUsersAdded
    | BulkAssignmentStarted
    | BulkChunkDone
    | BulkRowsAnswered
    | BulkUndoBegun
    | BulkRowsUndone
    | BulkAssignmentCompleted
    | BulkAssignmentDeleted
)
EVENTS: tuple[type[Event], ...] = (
    BulkAssignmentCreated,
    BulkAssignmentEdited,
    BulkUsersAdded,
    BulkAssignmentStarted,
    BulkChunkDone,
    BulkRowsAnswered,
    BulkUndoBegun,
    BulkRowsUndone,
    BulkAssignmentCompleted,
    BulkAssignmentDeleted,
)
