"""When the generated files are checked against the contracts (X7)."""

import json
import shutil
from pathlib import Path

import pytest

from trunkline.contracts import generate
from trunkline.contracts.catalogue.pages import BEGIN, DOCS

NUMBER_RESERVED = generate.SCHEMAS / "NumberReserved.v1.json"
ASYNCAPI = generate.CONTRACTS / "asyncapi.json"
PAGES = [DOCS / "consuming-events.md", DOCS / "billing-integration.md"]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A copy of the generated files and the samples, to be tampered with."""
    shared = tmp_path / "shared"
    for folder in (generate.SCHEMAS, generate.SAMPLES):
        shutil.copytree(generate.SHARED / folder, shared / folder)
    shutil.copy(generate.SHARED / ASYNCAPI, shared / ASYNCAPI)
    (tmp_path / "docs").mkdir()
    for page in PAGES:
        shutil.copy(generate.SHARED / page, shared / page)
    return shared


def test_then_the_checkout_agrees_with_its_contracts() -> None:
    """X7: no drift."""
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("path", [*PAGES, ASYNCAPI, NUMBER_RESERVED])
def test_then_a_tampered_file_is_named(shared: Path, capsys: pytest.CaptureFixture[str], path: Path) -> None:
    """X7: drift has a name and a bad exit code."""
    (shared / path).write_text("{}\n", "utf-8")
    assert generate.main(["--check"], shared) == 1
    assert capsys.readouterr().err == f"{path.as_posix().removeprefix('../')}: differs from the contracts\n"


@pytest.mark.parametrize("path", PAGES)
def test_then_only_the_generated_part_of_a_page_is_written(shared: Path, path: Path) -> None:
    """X7: what people write around it stays."""
    page = shared / path
    before, _, after = page.read_text("utf-8").partition(BEGIN)
    page.write_text(f"{before}mine\n{BEGIN}\nold{after}mine too\n", "utf-8")
    assert generate.main([], shared) == 0
    text = page.read_text("utf-8")
    assert "mine\n" in text
    assert text.endswith("mine too\n")
    assert "\nold" not in text
    assert generate.main(["--check"], shared) == 0


def test_then_missing_and_stray_files_are_named(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """X7: as many files as contracts, no more and no fewer."""
    (shared / NUMBER_RESERVED).unlink()
    (shared / generate.SCHEMAS / "Stray.v1.json").write_text("{}", "utf-8")
    (shared / generate.SAMPLES / "NumberAdded.v1.json").unlink()
    assert generate.main(["--check"], shared) == 1
    assert capsys.readouterr().err.splitlines() == [
        "trunkline/contracts/samples/NumberAdded.v1.json: is missing: write one by hand",
        "trunkline/contracts/schemas/NumberReserved.v1.json: is missing",
        "trunkline/contracts/schemas/Stray.v1.json: has no contract",
    ]


def test_then_generating_repairs_files_but_leaves_samples_alone(shared: Path) -> None:
    """X7: generated files are written anew, hand-written samples never."""
    mine = shared / generate.SAMPLES / "NumberAdded.v1.json"
    mine.write_text("mine", "utf-8")
    (shared / NUMBER_RESERVED).unlink()
    assert generate.main([], shared) == 0
    assert generate.main(["--check"], shared) == 0
    assert mine.read_text("utf-8") == "mine"


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--release"]])
def test_then_a_released_version_never_changes(
    shared: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """X7: a changed contract of a released version is refused, and nothing is written."""
    assert generate.main(["--release"], shared) == 0
    record = shared / generate.RELEASED
    hashes = json.loads(record.read_bytes())
    assert len(hashes) == len(list((shared / generate.SCHEMAS).glob("*.v1.json")))
    record.write_text(json.dumps(hashes | {NUMBER_RESERVED.name: "0" * 64}), "utf-8")
    before = record.read_bytes()
    assert generate.main(arguments, shared) == 1
    said = f"{NUMBER_RESERVED.as_posix()}: released versions never change: add v2"
    assert said in capsys.readouterr().err
    assert record.read_bytes() == before


def test_then_a_retired_version_stays_as_a_file(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """X7: a released schema may outlive its contract, but neither go nor change."""
    old = shared / generate.SCHEMAS / "NumberLent.v1.json"
    old.write_text("{}\n", "utf-8")
    record = shared / generate.RELEASED
    record.write_text(
        '{"NumberLent.v1.json":"ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"}',
        "utf-8",
    )
    assert generate.main(["--check"], shared) == 0
    old.unlink()
    assert generate.main(["--check"], shared) == 1
    assert "NumberLent.v1.json: released versions never change" in capsys.readouterr().err
