"""When the service is killed while it runs an upload, at rows that chance names, again and again (R3, X3).

Chunks are small here, so that many deaths fit into one file; the service takes them as it finds them.
"""

from __future__ import annotations

import random
from collections import Counter
from uuid import uuid4

import pytest

from tests.faults.doomed import UPLOAD_POINTS, Fuse
from tests.faults.world import Part, World
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.files.csv_reader import read_csv
from trunkline_numbers.application.imports import parse
from trunkline_numbers.application.imports.layout import Terms
from trunkline_numbers.application.imports.run import start_upload
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.operator_commands import add
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.domain.upload import UPLOAD, Upload, UploadPreviewed
from trunkline_numbers.tables.upload_rows import keep, read_outcomes

ROWS, CHUNK, DEATHS = 1_500, 50, 24
BY = Causation("user:test", "test", "test")


def send(part: Part, upload_id: str, numbers: list[str]) -> None:
    """Preview a file in chunks of `CHUNK` rows, and let it run, as the doors do."""
    rows = "".join(f"SG,{number},TRUE,FALSE,FALSE\n" for number in numbers)
    file = read_csv(f"Country Code,Phone Number,Voice,SMS,Fax\n{rows}".encode(), parse.LAYOUT, max_bytes=10**6)
    found = parse.preview(file, Terms(), lambda _: set())

    def decide(uow: UnitOfWork) -> None:
        facts = {"rows": found.rows, "good": found.good, "unlikely": found.unlikely, "chunks": len(found.chunks)}
        uow.record(UPLOAD, upload_id, [UploadPreviewed(at=uow.now, file_name="f.csv", **facts)], BY)
        keep(uow, upload_id, None, found.chunks)

    run(part.store, part.clock.now, decide)
    run(part.store, part.clock.now, lambda uow: start_upload(uow, upload_id, BY.actor, BY))


def add_by_hand(part: Part, numbers: list[str]) -> None:
    """They are there before their rows' turn comes."""

    def decide(uow: UnitOfWork) -> None:
        listing = Listing(country="SG", sku="did", vendor="other")
        for number in numbers:
            uow.record(NUMBER, number, add(uow.state(NUMBER, number), listing, None, None, DEFAULT, uow.now), BY)

    run(part.store, part.clock.now, decide)


def upload_of(part: Part, upload_id: str) -> Upload:
    return UnitOfWork(part.store, part.clock.now()).state(UPLOAD, upload_id)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "ROWS_IN_CHUNK", CHUNK)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("seed", [1, 2])
def test_each_row_counts_once(world: World, seed: int) -> None:
    """R3, X3: every good number is added by exactly one event, every row has one outcome, and the sums agree."""
    chance = random.Random(seed)
    part = world.numbers
    numbers = [f"+6531{seed}{place:05}" for place in range(ROWS)]
    there = chance.sample(numbers, 40)
    add_by_hand(part, there)
    points = [chance.choice(list(UPLOAD_POINTS)) for _ in range(DEATHS)]
    world.run("licensing")
    part.deaths.clear()
    world.run(
        "numbers",
        *(Fuse(point, chance.randint(1, CHUNK + 20) if point == "upload: at a row" else 1) for point in points),
    )
    upload_id = str(uuid4())
    send(part, upload_id, numbers)
    world.until(lambda: upload_of(part, upload_id).status == "completed", "the upload")
    assert len(part.deaths) == DEATHS
    u = upload_of(part, upload_id)
    assert (u.rows_done, u.added, u.chunks_done) == (ROWS, ROWS - len(there), ROWS // CHUNK)
    rows = list(read_outcomes(part.store, u, ROWS // CHUNK))
    assert [row.row.number for row in rows] == numbers
    assert {row.row.number for row in rows if row.outcome == "refused"} == set(there)
    assert {row.outcome for row in rows} == {"added", "refused"}
    streams = part.store.read_streams([NUMBER.stream(number) for number in numbers])
    assert Counter(stream_id for stream_id, *_ in streams) == Counter(map(NUMBER.stream, numbers))
    chunks = [state for _, _, name, state in part.store.read_streams([UPLOAD.stream(upload_id)]) if "Chunk" in name]
    assert len(chunks) == ROWS // CHUNK
    world.until_quiet()
    world.verify_views()
