"""When the public events of two releases are compared: which came, which went, and which direction they have (X7)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.compatibility.releases import Version, differing, schemas_of, version_of

TEXT: dict[str, Any] = {"type": "string"}
NULLABLE: dict[str, Any] = {"type": ["string", "null"]}
INSTALLED = schemas_of(catalogue.ALL)


def test_then_events_and_versions_that_come_are_compatible_and_those_that_go_break() -> None:
    """X7: a new version stands beside the old one; an old one that is gone breaks."""
    old = {Version("A", 1): TEXT, Version("B", 1): TEXT, Version("C", 1): TEXT, Version("D", 1): TEXT}
    new = {
        Version("A", 1): TEXT,
        Version("A", 2): NULLABLE,
        Version("B", 2): TEXT,
        Version("D", 1): TEXT,
        Version("E", 1): TEXT,
    }
    found = [(str(f.version), f.change.what, f.change.verdict) for f in differing(old, new, catalogue.ALL)]
    assert found == [
        ("A.v2", "This version is new, beside version 1.", "compatible"),
        ("B.v1", "This version is gone; there is version 2.", "breaking"),
        ("B.v2", "This version is new, beside version 1.", "compatible"),
        ("C.v1", "This event is gone.", "breaking"),
        ("E.v1", "This event is new.", "compatible"),
    ]


@pytest.mark.parametrize(
    ("name", "direction"), [("NumberReserved", "said"), ("party.partner.changed", "heard"), ("Unknown", None)]
)
def test_then_the_installed_code_says_which_direction_an_event_has(name: str, direction: str | None) -> None:
    """X7: where it does not know the event, a change that breaks either way breaks."""
    version = Version(name, 1)
    (there,) = differing({version: TEXT}, {version: NULLABLE}, catalogue.ALL)
    (back,) = differing({version: NULLABLE}, {version: TEXT}, catalogue.ALL)
    assert (there.direction, back.direction) == (direction, direction)
    assert (there.change.verdict == "breaking") == (direction != "heard")
    assert (back.change.verdict == "breaking") == (direction != "said")


def test_then_the_installed_contracts_do_not_differ_from_themselves() -> None:
    """X7: no public event differs from its own schema."""
    assert differing(INSTALLED, deepcopy(INSTALLED), catalogue.ALL) == []
    assert len(INSTALLED) == len(catalogue.ALL)


@pytest.mark.parametrize(
    "name", ["released.json", "NumberReserved.json", "NumberReserved.v0.json", ".v1.json", "A.v1.json.bak"]
)
def test_then_other_files_are_no_schemas(name: str) -> None:
    """X7: a schema file carries its version in its name."""
    assert version_of(name) is None
    assert version_of("a.b.v12.json") == Version("a.b", 12)
