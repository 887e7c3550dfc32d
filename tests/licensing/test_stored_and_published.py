"""When stored events are read, and said to the outside: for ever, and all of them (X1, X7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contracts.licensing import CONTRACTS
from trunkline.recorded import Codec, Recorded, stored_name
from trunkline_licensing.published import PRIVATE, SAYS, published
from trunkline_licensing.wiring import service

STORED = sorted((Path(__file__).parent / "stored").glob("*.json"))
CODEC = Codec(service().deciders)
KEY = "5ab5c1b7-0000-4000-8000-000000000001"
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


def test_then_every_event_is_said_or_private() -> None:
    """X1: one of both, and every contract of licensing is said by an event of its name."""
    assert set(SAYS) | PRIVATE == set(EVENTS)
    assert set(SAYS).isdisjoint(PRIVATE)
    assert {contract.name for contract, _ in SAYS.values()} == set(CONTRACTS)
    assert all(contract.name == kind.__name__ for kind, (contract, _) in SAYS.items())


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_then_what_is_said_keeps_to_its_contract(sample: Path) -> None:
    """X1, X7: a consumer can read it by the published contract."""
    stored = read(sample)
    said = published(Recorded(1, f"subscription/{KEY}", 1, stored.meta, stored.data))
    if type(stored.data) in PRIVATE:
        assert said is None
        return
    assert said is not None
    contract, data = said
    assert isinstance(data, contract.data)
    assert contract.read(msgspec.json.encode(data)) == data
    assert contract.subject_of(data) == (KEY if contract.key else "platform")
