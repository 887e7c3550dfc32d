"""When somebody who is about to install another release asks what changed of the public events (X7, O1)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.shell import Shell
from trunkline.contracts import generate
from trunkline.contracts.catalogue import catalogue

SCHEMAS = generate.SHARED / generate.SCHEMAS
RESERVED, STARTED = "NumberReserved.v1.json", "billing.subscription.started.v1.json"
SKU = "data(product=number).sku"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Commands typed where nothing runs."""
    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRUNKLINE_URL", "http://127.0.0.1:9")
    return Shell(capsys)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the schemas, as a consumer keeps it, with `released.json` among them."""
    return Path(shutil.copytree(SCHEMAS, tmp_path / "schemas"))


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a schema file."""
    schema = json.loads(file.read_text("utf-8"))
    change(schema)
    file.write_text(json.dumps(schema), "utf-8")


def without(schema: dict[str, Any], field: str) -> dict[str, Any]:
    """The same schema, which has lost a field."""
    schema["properties"].pop(field)
    schema["required"].remove(field)
    return schema


def test_then_a_copy_of_this_release_does_not_differ(shell: Shell, copy: Path) -> None:
    """X7: said plainly; a folder or a file, with the installed code or with each other; descriptions do not count."""
    every = f"No difference in {len(catalogue.ALL)} events.\n"
    assert shell.text("contract", "diff", str(copy)) == every
    edit(copy / RESERVED, lambda schema: schema.update(description="Another word for it."))
    assert shell.text("contract", "diff", str(copy), str(SCHEMAS)) == every
    assert shell.text("contract", "diff", str(copy / RESERVED)) == "No difference in 1 event.\n"
    assert shell.json("contract", "diff", str(copy)) == {"breaking": 0, "compatible": 0, "changes": []}


def test_then_what_breaks_ends_with_1_and_has_its_place(shell: Shell, copy: Path) -> None:
    """X7, O1: the old release's events against those of the new one; a table for people, a document for programs."""
    edit(copy / RESERVED, lambda schema: without(schema, "number")["properties"].update(colour={"type": "string"}))
    edit(copy / STARTED, lambda schema: schema["$defs"]["NumberStarted"]["required"].remove("sku"))
    (copy / "NumberDeleted.v1.json").unlink()
    done = shell("contract", "diff", str(copy))
    assert done.code == 1
    assert done.err == "2 of 4 changes break who reads or sends these events.\n"
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "event place what verdict"
    assert sorted(lines[2:]) == sorted(
        [
            "NumberDeleted.v1 – This event is new. compatible",
            "NumberReserved.v1 data.number It is new and required. compatible",
            "NumberReserved.v1 data.colour It is gone. breaking",
            f"billing.subscription.started.v1 {SKU} It is required now; it could be left out. breaking",
        ]
    )
    document = shell("contract", "diff", str(copy), "--json")
    assert (document.code, document.json["breaking"], document.json["compatible"]) == (1, 2, 2)
    assert document.json["changes"][-1] == {
        "event": "billing.subscription.started",
        "version": 1,
        "direction": "heard",
        "place": SKU,
        "what": "It is required now; it could be left out.",
        "verdict": "breaking",
    }


def test_then_what_only_grows_ends_with_0(shell: Shell, copy: Path) -> None:
    """X7: a new version beside the old one, and a field more, are changes that break nobody."""
    new = Path(shutil.copytree(copy, copy.parent / "new"))
    shutil.copy(new / RESERVED, new / "NumberReserved.v2.json")
    edit(new / STARTED, lambda schema: schema["$defs"]["NumberStarted"]["properties"].update(colour={"type": "string"}))
    grown = shell.json("contract", "diff", str(copy), str(new))
    assert (grown["breaking"], grown["compatible"]) == (0, 2)
    assert "This version is new, beside version 1." in shell.text("contract", "diff", str(copy), str(new))
    assert shell("contract", "diff", str(new), str(copy)).code == 1
    only = shell.json("contract", "diff", str(copy / RESERVED), str(new))["changes"]
    assert [change["event"] for change in only] == ["NumberReserved"]


def test_then_two_files_are_compared_whatever_their_versions_are(shell: Shell, copy: Path) -> None:
    """X7: who is to go from one version to the next sees what it takes; a copy may have any name, for $id says it."""
    mine, newer = copy / "mine.json", copy / "NumberReserved.v2.json"
    shutil.copy(copy / RESERVED, mine)
    shutil.copy(copy / RESERVED, newer)
    edit(newer, lambda schema: without(schema, "number"))
    done = shell("contract", "diff", str(mine), str(newer), "--json")
    assert done.code == 1
    assert [(c["version"], c["place"], c["verdict"]) for c in done.json["changes"]] == [(2, "data.number", "breaking")]


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("none", None, "none cannot be read: No such file or directory."),
        ("empty/readme.txt", b"", "empty holds no schemas: none of its files is named like NumberReserved.v1.json."),
        ("A.v1.json", b"{", "A.v1.json is no JSON: Input data was truncated."),
        ("A.v1.json", b"\xff{}", "A.v1.json is no JSON: JSON is malformed: invalid character (byte 0)."),
        ("A.v1.json", b'{"a": "\xff"}', "A.v1.json is no JSON: "),
        ("A.v1.json", b"[" * 9_000, "A.v1.json is no JSON: "),
        ("A.v1.json", b"[]", "A.v1.json is no JSON Schema: Expected `object`, got `array`."),
        ("A.v1.json", b'{"properties": {"a": {"required": 3}}}',
         "A.v1.json is no JSON Schema: Expected `array`, got `int` - at `$.properties[...].required`."),
        ("A.v1.json", b'{"type": "NumberReserved", "specversion": "1.0"}', "A.v1.json is no JSON Schema: Invalid enum"),
        ("mine.json", b"{}", "mine.json does not say which event it is about"),
        (STARTED, b"{}", "NumberReserved"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_then_what_is_no_schema_ends_with_2(
    shell: Shell, tmp_path: Path, name: str, body: bytes | None, told: str, first: bool
) -> None:
    """O1: one sentence that names what, where and why; nothing on stdout. As OLD and as NEW."""
    file = tmp_path / name
    if body is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(body)
    given = [str(file.parent if "/" in name else file), str(SCHEMAS / RESERVED)]
    done = shell("contract", "diff", *(given if first else given[::-1]))
    assert done.code == 2
    assert done.out == ""
    assert f"{given[0]}" in done.err
    assert told in done.err
    assert done.err.count("\n") == 1


def test_then_a_schema_that_is_nested_too_deep_ends_with_2(shell: Shell, tmp_path: Path) -> None:
    """O1: no traceback, whatever somebody wrote."""
    deep = '{"items":' * 600 + "{}" + "}" * 600
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "A.v1.json").write_text(deep, "utf-8")
    done = shell("contract", "diff", str(tmp_path / "old"), str(tmp_path / "new"))
    assert done.code == 2
    assert "nested too deep" in done.err


def test_then_the_events_of_this_release_are_listed_and_shown(shell: Shell) -> None:
    """X7: name, version, direction, topic and schema; the schema is the file's."""
    items = shell.json("contract", "list")["items"]
    assert len(items) == len(catalogue.ALL)
    assert items[0] == {
        "event": "billing.subscription.started",
        "version": 1,
        "direction": "heard",
        "topic": "BillingSubscriptionEvents",
        "schema": STARTED,
    }
    assert RESERVED in shell.text("contract", "list")
    on_file = json.loads((SCHEMAS / RESERVED).read_text("utf-8"))
    for name in ("NumberReserved", "NumberReserved.v1", RESERVED):
        assert shell.json("contract", "show", name) == on_file
    assert json.loads(shell.text("contract", "show", "NumberReserved")) == on_file
    unknown = shell("contract", "show", "NumberReserved.v9")
    assert unknown.code == 2
    assert (
        unknown.err == "There is no public event 'NumberReserved.v9'; trunkline contract list tells which there are.\n"
    )
