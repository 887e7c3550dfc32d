"""When containers are put together and watched: the names in deploy/ are names that the product knows."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from trunkline import telemetry
from trunkline.http import app
from trunkline.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "trunkline"}
OF_THE_COMMAND_LINE = {"TRUNKLINE_URL", "TRUNKLINE_TOKEN"}


def programs() -> set[str]:
    rooms = ("shared", "services/licensing", "services/numbers")
    files = [tomllib.loads((ROOT / room / "pyproject.toml").read_text(encoding="utf-8")) for room in rooms]
    return {name for file in files for name in file["project"]["scripts"]}


def settings_known() -> set[str]:
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(OURS))
def test_then_every_variable_is_a_setting(name: str) -> None:
    """A name that is spelled wrong would be ignored in silence."""
    given = {key for key in OURS[name]["environment"] if key.startswith(PREFIX)}
    assert given <= settings_known() | OF_THE_COMMAND_LINE


def test_then_every_variable_of_the_image_is_a_setting() -> None:
    """The same for those that are set in the image itself."""
    given = set(re.findall(rf"\b({PREFIX}[A-Z_]+)=", DOCKERFILE))
    assert given
    assert given <= settings_known()


@pytest.mark.parametrize("name", sorted(OURS))
def test_then_the_settings_are_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values as they stand start a service, what is left empty included."""
    for key, value in OURS[name]["environment"].items():
        filled = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:\?[^}]*\}", "secret", filled))
    settings = load_settings()
    assert settings.kafka_bootstrap == "kafka:9092"
    assert {settings.database_url("licensing"), settings.database_url("numbers")}.isdisjoint({None})


def test_then_the_commands_are_installed() -> None:
    """What the containers start is what the distributions bring."""
    started = {service["command"][0] for service in OURS.values() if "command" in service}
    assert {"trunkline", "trunkline-licensing", "trunkline-numbers"} == started
    assert started <= programs()


def test_then_a_service_begins_after_its_ground_is_laid() -> None:
    """Databases and topics come first; readiness is what is asked for."""
    for name in ("licensing", "numbers"):
        assert {"migrate", "topics"} == OURS[name]["depends_on"].keys()
        assert "/readyz" in OURS[name]["healthcheck"]["test"][-1]


def test_then_no_secret_is_written_down() -> None:
    """Passwords come from outside, and without one nothing starts."""
    told = [env for s in COMPOSE["services"].values() for key, env in s["environment"].items() if "PASSWORD" in key]
    assert told
    assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in told)


def test_then_the_image_does_not_run_as_root() -> None:
    """The last word about the user is not root's."""
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1:] == ["trunkline"]


def test_then_files_that_are_mounted_exist() -> None:
    """A file that is missing would be mounted as a folder."""
    mounted = [v.split(":")[0] for s in COMPOSE["services"].values() for v in s.get("volumes", ()) if v.startswith(".")]
    assert mounted
    assert all((DEPLOY / path).is_file() for path in mounted)


def test_then_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """A name that is spelled wrong would be an empty panel."""
    found = [value for module in (telemetry, app) for value in vars(module).values()]
    counted = {metric.describe()[0].name for metric in found if isinstance(metric, MetricWrapperBase)}
    shown = (DEPLOY / "grafana" / "trunkline.json").read_text(encoding="utf-8")
    asked = set(re.findall(r"\btrunkline_\w+", shown))
    assert {re.sub(r"_(total|bucket)$", "", name) for name in asked} == counted
    targets = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = targets["scrape_configs"]
    assert {target.split(":")[0] for c in job["static_configs"] for target in c["targets"]} == {"licensing", "numbers"}


def test_then_the_image_has_what_the_product_asks_for_and_no_tests() -> None:
    """The lock's part for the product: all it depends on, and nothing for tests and checks."""
    part_of = runpy.run_path(str(DEPLOY / "product_lock.py"))["part_of"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    kept = set(re.findall(r"^([A-Za-z0-9._-]+)==", part_of(lock), re.MULTILINE))
    asked = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {re.split(r"[^A-Za-z0-9._-]", name)[0] for name in asked} <= kept
    assert kept.isdisjoint({"pytest", "ruff", "mypy", "hypothesis", "setuptools"})
    assert part_of(lock).count("--hash=sha256:") > len(kept)
