"""When a golden sample is read (X1, X7): what was said once can be read for ever."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from trunkline.contracts import generate
from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.cloudevents.envelope import Contract, decode, decode_structured, encode

TYPES = {contract.name: contract for contract in catalogue.ALL}
SAMPLES = sorted((generate.SHARED / generate.SAMPLES).glob("*.json"))


def sample_of(path: Path) -> tuple[Contract, dict[str, Any]]:
    sample = json.loads(path.read_bytes())
    return TYPES[sample["type"]], sample


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_then_it_comes_out_again_as_it_went_in(path: Path) -> None:
    """X7: decoding and encoding loses nothing and adds nothing."""
    contract, sample = sample_of(path)
    message = decode_structured(path.read_bytes(), TYPES)
    headers, value = encode(
        contract,
        id=message.id,
        source=message.source,
        subject=message.subject,
        time=message.time,
        sequence=message.sequence,
        correlation_id=message.correlation_id,
        causation_id=message.causation_id,
        data=message.data,
    )
    written = {name.removeprefix("ce_"): content.decode() for name, content in headers}
    written["datacontenttype"] = written.pop("content-type")
    sample.setdefault("dataschema", contract.schema_file)  # others need not name it, we do
    assert written | {"data": json.loads(value)} == sample
    assert decode(headers, value, TYPES) == message


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_then_its_published_schema_accepts_it(path: Path) -> None:
    """X7: the schema files tell the truth about the samples."""
    contract, sample = sample_of(path)
    text = (generate.SHARED / generate.SCHEMAS / contract.schema_file).read_text("utf-8")
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(
        sample["data"]
    )


def test_then_no_event_is_without_sample_and_schema() -> None:
    """X7: every contract has both, and every sample belongs to a contract."""
    assert generate.missing_samples(generate.SHARED) == []
    assert {sample_of(path)[0].name for path in SAMPLES} == set(TYPES)


@pytest.mark.parametrize("contract", catalogue.PUBLISHED, ids=lambda contract: contract.name)
def test_then_what_we_say_has_a_topic_of_its_name(contract: Contract) -> None:
    """X1: one topic for each public event, named exactly as the event."""
    assert contract.topic == contract.name
    assert contract.source in ("/trunkline/licensing", "/trunkline/numbers")
