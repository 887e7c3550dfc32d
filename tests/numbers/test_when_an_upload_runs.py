"""When several want to run the same upload, or to end it while it runs: its own stream lets one through (R3)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.inventory import Inventory, prepare
from trunkline.eventstore.failed_items import BACK_OFF
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.files.csv_reader import read_csv
from trunkline_numbers.application.imports import parse
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.run import DUTY, Uploads, cancel_upload, run_chunk, start_upload
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.upload import UPLOAD, Upload, UploadPreviewed
from trunkline_numbers.tables.upload_rows import keep, read_outcomes

BY = Causation("user:test", "test", "test")
CHUNK = 20


class Everybody(LeaderElection):
    """Duties that everybody believes to have."""

    def hold(self, duty: str) -> bool:
        return True


@pytest.fixture
def stock(new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """An empty inventory, and small chunks."""
    monkeypatch.setattr(parse, "ROWS_IN_CHUNK", CHUNK)
    return Inventory(new_database(prepare))


def numbers(count: int, begin: int = 31_000_000) -> list[str]:
    return [f"+65{place}" for place in range(begin, begin + count)]


def upload(stock: Inventory, rows: list[str]) -> str:
    """A file that was previewed and runs."""
    lines = "".join(f"SG,{number},TRUE,FALSE,FALSE\n" for number in rows)
    file = read_csv(f"Country Code,Phone Number,Voice,SMS,Fax\n{lines}".encode(), parse.LAYOUT, max_bytes=10**6)
    found, upload_id = parse.preview(file, Terms(), lambda _: set()), str(uuid4())

    def decide(uow: UnitOfWork) -> None:
        facts = {"rows": found.rows, "good": found.good, "unlikely": found.unlikely, "chunks": len(found.chunks)}
        uow.record(UPLOAD, upload_id, [UploadPreviewed(at=uow.now, file_name="f.csv", **facts)], BY)
        keep(uow, upload_id, None, found.chunks)

    run(stock.store, stock.clock.now, decide)
    run(stock.store, stock.clock.now, lambda uow: start_upload(uow, upload_id, BY.actor, BY))
    return upload_id


def upload_of(stock: Inventory, upload_id: str) -> Upload:
    return UnitOfWork(stock.store, stock.clock.now()).state(UPLOAD, upload_id)


def added(stock: Inventory) -> Counter[str]:
    return Counter(r.key for r in stock.log() if r.stream_id.startswith(f"{NUMBER.category}/"))


def together(*works: Callable[[], object]) -> None:
    """Do things at once; whatever one of them raises is raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(uow,)) for uow in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not raised, raised


def test_then_several_runners_add_each_row_once(stock: Inventory) -> None:
    """R3, X3: four that all believe to be the only one; two files that share half of their numbers."""
    first, second = upload(stock, numbers(200)), upload(stock, numbers(200, 31_000_100))
    runners = [Uploads(stock.open_store(), stock.clock, Everybody(stock.url)) for _ in range(4)]

    def until_idle(runner: Uploads) -> Callable[[], None]:
        def go() -> None:
            while runner.step():
                pass

        return go

    together(*map(until_idle, runners))
    ended = [upload_of(stock, upload_id) for upload_id in (first, second)]
    assert [u.status for u in ended] == ["completed", "completed"]
    assert [u.rows_done for u in ended] == [200, 200]
    assert sum(u.added for u in ended) == 300
    assert added(stock) == Counter(numbers(300))
    assert stock.store.fetch("SELECT count(*) FROM claims")[0][0] == 0
    outcomes = Counter(row.outcome for u in ended for row in read_outcomes(stock.store, u, 200 // CHUNK))
    assert outcomes == {"added": 300, "refused": 100}


def test_then_a_cancellation_falls_between_two_chunks(stock: Inventory) -> None:
    """R3: whenever it comes, what is reported as added is there and nothing else."""
    upload_id = upload(stock, numbers(400))
    runner, begun = Uploads(stock.store, stock.clock, Everybody(stock.url)), threading.Event()

    def go() -> None:
        while runner.step():
            begun.set()

    def end() -> None:
        begun.wait()
        run(stock.store, stock.clock.now, lambda uow: cancel_upload(uow, upload_id, "user:other", BY))

    together(go, end)
    u = upload_of(stock, upload_id)
    assert u.status == "cancelled"
    rows = list(read_outcomes(stock.store, u, 400 // CHUNK))
    assert [row.outcome for row in rows] == ["added"] * u.rows_done + ["cancelled"] * (400 - u.rows_done)
    assert u.rows_done % CHUNK == 0
    assert added(stock) == Counter(numbers(u.rows_done))
    assert runner.step() == 0


def test_then_uploads_take_turns(stock: Inventory) -> None:
    """R3: a short one does not wait for the end of a long one."""
    long, short = upload(stock, numbers(400)), upload(stock, numbers(CHUNK, 32_000_000))
    runner = Uploads(stock.store, stock.clock, Everybody(stock.url))
    runner.step()
    runner.step()
    assert upload_of(stock, short).status == "completed"
    assert upload_of(stock, long).rows_done == CHUNK


def test_then_one_that_fails_is_set_aside_and_the_others_end(stock: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    """O8, R3: whatever is wrong with it; it goes on where it was, once it can, and no number is added twice."""
    failing, other = upload(stock, numbers(2 * CHUNK)), upload(stock, numbers(2 * CHUNK, 32_000_000))
    broken = {failing}

    def fragile(uow: UnitOfWork, upload_id: str) -> None:
        run_chunk(uow, upload_id)
        if upload_id in broken and upload_of(stock, upload_id).chunks_done == 1:
            raise ValueError("cannot stand the second chunk")

    monkeypatch.setattr("trunkline_numbers.application.imports.run.run_chunk", fragile)
    runner = Uploads(stock.store, stock.clock, Everybody(stock.url))
    while runner.step():
        pass
    assert (upload_of(stock, other).status, upload_of(stock, failing).status) == ("completed", "running")
    aside = stock.store.fetch("SELECT loop, key, cause FROM failed_items")
    assert aside == [(DUTY, failing, "ValueError: cannot stand the second chunk")]
    broken.clear()
    assert runner.step() == 0
    stock.clock.advance(BACK_OFF[0])
    while runner.step():
        pass
    assert upload_of(stock, failing).status == "completed"
    assert added(stock) == Counter([*numbers(2 * CHUNK), *numbers(2 * CHUNK, 32_000_000)])
    assert stock.store.fetch("SELECT key FROM failed_items") == []
