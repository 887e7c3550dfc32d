"""Environment variables that begin like a setting and are none: refused by name, with the nearest setting.

A misspelt variable would leave its setting as if unset, in silence. Kubernetes sets variables of its own for a service
that is named like this program; these are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Final

PREFIX: Final = "TRUNKLINE_"
CLIENT: Final = ("URL", "TOKEN")
"""Read by the command line only, as the variables behind `--url` and `--token`."""
SETTINGS: Final = frozenset(
    {
        "addons",
        "allow_plain_http",
        "billing_sources",
        "binding_timeout",
        "clock_tolerance",
        "home",
        "http_host",
        "http_port",
        "kafka_bootstrap",
        "kafka_ca_file",
        "kafka_password",
        "kafka_sasl_mechanism",
        "kafka_security_protocol",
        "kafka_username",
        "licensing_database_url",
        "machine_token_days",
        "mail_from",
        "metrics_port",
        "numbers_database_url",
        "open_streams",
        "otlp_endpoint",
        "range_limit",
        "requests_per_second",
        "retention_days",
        "sandbox",
        "smtp_url",
        "token_audience",
        "token_hours",
        "token_issuers",
        "topic_prefix",
        "upload_limit",
    }
)
"""The names of all settings, for who has no need of their models; a test holds them against these."""
_TESTS: Final = "TRUNKLINE_TEST_"
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?$")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; None: none is."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown_variables(environment: Mapping[str, str], fields: Collection[str]) -> list[str]:
    """A sentence for each variable that begins like a setting and is none.

    Args:
        environment: of the process.
        fields: the names of the settings, in lower case.
    """
    known = {f"{PREFIX}{name.upper()}" for name in (*fields, *CLIENT)}
    wrong = sorted(
        name
        for name, value in environment.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_foreign(name.upper(), value)
    )
    return [_sentence(name, known) for name in wrong]


def _is_foreign(name: str, value: str) -> bool:
    if name.startswith(_TESTS) or _SERVICE_LINK.search(name) is not None:
        return True
    return name.endswith("_PORT") and value.startswith(("tcp://", "udp://", "sctp://"))


def _sentence(name: str, known: Collection[str]) -> str:
    near = nearest(name.upper().removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in sorted(known)])
    instead = f"did you mean {PREFIX}{near}?" if near is not None else f"there are {', '.join(sorted(known))}."
    return f"{name} is no setting; {instead}"
