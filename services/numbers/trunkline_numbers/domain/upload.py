"""One bulk upload of numbers: a file, previewed, then run chunk by chunk (R1, R3).

    (none) --preview--> previewed --start--> running --the last chunk--> completed
                            |                   |
                            `------ cancel -----+--> cancelled

The rows lie beside the stream, in chunks; a chunk's numbers, what became of its rows and `UploadChunkDone` are one
transaction. So each row counts exactly once, wherever the process ends, and what is cancelled ends between two chunks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace

from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider, Event
from trunkline_numbers.domain.number.events import PartyKind

Status = Literal["absent", "previewed", "running", "completed", "cancelled"]

# -- refusals ---------------------------------------------------------------------------------------------------------


class UploadUnknown(Refused):
    """There is no upload {upload_id}."""

    status: ClassVar[int] = 404


class UploadEnded(Refused):
    """Upload {upload_id} is {status}: it can no longer be {wanted}; send the file again."""


class NothingToUpload(Refused):
    """Upload {upload_id} has no row that could be added: correct the file and send it again."""


# -- events -----------------------------------------------------------------------------------------------------------


class UploadPreviewed(Event, frozen=True, kw_only=True):
    """A file was read: `good` of its `rows` can be added, `likely` of these look assigned to somebody (§9).

    `uploader_id` None: the platform; `holder_id` None: the numbers are nobody's yet.
    """

    TYPE: ClassVar[str] = "numbers.UploadPreviewed"
    file_name: str
    rows: int
    good: int
    unlikely: int
    chunks: int
    uploader_id: str | None = None
    uploader_kind: PartyKind | None = None
    holder_id: str | None = None
    holder_kind: PartyKind | None = None
    voice_carrier: str | None = None
    sms_carrier: str | None = None


class UploadStarted(Event, frozen=True, kw_only=True):
    """Somebody let it run: the actor of all that follows."""

    TYPE: ClassVar[str] = "numbers.UploadStarted"
    by: str


class UploadChunkDone(Event, frozen=True, kw_only=True):
    """One chunk is done: so many of its `rows` were added; the others were refused, in the preview or now."""

    TYPE: ClassVar[str] = "numbers.UploadChunkDone"
    chunk: int
    rows: int
    added: int


class UploadCancelled(Event, frozen=True, kw_only=True):
    """Somebody ended it; what was added stays."""

    TYPE: ClassVar[str] = "numbers.UploadCancelled"
    by: str


class UploadCompleted(Event, frozen=True, kw_only=True):
    """Every row has its outcome."""

    TYPE: ClassVar[str] = "numbers.UploadCompleted"


EVENTS: tuple[type[Event], ...] = (UploadPreviewed, UploadStarted, UploadChunkDone, UploadCancelled, UploadCompleted)

# -- state ------------------------------------------------------------------------------------------------------------


class Upload(msgspec.Struct, frozen=True):
    """An upload as it stands. `chunks_done` is also the place of the chunk that is next."""

    upload_id: str
    status: Status = "absent"
    file: UploadPreviewed | None = None
    started_at: datetime | None = None
    started_by: str = ""
    chunks_done: int = 0
    rows_done: int = 0
    added: int = 0
    chunk_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def ended_at(self) -> datetime | None:
        """When it was completed or cancelled."""
        return self.changed_at if self.status in ("completed", "cancelled") else None


def evolve(u: Upload, event: Any) -> Upload:
    """The upload after one more event."""
    u = replace(u, changed_at=event.at)
    match event:
        case UploadPreviewed():
            return replace(u, status="previewed", file=event)
        case UploadStarted():
            return replace(u, status="running", started_at=event.at, started_by=event.by)
        case UploadChunkDone():
            return replace(
                u,
                chunks_done=event.chunk + 1,
                rows_done=u.rows_done + event.rows,
                added=u.added + event.added,
                chunk_at=event.at,
            )
        case UploadCancelled():
            return replace(u, status="cancelled")
        case UploadCompleted():
            return replace(u, status="completed")
        case _:
            return u


UPLOAD: Decider[Upload] = Decider("upload", Upload, evolve, EVENTS)

# -- decisions --------------------------------------------------------------------------------------------------------


def file_of(u: Upload) -> UploadPreviewed:
    """The file of an upload that there is.

    Raises:
        UploadUnknown: there is none.
    """
    if u.file is None:
        raise UploadUnknown(upload_id=u.upload_id)
    return u.file


def preview(u: Upload, file: UploadPreviewed) -> list[Event]:
    """Keep what was read; said again, nothing happens."""
    return [file] if u.file is None else []


def start(u: Upload, by: str, at: datetime) -> list[Event]:
    """Let it run; while it runs, and once it is completed, that says nothing new (R3)."""
    file = file_of(u)
    if u.status in ("running", "completed"):
        return []
    if u.status == "cancelled":
        raise UploadEnded(upload_id=u.upload_id, status=u.status, wanted="run")
    if not file.good:
        raise NothingToUpload(upload_id=u.upload_id)
    return [UploadStarted(at=at, by=by)]


def finish_chunk(u: Upload, chunk: int, rows: int, added: int, at: datetime) -> list[Event]:
    """A chunk has been worked off; the last one completes the upload. One that is not its turn says nothing."""
    if u.status != "running" or chunk != u.chunks_done:
        return []
    done: list[Event] = [UploadChunkDone(at=at, chunk=chunk, rows=rows, added=added)]
    return [*done, UploadCompleted(at=at)] if chunk + 1 == file_of(u).chunks else done


def cancel(u: Upload, by: str, at: datetime) -> list[Event]:
    """End it where it stands (R3); what was added stays. Said again, nothing happens."""
    file_of(u)
    if u.status == "cancelled":
        return []
    if u.status == "completed":
        raise UploadEnded(upload_id=u.upload_id, status=u.status, wanted="cancelled")
    return [UploadCancelled(at=at, by=by)]
