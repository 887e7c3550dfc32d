"""The settings of a command that only speaks with running services, read without the models of all settings.

Building those takes longer than the command. Whatever is not plainly right is left to them: they say what is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from trunkline.settings_variables import PREFIX, SETTINGS, unknown_variables

_SWITCHES: Final = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_MOST_PORT: Final = 65_535
_MOST_HOURS: Final = 8_784


class Client(Protocol):
    """What a command needs to know to speak with running services; the names are those of `Settings`."""

    @property
    def http_host(self) -> str:
        """Where the services listen."""
        ...

    @property
    def http_port(self) -> int:
        """Where the services listen."""
        ...

    @property
    def allow_plain_http(self) -> bool:
        """Whether a token may go over http:// to another machine."""
        ...

    @property
    def token_hours(self) -> int:
        """How long a token of a person may hold."""
        ...

    @property
    def token_audience(self) -> str:
        """What tokens are made for."""
        ...

    @property
    def keys(self) -> Path:
        """The folder of the signing key."""
        ...


class ClientSettings(NamedTuple):
    """The settings of a client, each unset one as `Settings` has it."""

    home: Path = Path(".trunkline")
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    allow_plain_http: bool = False
    token_hours: int = 24
    token_audience: str = "trunkline"  # noqa: S105 - no password

    @property
    def keys(self) -> Path:
        """The folder of the signing key."""
        return self.home / "keys"


def client_settings(environment: Mapping[str, str] | None = None) -> ClientSettings | None:
    """Read them from the environment.

    Args:
        environment: variable -> value; None: the process's own.

    Returns:
        The settings; None where a variable is unknown or a value needs to be looked at by `load_settings`.
    """
    given = os.environ if environment is None else environment
    if unknown_variables(given, SETTINGS):
        return None
    values = {name.upper(): value for name, value in given.items() if value}
    port, hours = values.get(f"{PREFIX}HTTP_PORT", "8080"), values.get(f"{PREFIX}TOKEN_HOURS", "24")
    switch = values.get(f"{PREFIX}ALLOW_PLAIN_HTTP", "off")
    if not (_is_between(port, 0, _MOST_PORT) and _is_between(hours, 1, _MOST_HOURS) and switch in _SWITCHES):
        return None
    plain = ClientSettings()
    return ClientSettings(
        home=Path(values.get(f"{PREFIX}HOME", plain.home)),
        http_host=values.get(f"{PREFIX}HTTP_HOST", plain.http_host),
        http_port=int(port),
        allow_plain_http=_SWITCHES[switch],
        token_hours=int(hours),
        token_audience=values.get(f"{PREFIX}TOKEN_AUDIENCE", plain.token_audience),
    )


def _is_between(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most
