"""When a service starts: its database and the broker belong together, or the start is refused (§10.16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.eventstore.epochs import STRIDE, Epochs, epoch_and_version, sequence_of
from trunkline.eventstore.recorded_event import event_id
from trunkline.installation.judgement import Broker, Database, InstallationRefused, Registration, judge, judge_together

MINE = Registration(installation="one", identity="db-1", start_id="s2", epoch=0)
RUNNING = Database(id="one", identity="db-1", start_ids=frozenset({"s2"}), has_history=True)
FULL = Broker(id="one", registration=MINE, published=True, known=True)


def refused(database: Database, broker: Broker) -> str:
    with pytest.raises(InstallationRefused) as found:
        judge("licensing", "the broker b:9092", database, broker)
    return str(found.value)


def test_then_a_new_one_and_one_that_goes_on_are_admitted() -> None:
    """§10.16: nothing is asked of who begins, restarts, or comes from the version before."""
    assert judge("licensing", "b", Database(), Broker()).id is None
    assert judge("licensing", "b", Database(), Broker(id="one")).id == "one"
    assert judge("licensing", "b", RUNNING, FULL).restored is False
    before = Database(identity="db-1", has_history=True)
    assert judge("licensing", "b", before, Broker(published=True, known=True)).id is None
    assert judge("licensing", "b", before, Broker(id="one", published=True, known=True)).id == "one"


@pytest.mark.parametrize(
    ("database", "broker", "why"),
    [
        (Database(identity="db-9"), FULL, "is empty, and licensing of installation one already publishes on"),
        (Database(identity="db-9"), Broker(published=True), "is empty"),
        (Database(identity="db-9", has_history=True), Broker(published=True), "is not in this database"),
        (Database(id="two", identity="db-9", has_history=True), FULL, "belongs to installation two"),
        (Database(id="one", identity="db-9", start_ids=frozenset({"s2"}), has_history=True), FULL, "is a copy of"),
    ],
    ids=["empty-full", "empty-old-version", "another-history", "another-id", "copy"],
)
def test_then_a_stranger_is_refused_with_both_ways_out(database: Database, broker: Broker, why: str) -> None:
    """§10.16: what is wrong, how to join, and how to run another installation beside it."""
    message = refused(database, broker)
    assert why in message
    assert "nothing was read or published" in message
    assert "trunkline restored --service licensing" in message
    assert "TRUNKLINE_TOPIC_PREFIX" in message


def test_then_an_older_database_begins_an_epoch_above_all_that_was_published() -> None:
    """§10.16, X1: declared by an operator, or noticed because the broker has seen a later start or later events."""
    later = Broker(id="one", registration=Registration(installation="one", identity="db-1", start_id="s9", epoch=4))
    noticed = judge("licensing", "b", RUNNING, later)
    assert (noticed.restored, noticed.epoch) == (True, 5)
    ahead = judge("licensing", "b", RUNNING, Broker(id="one", registration=MINE, published=True, ahead=True))
    assert (ahead.restored, ahead.epoch) == (True, 1)
    declared = Database(id="one", identity="db-9", restored=True, epoch=1, has_history=True)
    assert judge("licensing", "b", declared, FULL).epoch == 1
    assert judge("licensing", "b", declared, later).epoch == 5


def test_then_services_of_one_process_belong_together() -> None:
    """§10.16: the same without a broker."""
    full = Database(id="one", has_history=True)
    assert judge_together({"licensing": Database(), "numbers": Database()}) is None
    assert judge_together({"licensing": full, "numbers": full}) == "one"
    assert judge_together({"licensing": full, "numbers": Database()}) == "one"
    with pytest.raises(InstallationRefused, match="belong to different installations"):
        judge_together({"licensing": full, "numbers": Database(id="two")})
    with pytest.raises(InstallationRefused, match="The database of numbers is empty, and the other service has read"):
        judge_together({"licensing": full, "numbers": Database(knows_broker=True)})


@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, STRIDE - 1)), min_size=2, max_size=2),
)
def test_then_an_epoch_leads_in_every_sequence(pairs: list[tuple[int, int]]) -> None:
    """X1: a reader that takes the newest sequence takes the newest epoch; a program of doubles reads it exactly."""
    first, second = pairs
    one, other = sequence_of(*first), sequence_of(*second)
    assert (one < other) == (first < second)
    assert epoch_and_version(one) == first
    assert float(one) == one


@given(st.lists(st.integers(0, 50), max_size=5), st.integers(1, 60))
def test_then_each_position_is_in_the_last_epoch_that_began_before_it(begins: list[int], position: int) -> None:
    """X1: what was published before a restore keeps its sequence and its id."""
    begun = list(enumerate(sorted(begins), start=1))
    expected = max((epoch for epoch, after in begun if position > after), default=0)
    assert Epochs(begun).at(position) == expected
    assert Epochs(begun).current == len(begins)


def test_then_an_event_of_another_epoch_has_another_id() -> None:
    """X2: a version that is given again does not take the id of the lost event; that of epoch 0 stays as it was."""
    assert event_id("number/+6531580001", 7) == event_id("number/+6531580001", 7, 0)
    assert event_id("number/+6531580001", 7, 1) != event_id("number/+6531580001", 7)
