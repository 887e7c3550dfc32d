"""When a bulk assignment is made, started and run: its status, its counts, and what is refused in which status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import Refused
from trunkline.testing import Story
from trunkline_licensing.api.bulk_assignments.schemas import progress_of
from trunkline_licensing.domain.bulk_assignment import bulk_assignment as bulk
from trunkline_licensing.domain.bulk_assignment import events
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk, File
from trunkline_licensing.domain.bulk_assignment.errors import (
    BulkAssignmentInProgress,
    BulkAssignmentIsCompleted,
    BulkAssignmentIsDraft,
    BulkAssignmentUnknown,
    FileAddedBefore,
    NoUsersYet,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORG, KEY = "0a9e0000-0000-4000-8000-000000000001", "5ab5c1b7-0000-4000-8000-000000000001"
FILE = File("people.csv", "d1", "name", 4)


def draft(rows: int = 0) -> Story[Bulk]:
    story = Story(BULK, KEY).given(events.BulkAssignmentCreated(at=NOW, organization_id=ORG, name="Tower"))
    if rows:
        story.given(events.BulkUsersAdded(at=NOW, file="a", digest="d", identified_by="name", rows=rows))
    return story


def running(rows: int = 4, *, all_or_nothing: bool = False) -> Story[Bulk]:
    return _given(draft(rows).when(lambda b: bulk.start(b, all_or_nothing, NOW)))


def _given(story: Story[Bulk]) -> Story[Bulk]:
    assert story.refused is None
    return story


def done(**counts: int) -> Any:
    return lambda b: bulk.chunk_done(b, events.BulkChunkDone(at=NOW, upto=1, **counts))


def answered(**counts: int) -> Any:
    return lambda b: bulk.answered(b, events.BulkRowsAnswered(at=NOW, **counts))


def names(story: Story[Bulk]) -> list[str]:
    assert story.refused is None, story.refused
    return [type(event).__name__ for event in story.events]


def test_then_only_what_l6_lists_is_possible() -> None:
    """L6: exactly the actions of each status; everything else is refused."""
    draft_, started = draft(4).state, running().state
    completed = running().when(done(succeeded=4)).state
    expected = {
        "draft": {"edit", "add users", "see users", "assign", "preflight", "delete"},
        "in_progress": {"see users", "report"},
        "completed": {"report"},
    }
    refusals = {
        "draft": BulkAssignmentIsDraft,
        "in_progress": BulkAssignmentInProgress,
        "completed": BulkAssignmentIsCompleted,
    }
    for b in (draft_, started, completed):
        for action in get_args(bulk.Action):
            if action in expected[b.status]:
                bulk.check(b, action)
            else:
                with pytest.raises(refusals[b.status]):
                    bulk.check(b, action)


def test_then_it_is_a_draft_with_a_name_and_add_ons() -> None:
    """L5: status, counts; add-ons named twice count once."""
    story = Story(BULK, KEY).when(lambda b: bulk.create(b, ORG, "Tower", ("a", "b", "a"), NOW))
    assert (story.state.status, story.state.addons, story.state.total) == ("draft", ("a", "b"), 0)
    assert names(story.when(lambda b: bulk.create(b, ORG, "Tower", (), NOW))) == []


def test_then_a_draft_is_edited_and_nothing_is_said_of_no_change() -> None:
    """L6."""
    story = draft().when(lambda b: bulk.edit(b, "Annex", None, NOW))
    assert (story.state.name, story.state.addons) == ("Annex", ())
    assert names(story.when(lambda b: bulk.edit(b, "Annex", (), NOW))) == []


def test_then_it_cannot_be_assigned_without_users() -> None:
    """L6."""
    assert isinstance(draft().when(lambda b: bulk.start(b, False, NOW)).refused, NoUsersYet)


def test_then_it_is_assigned_once() -> None:
    """L6, L13: of two who press assign, the second is told since when it runs."""
    story = running().when(lambda b: bulk.start(b, False, NOW))
    assert isinstance(story.refused, BulkAssignmentInProgress)
    assert "2026-03-01T00:00:00Z" in story.refused.sentence


def test_then_the_same_file_is_not_added_twice() -> None:
    """L7, L9: the very bytes; under whatever name."""
    story = draft().when(lambda b: bulk.add_users(b, FILE, NOW))
    assert story.state.total == 4
    again = File("again.csv", "d1", "name", 4)
    assert isinstance(story.when(lambda b: bulk.add_users(b, again, NOW)).refused, FileAddedBefore)


def test_then_one_that_is_deleted_is_not_there() -> None:
    """L6: whatever is asked of it."""
    story = draft().when(lambda b: bulk.delete(b, NOW))
    for action in get_args(bulk.Action):
        with pytest.raises(BulkAssignmentUnknown):
            bulk.check(story.state, action)


def test_then_it_is_complete_when_every_row_is_settled() -> None:
    """L10, L13: rows that wait for their number are waited for."""
    story = running().when(done(succeeded=1, failed=1, waiting=2))
    assert names(story) == ["BulkChunkDone"]
    assert names(story.when(answered(succeeded=1))) == ["BulkRowsAnswered"]
    assert names(story.when(answered(failed=1))) == ["BulkRowsAnswered", "BulkAssignmentCompleted"]
    assert (story.state.status, story.state.succeeded, story.state.failed) == ("completed", 2, 2)


def test_then_rows_that_are_short_are_not_failed_while_others_wait() -> None:
    """L10, L12, §10.3: a unit may come back; the count of them goes up and down."""
    story = running().when(done(waiting=2, short=2))
    assert (story.state.pending, story.state.short) == (0, 2)
    assert names(story.when(answered(failed=2))) == ["BulkRowsAnswered"]
    assert names(story.when(done(succeeded=2, short=-2))) == ["BulkChunkDone", "BulkAssignmentCompleted"]
    assert (story.state.succeeded, story.state.failed, story.state.short) == (2, 2, 0)


def test_then_all_or_nothing_holds_good_rows_until_all_are_good() -> None:
    """L10: all of them succeed at the end."""
    story = running(all_or_nothing=True).when(done(held=3, waiting=1))
    assert names(story.when(answered(held=1))) == ["BulkRowsAnswered", "BulkAssignmentCompleted"]
    assert (story.state.succeeded, story.state.failed, story.state.held) == (4, 0, 0)


def test_then_all_or_nothing_takes_everything_back_for_one_that_fails() -> None:
    """L10, L12: nothing succeeds, and the counts say so."""
    story = running(all_or_nothing=True).when(done(held=1, waiting=2))
    refused = events.BulkRowsAnswered(at=NOW, failed=1)
    story.when(lambda b: bulk.answered(b, refused, (2, "NUMBER_UNAVAILABLE")))
    assert names(story) == ["BulkRowsAnswered", "BulkUndoBegun"]
    story.when(lambda b: bulk.undone(b, events.BulkRowsUndone(at=NOW, held=1, waiting=1, pending=1)))
    assert names(story) == ["BulkRowsUndone", "BulkAssignmentCompleted"]
    assert (story.state.succeeded, story.state.failed) == (0, 4)


def test_then_a_copy_is_marked_as_one() -> None:
    """L14: and its name is no longer than a name can be."""
    assert bulk.name_of_copy("Tower") == "Copy of Tower"
    assert len(bulk.name_of_copy("x" * 200)) == 200


@given(st.data())
def test_then_the_counts_always_add_up(data: st.DataObject) -> None:
    """L5, L13: at every point of every run, whatever the outcomes; and every run ends."""
    total = data.draw(st.integers(1, 12))
    story = running(total)
    for _ in range(200):
        b = story.state
        assert b.succeeded + b.failed + b.waiting + b.held + b.short + b.pending == total
        assert min(b.succeeded, b.failed, b.waiting, b.short, b.pending) >= 0
        if b.status == "completed":
            return
        if b.waiting and (not b.pending + b.short or data.draw(st.booleans())):
            good = data.draw(st.integers(0, b.waiting))
            bad = data.draw(st.integers(0 if good else 1, b.waiting - good)) if good < b.waiting or not good else 0
            story.when(answered(succeeded=good, failed=bad))
        else:
            undecided = b.pending + b.short
            kinds = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=undecided))
            retried = min(b.short, len(kinds))
            short = kinds.count(3) if b.waiting + kinds.count(2) > 0 else 0
            failed = kinds.count(1) + kinds.count(3) - short
            counts = {"succeeded": kinds.count(0), "failed": failed, "waiting": kinds.count(2)}
            story.when(done(**counts, short=short - retried))
        assert not isinstance(story.refused, Refused)
    assert story.state.status == "completed"


def test_then_the_rate_looks_at_the_last_steps() -> None:
    """L13: rate and time left, from as many marks as are needed, and no more: the state stays small."""
    story = running(100)
    for n in range(20):
        story.given(events.BulkChunkDone(at=NOW + timedelta(seconds=n), upto=n, succeeded=1))
    assert len(story.state.marks) <= 8
    assert story.state.marks[-1] == (NOW + timedelta(seconds=19), 20)
    told = progress_of(story.state)
    assert (told.rows_per_second, told.seconds_left) == (1.0, 80.0)
    assert (told.succeeded, told.failed, told.waiting, told.pending) == (20, 0, 0, 80)
    assert progress_of(running(100).state).seconds_left is None
