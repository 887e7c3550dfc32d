"""When a setting cannot be used: the start is refused with the variable, what it got and what it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from trunkline.application import bring_up_to_date
from trunkline.eventstore.schema import MigrationError
from trunkline.settings import Settings, SettingsError, load_settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.wiring import service as numbers


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith("TRUNKLINE_") and not n.startswith("TRUNKLINE_TEST_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("HTTP_PORT", "99999", "a port"),
        ("HTTP_PORT", "eighty", "a port"),
        ("SANDBOX", "maybe", "on or off"),
        ("KAFKA_BOOTSTRAP", "localhost", "host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "SASL_SSL"),
        ("TOKEN_ISSUERS", "issuer.example", "issuer URLs"),
        ("OTLP_ENDPOINT", "collector:4317", "http://"),
        ("MAIL_FROM", "nobody", "e-mail"),
    ],
)
def test_then_the_sentence_names_variable_value_and_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, takes: str
) -> None:
    """Settings: each says what it takes."""
    monkeypatch.setenv(f"TRUNKLINE_{name}", value)
    with pytest.raises(SettingsError) as told:
        load_settings()
    assert f"TRUNKLINE_{name} is '{value}'" in str(told.value)
    assert takes in str(told.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "http://user:hunter2@mail.example"),
        ("SMTP_URL", "smtp://user:hunter2@mail.example:port"),
        ("LICENSING_DATABASE_URL", "postgresql://u:hunter2@h/db?nonsense=1"),
        ("NUMBERS_DATABASE_URL", "hunter2 hunter2"),
    ],
)
def test_then_no_secret_is_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Settings: secrets never reach a log."""
    monkeypatch.setenv(f"TRUNKLINE_{name}", value)
    with pytest.raises(SettingsError) as told:
        load_settings()
    assert f"TRUNKLINE_{name}" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_then_several_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """§9: each in one sentence."""
    monkeypatch.setenv("TRUNKLINE_HTTP_PORT", "-1")
    monkeypatch.setenv("TRUNKLINE_SANDBOX", "x")
    with pytest.raises(SettingsError) as told:
        load_settings()
    assert len(str(told.value).splitlines()) == 2


def test_then_what_only_together_is_wrong_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL needs its three; two services need two databases."""
    monkeypatch.setenv("TRUNKLINE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError, match="TRUNKLINE_KAFKA_SASL_MECHANISM is not set"):
        load_settings()
    monkeypatch.delenv("TRUNKLINE_KAFKA_SECURITY_PROTOCOL")
    for service in ("LICENSING", "NUMBERS"):
        monkeypatch.setenv(f"TRUNKLINE_{service}_DATABASE_URL", "postgresql://u:hunter2@h/db")
    with pytest.raises(SettingsError, match="are the same") as told:
        load_settings()
    assert "hunter2" not in str(told.value)


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--config FILE.toml`."""
    config = tmp_path / "trunkline.toml"
    config.write_text('http_port = 1\nsandbox = true\nsmtp_url = "smtps://u:hunter2@h"\n', encoding="utf-8")
    monkeypatch.setenv("TRUNKLINE_HTTP_PORT", "2")
    settings = load_settings(config)
    assert (settings.http_port, settings.sandbox) == (2, True)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('http_port = "x"', "http_port in"),
        ("http_prt = 1", "http_prt, which is no setting"),
        ("http_port = ", "is not TOML"),
        ('smtp_url = "hunter2"', "smtp_url in"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    """§9: what, where and why."""
    config = tmp_path / "trunkline.toml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(config)
    assert told in str(error.value)
    assert "hunter2" not in str(error.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TRUNKLINE_HTTP_PROT", "TRUNKLINE_HTTP_PORT"),
        ("TRUNKLINE_KAFKA_BOOTSTRAP_SERVERS", "TRUNKLINE_KAFKA_BOOTSTRAP"),
        ("TRUNKLINE_NUMBER_DATABASE_URL", "TRUNKLINE_NUMBERS_DATABASE_URL"),
        ("trunkline_sandboxx", "TRUNKLINE_SANDBOX"),
        ("TRUNKLINE_TOKEN_ISSUER", "TRUNKLINE_TOKEN_ISSUERS"),
        ("TRUNKLINE_PORT", "TRUNKLINE_HTTP_PORT"),
    ],
)
def test_then_a_misspelt_variable_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """Settings, §9: it would leave its setting unset in silence; its value may be a secret and is not repeated."""
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(SettingsError) as told:
        load_settings()
    assert str(told.value) == f"{name} is no setting; did you mean {meant}?"


def test_then_a_variable_like_no_setting_is_refused_with_all_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, §9: and several wrong ones are named at once."""
    monkeypatch.setenv("TRUNKLINE_QQQQQQ", "1")
    monkeypatch.setenv("TRUNKLINE_HOMES", "1")
    with pytest.raises(SettingsError) as told:
        load_settings()
    first, second = str(told.value).splitlines()
    assert first == "TRUNKLINE_HOMES is no setting; did you mean TRUNKLINE_HOME?"
    assert all(f"TRUNKLINE_{field.upper()}" in second for field in Settings.model_fields)


def test_then_variables_of_the_command_line_tests_and_service_links_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings: Kubernetes sets such variables by itself for a service that is named like this program."""
    for name, value in (
        ("TRUNKLINE_URL", "http://127.0.0.1:8080"),
        ("TRUNKLINE_TOKEN", "t"),
        ("TRUNKLINE_TEST_ANYTHING", "1"),
        ("TRUNKLINE_NUMBERS_SERVICE_HOST", "10.0.0.1"),
        ("TRUNKLINE_NUMBERS_SERVICE_PORT_HTTP", "8080"),
        ("TRUNKLINE_NUMBERS_PORT", "tcp://10.0.0.1:8080"),
        ("TRUNKLINE_NUMBERS_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
    assert load_settings().http_port == 8080


def test_then_a_misspelt_key_of_the_file_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    """Settings, §9: as a variable is."""
    file = tmp_path / "settings.toml"
    file.write_text("http_prot = 1\n")
    with pytest.raises(SettingsError, match="http_prot, which is no setting; did you mean http_port"):
        load_settings(file)


def test_then_the_file_of_the_page_about_settings_can_be_used(tmp_path: Path) -> None:
    """O1, P1: as docs/settings.md shows it."""
    page = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "trunkline.toml").write_text(example, encoding="utf-8")
    [issuer] = load_settings(tmp_path / "trunkline.toml").token_issuers
    assert issuer.jwks_url == "https://login.partner.example/.well-known/jwks.json"
    assert issuer.role_names["Staff"] == "member"


def test_then_another_services_database_is_refused_by_name(new_database: Callable[..., str]) -> None:
    """Settings, §9: with the setting to change, and nothing is changed there."""
    url = new_database()
    assert bring_up_to_date(url, licensing())
    with pytest.raises(MigrationError) as told:
        bring_up_to_date(url, numbers())
    assert "the database of numbers is that of the service licensing (it has 1010_bulk" in str(told.value)
    assert "let TRUNKLINE_NUMBERS_DATABASE_URL name a database of its own" in str(told.value)
    assert bring_up_to_date(url, licensing()) == []
