"""When code is moved or renamed: every name that others rely on stays (X7).

A name that is meant to change is accepted by `python -m tests.contracts.promised_names`, and said in CHANGELOG.md.
"""

from __future__ import annotations

import pytest

from tests.contracts.promised_names import FOLDER, promised

FILES = sorted(file.name for file in FOLDER.iterdir())


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return promised()


@pytest.mark.parametrize("file", FILES)
def test_then_what_is_promised_is_as_before(found: dict[str, str], file: str) -> None:
    """X7: refusals, events, topics, commands, options, metrics, settings, projections, HTTP operations."""
    assert found[file] == (FOLDER / file).read_text(encoding="utf-8")


def test_then_no_file_is_left_over(found: dict[str, str]) -> None:
    assert set(found) == set(FILES)
