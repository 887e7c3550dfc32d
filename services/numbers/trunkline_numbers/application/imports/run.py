"""Uploads that run: chunk after chunk, in turn, until each is completed or cancelled (R1, R2, R3).

One chunk is one transaction: its numbers, what became of its rows, and its `UploadChunkDone`. An upload that runs has a
claim, taken and given back with the events that begin and end it, so that the runner finds it after whatever end of
the process. One copy of the service runs them; should two do, the upload's own stream lets one of them through.
"""

from __future__ import annotations

from typing import Final

from trunkline.clock import Clock
from trunkline.errors import Refused
from trunkline.eventstore.decider import key_of
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import FailedItems
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.security.initiator import initiator
from trunkline.security.principal import Principal
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.imports.authorization import ImportTerms, check_starter, still_bringing
from trunkline_numbers.application.imports.errors import DomainNotYours, LegacyLockNotYours
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.operator_commands import add
from trunkline_numbers.domain.number.state import Party
from trunkline_numbers.domain.upload import UPLOAD, Upload, UploadStarted, cancel, file_of, finish_chunk, start
from trunkline_numbers.tables.upload_rows import ROWS_IN_CHUNK, Chunk, Late, keep_late, next_chunk

_RUNNING: Final = "running upload:"
DUTY: Final = "uploads"


def start_upload(uow: UnitOfWork, upload_id: str, by: str, cause: Causation) -> Upload:
    """Let an upload run."""
    events = start(uow.state(UPLOAD, upload_id), by, uow.now)
    if events:
        uow.batch.claims.append((_RUNNING + upload_id, UPLOAD.stream(upload_id)))
    return uow.record(UPLOAD, upload_id, events, cause)


def cancel_upload(uow: UnitOfWork, upload_id: str, by: str, cause: Causation) -> Upload:
    """End an upload between two chunks."""
    running = uow.state(UPLOAD, upload_id).status == "running"
    events = cancel(uow.state(UPLOAD, upload_id), by, uow.now)
    if events and running:
        uow.batch.unclaims.append(_RUNNING + upload_id)
    return uow.record(UPLOAD, upload_id, events, cause)


class Uploads:
    """Runs the uploads of one store. Synchronous."""

    def __init__(self, store: Store, clock: Clock, leader_election: LeaderElection | None = None) -> None:
        """Prepare.

        Args:
            store: the service's.
            clock: the service's.
            leader_election: the process's; None makes its own.
        """
        self._store = store
        self._clock = clock
        self._leader_election = leader_election or LeaderElection(store.url)
        self._failed = FailedItems(store, clock.now, DUTY)
        self._term = 0
        self._last = ""

    def step(self) -> int:
        """Do one chunk of the upload whose turn it is; how much there was to do, 0 where nothing runs.

        An upload whose chunk fails is set aside and tried again later; the others go on.
        """
        sql = "SELECT stream_id FROM claims WHERE starts_with(claim, %s) ORDER BY stream_id"
        running = [key_of(stream_id) for (stream_id,) in self._store.fetch(sql, (_RUNNING,))]
        if not (running or self._failed) or not self._holds():
            return 0
        ready = self._failed.ready(running)
        if not ready:
            return 0
        turn = next((upload_id for upload_id in ready if upload_id > self._last), ready[0])
        self._last = turn
        with self._failed.attempt(turn):
            run(self._store, self._clock.now, lambda uow: run_chunk(uow, turn))
        return ROWS_IN_CHUNK  # however few it had, there may be another one

    def _holds(self) -> bool:
        term = self._leader_election.hold(DUTY)
        if term != self._term:
            self._failed.load()
        self._term = term
        return term > 0

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()


def run_chunk(uow: UnitOfWork, upload_id: str) -> None:
    """Add the numbers of the chunk whose turn it is, unless the upload runs no more."""
    uow.load([THE_POLICY, (UPLOAD, upload_id)])
    u = uow.state(UPLOAD, upload_id)
    if u.status != "running":
        return
    chunk = next_chunk(uow, u)
    began = initiator(uow, UPLOAD.stream(upload_id), UploadStarted)
    cause = _cause(u, began)
    late = _add(uow, u, began, chunk, cause)
    serve_waiting(uow, cause)
    keep_late(uow, u, late)
    good = sum(row.number is not None for row in chunk.rows)
    done = finish_chunk(u, u.chunks_done, len(chunk.rows), good - len(late), uow.now)
    if uow.record(UPLOAD, upload_id, done, cause).status != "running":
        uow.batch.unclaims.append(_RUNNING + upload_id)


def _cause(u: Upload, began: Principal | None) -> Causation:
    """What follows from an upload was done by who started it, with the role and party of then."""
    if began is None:
        return Causation(u.started_by, u.upload_id, u.upload_id)
    return Causation(u.started_by, u.upload_id, u.upload_id, began.role, began.party_id, began.identity_id)


def _add(uow: UnitOfWork, u: Upload, began: Principal | None, chunk: Chunk, cause: Causation) -> list[Late]:
    """Record the numbers; the rows that are refused after all."""
    file = file_of(u)
    load_settled(uow, ((NUMBER, row.number) for row in chunk.rows if row.number is not None), waiters=True)
    try:
        who = still_bringing(uow, file)
        if began is not None:
            check_starter(uow, u, began)
    except Refused as refused:  # the right to all of it has gone since the preview
        return [Late(row.line, refused.code, refused.sentence) for row in chunk.rows if row.number is not None]
    policy, now = in_force(uow), uow.now
    holder = Party(file.holder_id, file.holder_kind, None) if file.holder_id and file.holder_kind else None
    late: list[Late] = []
    for row in chunk.rows:
        if row.number is None or row.listing is None:
            continue
        listing = chunk.listings[row.listing]
        try:
            _check_terms(who, listing, legacy=row.legacy)
            events = add(
                uow.state(NUMBER, row.number),
                listing,
                file.uploader_id,
                holder,
                policy,
                now,
                uploader_kind=file.uploader_kind,
                legacy_lock=row.legacy,
            )
        except Refused as refused:
            late.append(Late(row.line, refused.code, refused.sentence))
        else:
            uow.record(NUMBER, row.number, events, cause)
    return late


def _check_terms(who: ImportTerms, listing: Listing, *, legacy: bool) -> None:
    """Refuse what the sender could still bring in when the file was previewed (P2, N7).

    Raises:
        DomainNotYours, LegacyLockNotYours: as they say.
    """
    for domain in listing.domains:
        if who.domains is not None and domain not in who.domains:
            raise DomainNotYours(value=domain)
    if legacy and not who.legacy:
        raise LegacyLockNotYours
