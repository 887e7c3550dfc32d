"""When a file of numbers has been read: the upload's own life, from preview to its end (R3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.eventstore.decider import Event
from trunkline.testing import Story
from trunkline_numbers.domain import upload as u
from trunkline_numbers.domain.upload import (
    UPLOAD,
    NothingToUpload,
    Upload,
    UploadCancelled,
    UploadChunkDone,
    UploadCompleted,
    UploadEnded,
    UploadPreviewed,
    UploadStarted,
    UploadUnknown,
)

KEY = "0b9e0000-0000-4000-8000-000000000001"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def file(rows: int = 1500, good: int = 1490, chunks: int = 2) -> UploadPreviewed:
    return UploadPreviewed(at=NOW, file_name="f.csv", rows=rows, good=good, unlikely=0, chunks=chunks)


class Life(Story[Upload]):
    """An upload's story."""

    def does(self, decide: Callable[..., Sequence[Event]], *facts: Any) -> Life:
        self.when(lambda state: decide(state, *facts))
        return self


def story() -> Life:
    return Life(UPLOAD, KEY)


STARTED = UploadStarted(at=NOW, by="user:1")
FIRST = UploadChunkDone(at=NOW, chunk=0, rows=1000, added=990)
LAST = UploadChunkDone(at=NOW, chunk=1, rows=500, added=499)


def test_then_it_is_kept_once_and_runs_once() -> None:
    """R3: asked twice, nothing happens the second time."""
    story().does(u.preview, file()).then(file())
    story().given(file()).does(u.preview, file()).then_nothing()
    story().given(file()).does(u.start, "user:1", NOW).then(STARTED)
    story().given(file(), STARTED).does(u.start, "user:2", NOW).then_nothing()
    story().given(file(), STARTED, FIRST, LAST, UploadCompleted(at=NOW)).does(u.start, "user:2", NOW).then_nothing()


def test_then_its_last_chunk_completes_it() -> None:
    """R3: in the order of the file; one that is not its turn, or of an upload that does not run, says nothing."""
    running = story().given(file(), STARTED)
    running.does(u.finish_chunk, 1, 500, 499, NOW).then_nothing()
    running.does(u.finish_chunk, 0, 1000, 990, NOW).then(FIRST)
    running.does(u.finish_chunk, 0, 1000, 990, NOW).then_nothing()
    running.does(u.finish_chunk, 1, 500, 499, NOW).then(LAST, UploadCompleted(at=NOW))
    story().given(file()).does(u.finish_chunk, 0, 1000, 990, NOW).then_nothing()
    story().given(file(), STARTED, UploadCancelled(at=NOW, by="user:1")).does(
        u.finish_chunk, 0, 1000, 990, NOW
    ).then_nothing()


def test_then_it_can_be_cancelled_until_it_is_completed() -> None:
    """R3: what was added stays; cancelled, it never runs again."""
    cancelled = UploadCancelled(at=NOW, by="user:1")
    story().given(file()).does(u.cancel, "user:1", NOW).then(cancelled)
    story().given(file(), STARTED, FIRST).does(u.cancel, "user:1", NOW).then(cancelled)
    story().given(file(), cancelled).does(u.cancel, "user:2", NOW).then_nothing()
    story().given(file(), cancelled).does(u.start, "user:1", NOW).then_refused(UploadEnded)
    story().given(file(), STARTED, FIRST, LAST, UploadCompleted(at=NOW)).does(u.cancel, "user:1", NOW).then_refused(
        UploadEnded
    )


def test_then_what_is_not_there_or_holds_nothing_good_does_not_run() -> None:
    """R3."""
    story().does(u.start, "user:1", NOW).then_refused(UploadUnknown)
    story().does(u.cancel, "user:1", NOW).then_refused(UploadUnknown)
    story().given(file(good=0)).does(u.start, "user:1", NOW).then_refused(NothingToUpload)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.data())
def test_then_whatever_chunks_come_each_counts_once(sizes: list[int], data: st.DataObject) -> None:
    """R3: repeated and out of turn, the sums are those of each chunk once, and the end comes with the last."""
    state = UPLOAD.fold(KEY, [file(sum(sizes), sum(sizes), len(sizes)), STARTED])
    at = NOW
    while state.status == "running":
        chunk = data.draw(st.integers(0, len(sizes) - 1))
        at += timedelta(seconds=1)
        events = u.finish_chunk(state, chunk, sizes[chunk], sizes[chunk], at)
        assert bool(events) == (chunk == state.chunks_done)
        if not events and chunk < state.chunks_done:
            events = u.finish_chunk(state, state.chunks_done, sizes[state.chunks_done], sizes[state.chunks_done], at)
        for event in events:
            state = UPLOAD.evolve(state, event)
    assert (state.status, state.rows_done, state.added) == ("completed", sum(sizes), sum(sizes))
    assert (state.chunks_done, state.ended_at) == (len(sizes), at)


@pytest.mark.parametrize("status", ["absent", "previewed", "running"])
def test_then_it_has_no_end_before_it_ends(status: str) -> None:
    """R3."""
    events = {"absent": [], "previewed": [file()], "running": [file(), STARTED, FIRST]}[status]
    state = UPLOAD.fold(KEY, events)
    assert (state.status, state.ended_at) == (status, None)
