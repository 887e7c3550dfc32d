"""B9: 100,000 numbers are uploaded by CSV: the file read, checked and kept, then added, chunk after chunk."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bench.baselines.copied import copy_again
from bench.figures import Figure, at_least, interleaved, median
from bench.run import Run
from trunkline.application import all_migrations
from trunkline.clock import SystemClock
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.schema import migrate
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.files.csv_reader import read_csv
from trunkline_numbers.api.uploads.form import MAX_FILE_BYTES
from trunkline_numbers.api.uploads.routes import present
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.parse import LAYOUT, preview
from trunkline_numbers.application.imports.run import Uploads, start_upload
from trunkline_numbers.domain.upload import UPLOAD, UploadPreviewed
from trunkline_numbers.tables.upload_rows import keep
from trunkline_numbers.wiring import service as numbers_service

B9 = at_least(ratio=0.10, text="≥ 10 %")
_BY = Causation("user:bench", "bench", "bench")
_ID = "0b9e0000-0000-4000-8000-000000000009"


def measure(run_: Run) -> list[Figure]:
    """One figure."""
    n = 10_000 if run_.quick else 100_000
    data = _file(n)
    (ours,) = interleaved(run_.rounds, lambda _: _upload(run_, data, n))
    previewed, added, copied = (median(n / seconds[part] for seconds in ours) for part in range(3))
    whole = median(n / (seconds[0] + seconds[1]) for seconds in ours)
    return [
        Figure(
            "B9", "upload of numbers by CSV, preview and run, against binary COPY of the event rows", whole,
            "rows/s", B9, n, run_.rounds, copied, whole / copied,
            {"previewed_per_second": previewed, "added_per_second": added},
        )
    ]  # fmt: skip


def _file(n: int) -> bytes:
    rows = "".join(f"SG,{31_500_000 + place},TRUE,FALSE,FALSE,Carrier,SG-LOCAL\r\n" for place in range(n))
    return f"Country Code,Phone Number,Voice,SMS,Fax,Vendor,SKU\r\n{rows}".encode()


def _upload(run_: Run, data: bytes, n: int) -> tuple[float, float, float]:
    """Seconds for the preview, for the run, and to copy the numbers' event rows again; each number once."""
    url = run_.databases.create()
    service = numbers_service()
    migrate(url, all_migrations(service))
    store, clock, leader_election = Store(url, service.codec()), SystemClock(), LeaderElection(url)
    begun = time.perf_counter()
    _preview(store, data)
    previewed = time.perf_counter()
    run(store, clock.now, lambda uow: start_upload(uow, _ID, _BY.actor, _BY))
    begin = store.end_of_log()
    uploads = Uploads(store, clock, leader_election)
    while uploads.step():
        pass
    ended = time.perf_counter()
    added = "SELECT count(*), count(DISTINCT originator_id) FROM stored_events WHERE topic = 'numbers.NumberAdded'"
    assert tuple(store.fetch(added)[0]) == (n, n)
    leader_election.resign()
    store.close()
    copying = copy_again(url, begin)
    run_.databases.drop(url)
    return previewed - begun, ended - previewed, copying


def _preview(store: Store, data: bytes) -> None:
    file = read_csv(data, LAYOUT, max_bytes=MAX_FILE_BYTES)
    found = preview(file, Terms(), lambda numbers: present(store, numbers))

    def decide(uow: UnitOfWork) -> None:
        read = UploadPreviewed(
            at=uow.now,
            file_name="bench.csv",
            rows=found.rows,
            good=found.good,
            unlikely=found.unlikely,
            chunks=len(found.chunks),
        )
        uow.record(UPLOAD, _ID, [read], _BY)
        keep(uow, _ID, None, found.chunks)

    run(store, lambda: datetime.now(UTC), decide)
