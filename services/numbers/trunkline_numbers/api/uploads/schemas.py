"""Uploads as they are shown: their progress, the preview's bad rows, and the report, row by row (R3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from trunkline.files.table_writer import csv_bytes
from trunkline_numbers.application.imports.layout import COUNTRY, NUMBER
from trunkline_numbers.application.imports.parse import MOST_TOLD
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.upload import Upload, file_of
from trunkline_numbers.tables.upload_rows import Row, RowOutcome

HEADINGS: Final = ("Line", COUNTRY, NUMBER, "Number", "Outcome", "Code", "Column", "Value", "Reason", "Warning")
_NAMES: Final = tuple(heading.lower().replace(" ", "_") for heading in HEADINGS)


class UploadShown(BaseModel):
    """An upload as it stands.

    `good` of its `rows` could be added when it was read, `bad` could not, `unlikely` look as if nobody had them.
    `done` rows have their outcome, `added` or `refused`; `rate` is rows a second, `seconds_left` as it goes now.
    """

    upload_id: str
    status: Literal["previewed", "running", "completed", "cancelled"]
    file_name: str
    uploader_id: str | None
    holder_id: str | None
    voice_carrier: str | None
    sms_carrier: str | None
    rows: int
    good: int
    bad: int
    unlikely: int
    done: int
    added: int
    refused: int
    rate: float | None
    seconds_left: float | None
    previewed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class BadRow(BaseModel):
    """A row that cannot be added: where it is wrong, and why."""

    line: int
    column: str
    value: str
    code: str
    reason: str


class UploadPreview(UploadShown):
    """What a file would add. `bad_rows` are the first 100 of its bad rows; the report has all of them."""

    upload_id: str | None  # type: ignore[assignment] # a dry run keeps nothing that could be asked for
    bad_rows: list[BadRow]


def shown_upload(u: Upload, visibility: Visibility) -> UploadShown:
    """An upload for one asker, who may see it."""
    file = file_of(u)
    rate = _rate(u)
    return UploadShown(
        upload_id=u.upload_id,
        status=u.status,  # type: ignore[arg-type] # an absent one is not shown
        file_name=file.file_name,
        uploader_id=visibility.own(file.uploader_id),
        holder_id=visibility.own(file.holder_id),
        voice_carrier=file.voice_carrier,
        sms_carrier=file.sms_carrier,
        rows=file.rows,
        good=file.good,
        bad=file.rows - file.good,
        unlikely=file.unlikely,
        done=u.rows_done,
        added=u.added,
        refused=u.rows_done - u.added,
        rate=rate,
        seconds_left=(file.rows - u.rows_done) / rate if rate and u.status == "running" else None,
        previewed_at=file.at,
        started_at=u.started_at,
        ended_at=u.ended_at,
    )


def _rate(u: Upload) -> float | None:
    """Rows a second since it was started; None before the first chunk."""
    if u.started_at is None or u.chunk_at is None:
        return None
    seconds = (u.chunk_at - u.started_at).total_seconds()
    return u.rows_done / seconds if seconds > 0 else None


def shown_preview(u: Upload, visibility: Visibility, bad: Iterable[Row], *, kept: bool) -> UploadPreview:
    """What is answered to a file; `kept`: it is not a dry run."""
    rows = [
        BadRow(line=row.line, column=w.column, value=w.value, code=w.code, reason=w.reason)
        for row in bad
        if (w := row.wrong) is not None
    ]
    whole = shown_upload(u, visibility).model_dump() | {"upload_id": u.upload_id if kept else None}
    return UploadPreview(**whole, bad_rows=rows[:MOST_TOLD])


def csv_report(rows: Iterable[RowOutcome]) -> Iterator[bytes]:
    """The report as CSV, safe in spreadsheets."""
    return csv_bytes(HEADINGS, map(_cells, rows))


def json_report(u: Upload, rows: Iterable[RowOutcome]) -> Iterator[bytes]:
    """The report as one JSON document, piece by piece."""
    yield json.dumps({"upload_id": u.upload_id, "status": u.status})[:-1].encode() + b', "rows": ['
    pieces: list[str] = []
    separator = ""
    for row in rows:
        pieces.append(separator + json.dumps(dict(zip(_NAMES, _cells(row), strict=True)), ensure_ascii=False))
        separator = ",\n"
        if len(pieces) == 500:
            yield "".join(pieces).encode()
            pieces.clear()
    yield "".join([*pieces, "]}\n"]).encode()


def _cells(told: RowOutcome) -> tuple[int | str | None, ...]:
    row, wrong = told.row, told.row.wrong
    where = (wrong.column, wrong.value) if wrong is not None else (None, None)
    if told.outcome == "refused" and wrong is None:
        where = (NUMBER, row.written)
    return (
        row.line,
        row.country,
        row.written,
        row.number,
        told.outcome,
        told.code,
        *where,
        told.reason,
        row.warning,
    )
