"""When the settings name a Kafka cluster."""

import logging
import ssl
from pathlib import Path

import pytest

from trunkline.messaging.kafka import KafkaSettings
from trunkline.settings import Settings


def test_unset_means_the_local_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings: no broker."""
    monkeypatch.delenv("TRUNKLINE_KAFKA_BOOTSTRAP", raising=False)
    assert KafkaSettings.of(Settings()) is None


def test_the_settings_become_the_clients_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings: brokers, protocol, mechanism, name and password; the password is in no `repr`."""
    for name, value in {
        "BOOTSTRAP": "a:9092,b:9092",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "USERNAME": "somebody",
        "PASSWORD": "s3cret",
    }.items():
        monkeypatch.setenv(f"TRUNKLINE_KAFKA_{name}", value)
    settings = KafkaSettings.of(Settings())
    assert settings is not None
    assert "s3cret" not in repr(settings)
    options = settings.options()
    assert options["bootstrap_servers"] == ["a:9092", "b:9092"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("somebody", "s3cret")
    assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


def test_a_file_of_certificates_is_the_only_trust(tmp_path: Path) -> None:
    """Settings: a file without certificates is an error, not a return to the system's trust."""
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(ssl.SSLError):
        KafkaSettings("a:9092", "SSL", ca_file=tmp_path / "ca.pem").options()


def test_the_clients_log_is_quiet_unless_somebody_asks_for_it() -> None:
    """A broker that is away for an hour is one line, not one for each try."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        KafkaSettings("a:9092").options()
        assert not logger.isEnabledFor(logging.ERROR)
        logger.setLevel(logging.DEBUG)
        KafkaSettings("a:9092").options()
        assert logger.isEnabledFor(logging.DEBUG)
    finally:
        logger.setLevel(before)
