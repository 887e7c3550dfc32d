"""When tests and developers choose servers: containers where a Docker engine answers, else programs of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local_servers import containers
from deploy.local_servers.broker import LocalBroker
from deploy.local_servers.servers import VARIABLE, BrokerUnavailable, Servers, choose, new_broker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The Docker engine is said to be where nothing listens."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")


@pytest.mark.usefixtures("no_engine")
def test_then_without_docker_it_is_the_jdk() -> None:
    servers = choose({})
    assert servers.kind == "local"
    assert "no Docker engine answers" in str(servers)


@pytest.mark.usefixtures("no_engine")
def test_then_containers_without_docker_are_a_failure() -> None:
    with pytest.raises(BrokerUnavailable, match=f"{VARIABLE}=containers, and no Docker engine answers"):
        choose({VARIABLE: "containers"})


def test_then_docker_that_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "engine_version", lambda: "20.10")
    for environ in ({}, {VARIABLE: "containers"}):
        servers = choose(environ)
        assert servers.kind == "containers"
        assert re.search(r"apache/kafka:[\d.]+, postgres:\d+; Docker 20.10 answers", str(servers))
    assert choose({VARIABLE: "local"}).kind == "local"


def test_then_another_kind_is_refused() -> None:
    with pytest.raises(BrokerUnavailable, match="is 'podman'; it takes containers or local"):
        choose({VARIABLE: "podman"})


def test_then_the_broker_is_of_that_kind(tmp_path: Path) -> None:
    broker = new_broker(Servers("local", "for this test"), tmp_path / "broker", tmp_path)
    assert isinstance(broker, LocalBroker)
    assert broker.pid is None


@pytest.mark.parametrize(
    ("options", "environment", "line"),
    [
        ([], {VARIABLE: "local"}, r"^servers: local \(.*says so\)$"),
        (["-q"], {VARIABLE: "local"}, r"\Aservers: local \(.*says so\)$"),
        (["-q"], {}, r"\Aservers: local \(.*no Docker engine answers\)$"),
        (
            ["-q"],
            {VARIABLE: "local", "TRUNKLINE_TEST_KAFKA": "x:1"},
            r"\Aservers: given by TRUNKLINE_TEST_KAFKA, local",
        ),
        ([], {VARIABLE: "containers"}, r"^ERROR: .*no Docker engine answers"),
    ],
)
def test_then_a_run_of_tests_names_them_first(
    options: list[str], environment: dict[str, str], line: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", "--collect-only"]
    said = subprocess.run(
        [*command, "tests/files/test_text.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin", "DOCKER_HOST": f"unix://{tmp_path}/nobody", **environment},
        check=False,
    )
    assert re.search(line, said.stdout + said.stderr, re.MULTILINE), said.stdout + said.stderr
    assert (said.returncode == 0) == (environment.get(VARIABLE) != "containers")
