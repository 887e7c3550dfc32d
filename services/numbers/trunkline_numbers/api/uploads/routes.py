"""Uploads of numbers: preview, run, watch, cancel, report (R1, R2, R3, R6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from trunkline.eventstore.decider import key_of
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import LoadedStream, UnitOfWork
from trunkline.files.csv_reader import read_csv
from trunkline.files.export_slots import BUSY
from trunkline.http.dependencies import (
    CommandRequest,
    CurrentPrincipal,
    PostRequest,
    WriteRequest,
    reader,
    service_router,
)
from trunkline.http.idempotency import CommandResult, change, check_version, shown
from trunkline.http.pagination import TEXT, Items, Paging, moment, one_page, page, paging
from trunkline.http.server_sent_events import MEDIA_TYPE, Snapshot, event_stream
from trunkline.http.streaming import StreamedFile
from trunkline.security.authorization import authorize
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.uploads.form import BODY, MAX_FILE_BYTES, Sent, Uploaded, UploadFields
from trunkline_numbers.api.uploads.schemas import (
    UploadPreview,
    UploadShown,
    csv_report,
    json_report,
    shown_preview,
    shown_upload,
)
from trunkline_numbers.application.imports.authorization import ImportTerms, bringing, still_bringing, upload_resource
from trunkline_numbers.application.imports.errors import FileWithoutRows
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.parse import LAYOUT, SAMPLE, Preview, preview
from trunkline_numbers.application.imports.run import cancel_upload, start_upload
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.domain.upload import UPLOAD, Upload, UploadPreviewed, file_of
from trunkline_numbers.domain.upload import preview as keep_preview
from trunkline_numbers.tables.upload_rows import keep, read_outcomes

_CSV_TYPE: Final = "text/csv; charset=utf-8"
_PRESENT: Final = "SELECT originator_id FROM stored_events WHERE originator_id = ANY(%b) AND originator_version = 1"
_FILE: Final = {"content": {"text/csv": {}}, "description": "a CSV file"}
_EVENTS: Final = {"content": {MEDIA_TYPE: {}}, "description": "an event `progress` after each chunk"}
_REPORT: Final = {"content": {"text/csv": {}, "application/json": {}}, "description": "every row with its outcome"}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    problems = {404: "no such upload, or not in the asker's branch", 409: "the upload is at another point of its life"}
    routes = service_router(context, "numbers", problems | {413: "the file is too large", 415: "no CSV file"} | BUSY)

    @routes.get("/numbers/uploads/sample", summary="A sample of the file", response_class=Response,
                responses={200: _FILE})  # fmt: skip
    def sample() -> Response:
        return Response(SAMPLE, 200, _download("numbers_sample.csv"), _CSV_TYPE)

    @routes.post("/numbers/uploads", summary="Preview a file of numbers: nothing is added yet", status_code=201,
                 response_model=UploadPreview, openapi_extra=BODY)  # fmt: skip
    def upload(given: Uploaded, request: PostRequest) -> Response:
        return change(context, request, _Previewing(context, request, given).answer)

    @routes.get("/numbers/uploads", summary="Uploads of the asker's branch, the newest first")
    def uploads(principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]) -> Items[UploadShown]:
        return _list(context, principal, paging)

    @routes.get("/numbers/uploads/{upload_id}", summary="How far an upload is", response_model=UploadShown)
    def show(upload_id: UUID, principal: CurrentPrincipal, request: Request) -> Response:
        loaded, visibility = seen(reader(context), principal, upload_id)
        return shown(request, shown_upload(loaded.state, visibility), loaded.version)

    @routes.get("/numbers/uploads/{upload_id}/progress", summary="How far an upload is, told as it goes",
                response_class=StreamingResponse, responses={200: _EVENTS})  # fmt: skip
    def progress(upload_id: UUID, principal: CurrentPrincipal) -> StreamingResponse:
        seen(reader(context), principal, upload_id)
        return event_stream(partial(_snapshot, context, principal, upload_id), context.troubles)

    @routes.post("/numbers/uploads/{upload_id}/run", summary="Add what the preview found good",
                 response_model=UploadShown)  # fmt: skip
    def run(upload_id: UUID, request: CommandRequest) -> Response:
        return change(context, request, lambda uow: _act(uow, request, upload_id, start_upload))

    @routes.post("/numbers/uploads/{upload_id}/cancel", summary="End an upload where it stands",
                 response_model=UploadShown)  # fmt: skip
    def cancel(upload_id: UUID, request: CommandRequest) -> Response:
        return change(context, request, lambda uow: _act(uow, request, upload_id, cancel_upload))

    _add_report(context, routes)
    return routes


def _add_report(context: ServiceContext, routes: APIRouter) -> None:
    @routes.get("/numbers/uploads/{upload_id}/report", summary="What became of each row",
                response_class=StreamingResponse, responses={200: _REPORT})  # fmt: skip
    def report(
        upload_id: UUID,
        principal: CurrentPrincipal,
        as_what: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
        only: Annotated[
            Literal["waiting", "added", "refused", "cancelled"] | None, Query(description="Rows with this outcome.")
        ] = None,
    ) -> StreamingResponse:
        u = seen(reader(context), principal, upload_id)[0].state
        rows = (row for row in read_outcomes(context.store, u, file_of(u).chunks) if only in (None, row.outcome))
        if as_what == "json":
            return StreamedFile(context.exports.pieces(principal.party_id, json_report(u, rows)), "application/json")
        pieces = context.exports.pieces(principal.party_id, csv_report(rows))
        return StreamedFile(pieces, _CSV_TYPE, _download(f"{upload_id}_report.csv"))


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


class _Previewing:
    """One file that is sent. It is read once, however often the work that records it is decided."""

    def __init__(self, context: ServiceContext, request: WriteRequest, given: Sent) -> None:
        self._context, self._request, self._given = context, request, given
        self._upload_id = str(uuid4())
        self._read: tuple[Preview, UploadFields] | None = None

    def answer(self, uow: UnitOfWork) -> CommandResult:
        """Keep what was read, and say what would be added."""
        principal = self._request.principal
        who = bringing(uow, principal, self._given.fields.holder_id)
        if self._read is None:
            self._read = self._look(uow, who)
        found, fields = self._read
        who = bringing(uow, principal, fields.holder_id)
        read = UploadPreviewed(
            at=uow.now,
            file_name=fields.file_name or "numbers.csv",
            rows=found.rows,
            good=found.good,
            unlikely=found.unlikely,
            chunks=len(found.chunks),
            uploader_id=who.uploader_id,
            uploader_kind=who.uploader_kind,
            holder_id=who.holder.id if who.holder else None,
            holder_kind=who.holder.kind if who.holder else None,
            voice_carrier=fields.voice_carrier,
            sms_carrier=fields.sms_carrier,
        )
        events = keep_preview(uow.state(UPLOAD, self._upload_id), read)
        u = uow.record(UPLOAD, self._upload_id, events, self._request.cause)
        keep(uow, self._upload_id, who.uploader_id, found.chunks)
        kept = not self._request.dry_run
        answer = shown_preview(u, Visibility(uow, principal), found.bad, kept=kept)
        where = f"/numbers/uploads/{self._upload_id}" if kept else None
        return CommandResult(answer, status=201, version=1, location=where)

    def _look(self, uow: UnitOfWork, who: ImportTerms) -> tuple[Preview, UploadFields]:
        data, fields = self._given.read()
        bringing(uow, self._request.principal, fields.holder_id)  # before anything of the file is told
        limit = self._context.settings.upload_limit
        file = read_csv(data, LAYOUT, max_bytes=MAX_FILE_BYTES, max_rows=limit)
        if not file.count:
            raise FileWithoutRows
        terms = Terms(
            voice_carrier=fields.voice_carrier,
            sms_carrier=fields.sms_carrier,
            vendor=fields.vendor or "",
            sku=fields.sku or "",
            domains=who.domains,
            legacy=who.legacy,
        )
        return preview(file, terms, lambda numbers: present(self._context.store, numbers)), fields


def present(store: Store, numbers: Sequence[str]) -> set[str]:
    """Which of some numbers have a stream: they were in the inventory once, and still are unless deleted."""
    rows = store.fetch(_PRESENT, ([NUMBER.stream(number) for number in numbers],)) if numbers else []
    return {key_of(stream_id) for (stream_id,) in rows}


def seen(uow: UnitOfWork, principal: Principal, upload_id: UUID) -> tuple[LoadedStream[Upload], Visibility]:
    """An upload that the asker may see, and the asker's sight.

    Raises:
        UploadUnknown: there is none, or it is another branch's.
    """
    visibility = Visibility(uow, principal)
    loaded = uow.get(UPLOAD, str(upload_id))
    authorize(visibility.branch, "see numbers", upload_resource(uow, loaded.state))
    return loaded, visibility


def _act(uow: UnitOfWork, request: WriteRequest, upload_id: UUID, act: Callable[..., Upload]) -> CommandResult:
    """Start or cancel an upload; to start it, who asks and who sent it must both still add for its holder (R6)."""
    visibility = Visibility(uow, request.principal)
    loaded = uow.get(UPLOAD, str(upload_id))
    authorize(visibility.branch, "add numbers", upload_resource(uow, loaded.state))
    if act is start_upload:
        file = file_of(loaded.state)
        bringing(uow, request.principal, file.holder_id)
        still_bringing(uow, file)
    check_version(request, loaded.version)
    u = act(uow, str(upload_id), request.principal.actor, request.cause)
    return CommandResult(shown_upload(u, visibility), version=loaded.version + len(loaded.new))


def _list(context: ServiceContext, principal: Principal, paging: Paging) -> Items[UploadShown]:
    uow = reader(context)
    visibility = Visibility(uow, principal)
    authorize(visibility.branch, "see numbers")
    wanted = page(
        paging.model_copy(update={"sort": paging.sort or "-previewed_at"}),
        {"previewed_at": (TEXT, moment)},
        principal.subject,
    )
    senders = [sender for (sender,) in uow.fetch("SELECT DISTINCT uploader_id FROM uploads")]
    uow.load((PARTY, sender) for sender in senders if sender is not None)
    mine = [sender for sender in senders if visibility.branch.holds(sender)]
    own = "(uploader_id = ANY(%s) OR (uploader_id IS NULL AND %s))"
    params = ([sender for sender in mine if sender is not None], None in mine)
    total = uow.fetch(f"SELECT count(*) FROM uploads WHERE {own}", params)[0][0]
    after = f" AND (created_at, id) {wanted.beyond} (%s::timestamptz, %s)" if wanted.after else ""
    rows = uow.fetch(
        f"SELECT id, created_at::text FROM uploads WHERE {own}{after}"
        f" ORDER BY created_at {wanted.direction}, id {wanted.direction} LIMIT %s",
        (*params, *wanted.place()[::-1], wanted.limit + 1),
    )
    uow.load((UPLOAD, upload_id) for upload_id, _ in rows)
    return one_page(wanted, rows, total, lambda row: shown_upload(uow.state(UPLOAD, row[0]), visibility), tuple)


def _snapshot(context: ServiceContext, principal: Principal, upload_id: UUID) -> Snapshot:
    """The upload as it is, for who may see it still."""
    loaded, visibility = seen(reader(context), principal, upload_id)
    document = shown_upload(loaded.state, visibility)
    return Snapshot(document, done=document.status != "running", version=loaded.version)
