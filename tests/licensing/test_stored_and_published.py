"""When stored events are read, and said to the outside: for ever, and all of them (X1, X7)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trunkline.contracts.licensing import CONTRACTS, STATE
from trunkline.eventstore.recorded_event import Codec, RecordedEvent, stored_name
from trunkline_licensing.domain.extension.events import Facts, HungAddon
from trunkline_licensing.domain.extension.extension import EXTENSION, delete, provision
from trunkline_licensing.domain.extension.number_request import request_number
from trunkline_licensing.publishing import PRIVATE, PUBLISHED, extension_state, published
from trunkline_licensing.wiring import service

STORED = sorted((Path(__file__).parent / "stored").glob("*.json"))
CODEC = Codec(service().deciders)
KEY = "5ab5c1b7-0000-4000-8000-000000000001"
AT = datetime(2026, 3, 1, tzinfo=UTC)
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
    assert set(PUBLISHED) | PRIVATE == set(EVENTS)
    assert set(PUBLISHED).isdisjoint(PRIVATE)
    assert {contract.name for contract, _ in PUBLISHED.values()} == set(CONTRACTS)
    assert all(contract.name == kind.__name__ for kind, (contract, _) in PUBLISHED.items())


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_then_what_is_said_keeps_to_its_contract(sample: Path) -> None:
    """X1, X7: a consumer can read it by the published contract."""
    stored = read(sample)
    said = published(RecordedEvent(1, f"subscription/{KEY}", 1, stored.meta, stored.data))
    if type(stored.data) in PRIVATE:
        assert said is None
        return
    assert said is not None
    contract, data = said
    assert isinstance(data, contract.data)
    assert contract.read(msgspec.json.encode(data)) == data
    assert contract.subject_of(data) == (KEY if contract.key else "platform")


def test_then_the_document_of_an_extension_is_all_that_is_so_of_it() -> None:
    """X1: of the compacted topic ExtensionState; after its end a tombstone."""
    facts = Facts(
        organization_id=KEY, ext_key="101", subscription_id=KEY, user_id=KEY, directory_name="Desk",
        addons=(HungAddon("team_chat", KEY),), suspended=("team_chat",),
    )  # fmt: skip
    x = EXTENSION.fold(KEY, provision(facts, AT))
    told = extension_state(msgspec.msgpack.encode(x), 3)
    assert told is not None
    assert (told.sequence, told.extension_id, told.user_id, told.directory_name) == (3, KEY, KEY, "Desk")
    assert [(addon.code, addon.subscription_id) for addon in told.addons] == [("team_chat", KEY)]
    assert (told.ext_key, told.suspended, told.number, told.number_status) == ("101", ("team_chat",), None, None)
    assert STATE.read(msgspec.json.encode(told)) == told
    for event in request_number(x, "+6531580101", AT, AT):
        x = EXTENSION.evolve(x, event)
    told = extension_state(msgspec.msgpack.encode(x), 4)
    assert told is not None
    assert (told.number, told.number_status) == ("+6531580101", "requested")
    for event in delete(x, AT, "by_hand"):
        x = EXTENSION.evolve(x, event)
    assert extension_state(msgspec.msgpack.encode(x), 6) is None
