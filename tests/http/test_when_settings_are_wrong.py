"""When a setting cannot be used: the start is refused with the variable, what it got and what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.settings import SettingsError, load_settings


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
    config.write_text('http_port = 1\nsandbox = true\nsmtp_url = "smtp://u:hunter2@h"\n', encoding="utf-8")
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
