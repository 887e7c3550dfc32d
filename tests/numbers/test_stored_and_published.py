"""When stored events are read, and said to the outside: for ever, and all of them (X1, X7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.numbers.facts import KEY, SUB
from trunkline.contracts.numbers import CONTRACTS
from trunkline.eventstore.recorded_event import RecordedEvent, stored_name
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.publishing import PRIVATE, PUBLISHED, published
from trunkline_numbers.wiring import service

STORED = sorted((Path(__file__).parent / "stored").glob("*.json"))
CODEC = service().codec()
EVENTS = [kind for decider in service().deciders for kind in decider.events]


def read(sample: Path) -> Any:
    return CODEC.decode(sample.stem, sample.read_bytes())


def test_then_there_is_a_sample_of_every_stored_event_and_version() -> None:
    """X7: what is stored once must be readable for ever; a sample once here never changes."""
    assert [sample.stem for sample in STORED] == CODEC.names


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_then_every_sample_is_understood_whole(sample: Path) -> None:
    """X7: no field of a sample is lost, so none was renamed or dropped; old versions are upcast."""
    stored = read(sample)
    if sample.stem == stored_name(type(stored.data)):
        assert json.loads(CODEC.encode(stored.meta, stored.data)) == json.loads(sample.read_bytes())


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_then_every_sample_of_the_newest_version_shows_every_field(sample: Path) -> None:
    """X7: a field that no sample shows could be renamed unseen."""
    stored = read(sample)
    if sample.stem == stored_name(type(stored.data)):
        assert set(json.loads(sample.read_bytes())["data"]) == set(stored.data.__struct_encode_fields__)


def test_then_every_event_is_said_or_private() -> None:
    """X1: one of both, and every contract of numbers is said by an event of its name.

    What is undone is said as what the number is again.
    """
    assert set(PUBLISHED) | PRIVATE == set(EVENTS)
    assert set(PUBLISHED).isdisjoint(PRIVATE)
    assert {kind.__name__ for kind in PUBLISHED} - {"AssignmentUndone"} == set(CONTRACTS)


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_then_what_is_said_keeps_to_its_contract(sample: Path) -> None:
    """X1, X7: a consumer can read it by the published contract; its subject is the record's key."""
    stored = read(sample)
    of_number = type(stored.data) in NUMBER.events
    stream = f"number/{KEY}" if of_number else f"other/{SUB}"
    said = published(RecordedEvent(1, stream, 1, stored.meta, stored.data))
    if type(stored.data) in PRIVATE:
        assert said is None
        return
    assert said is not None
    contract, data = said
    assert contract is CONTRACTS[type(data).__name__]
    assert isinstance(data, contract.data)
    assert contract.read(msgspec.json.encode(data)) == data
    assert contract.subject_of(data) == (KEY if of_number else SUB)
