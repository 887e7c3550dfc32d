"""What the tests of commands share: a running `trunkline up`, and commands typed where its home is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.shell import Shell, up


@pytest.fixture(scope="module")
def service(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`trunkline up`, once for all commands of a module."""
    urls = databases.create(), databases.create()
    with up(tmp_path_factory.mktemp("home"), *urls) as said:
        yield said
    for url in urls:
        databases.drop(url)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Commands typed where the service's home is, by its operator."""
    monkeypatch.setenv("TRUNKLINE_HOME", service["home"])
    monkeypatch.setenv("TRUNKLINE_URL", service["url"])
    return Shell(capsys)
