"""Settings: environment variables `TRUNKLINE_…`, and below them a TOML file with the same names in lower case.

Whoever reads a setting gets a value that was checked at the start. Secrets are `SecretStr`: they never reach a log,
an error or a `repr`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from trunkline.hosts import is_loopback
from trunkline.roles import PLATFORM, ROLES
from trunkline.settings_variables import PREFIX, nearest, unknown_variables

_BROKER: Final = r"(\[[0-9A-Fa-f:.]+(%\w+)?\]|[^\s,:\[\]]+):\d{1,5}"
"""One broker's address; brackets around an IPv6 one."""


class SettingsError(Exception):
    """A setting cannot be used; the message names it, what it got and what it takes, one sentence for each."""


def _database(url: SecretStr) -> SecretStr:
    import psycopg  # only here: a command that asks a running service needs no driver, and ends an eighth sooner
    from psycopg.conninfo import conninfo_to_dict

    text = url.get_secret_value()
    try:
        conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        raise ValueError from None  # psycopg's own message repeats the URL
    return url


def _smtp(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname:
        raise ValueError
    _ = parts.port  # raises ValueError where it is none
    if parts.password and parts.scheme == "smtp" and not is_loopback(parts.hostname):
        raise ValueError  # a password never follows a plain connection to another machine
    return url


def _words(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _sender(text: str) -> str:
    from trunkline.email_address import header_address  # only here: as above

    header_address(text)  # raises ValueError
    return text


class ClaimNames(BaseModel, frozen=True, extra="forbid"):
    """Which claims of an issuer's tokens say who somebody is; a dot leads into an object (`realm_access.roles`)."""

    role: str = "role"
    party: str = "party"
    identity: str | None = None
    scope: str = "scope"
    sources: str = "sources"


class Issuer(BaseModel, frozen=True, extra="forbid"):
    """Somebody else whose tokens are trusted, and how far.

    Attributes:
        issuer: what its tokens say in `iss`.
        jwks_url: where its public keys are.
        audience: what its tokens must be made for; None: `TRUNKLINE_TOKEN_AUDIENCE`.
        roles: the roles that its tokens may have; none: any.
        parties: the parties that they may belong to, `platform` for none; none: any.
        sources: the sources that they may name for events; none: any but the platform's.
        claims: the names of its claims.
        role_names: what it calls a role -> the role.
    """

    issuer: str
    jwks_url: str
    audience: str | None = None
    roles: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    claims: ClaimNames = ClaimNames()
    role_names: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("roles")
    @classmethod
    def _roles(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        if not set(roles) <= set(ROLES):
            raise ValueError
        return roles

    @field_validator("role_names")
    @classmethod
    def _role_names(cls, names: Mapping[str, str]) -> Mapping[str, str]:
        if not set(names.values()) <= set(ROLES):
            raise ValueError
        return names

    @field_validator("parties")
    @classmethod
    def _parties(cls, parties: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(party if party == PLATFORM else str(UUID(party)) for party in parties)


class AddonSetting(BaseModel, frozen=True):
    """A further add-on license (L21): its code, its name, and the add-ons it needs: one out of each group."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    name: str = Field(min_length=1, max_length=64)
    needs: tuple[tuple[str, ...], ...] = ()


def _addons(value: Any) -> Any:
    if isinstance(value, str):
        value = [line for line in value.split(";") if line.strip()]
    return tuple(_addon(line) if isinstance(line, str) else line for line in value)


def _addon(line: str) -> AddonSetting:
    code, sign, rest = line.partition("=")
    name, _, needs = rest.partition(" needs ")
    if not sign:
        raise ValueError
    groups = tuple(tuple(c.strip() for c in group.split("|")) for group in needs.split(" and ") if group.strip())
    return AddonSetting(code=code.strip(), name=name.strip(), needs=groups)


def _issuers(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    return tuple(_issuer(word) if isinstance(word, str) else _with_keys(word) for word in _words(value))


def _issuer(word: str) -> Any:
    issuer, _, keys = word.partition("=")
    return _with_keys({"issuer": issuer} | ({"jwks_url": keys} if keys else {}))


def _with_keys(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    issuer = given.get("issuer", "")
    keys = given.get("jwks_url") or f"{issuer.rstrip('/')}/.well-known/jwks.json"
    for url in (issuer, keys):
        if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
            raise ValueError
    return {**given, "jwks_url": keys}


Database = Annotated[
    SecretStr | None, AfterValidator(lambda v: v and _database(v)), Field(description="a PostgreSQL URL")
]


class Settings(BaseSettings):
    """Everything that may differ from one deployment to the next. Descriptions say what each takes."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(default=Path(".trunkline"), description="a folder: embedded database, mailbox, keys")
    licensing_database_url: Database = None
    numbers_database_url: Database = None
    kafka_bootstrap: str | None = Field(
        default=None,
        pattern=rf"^\s*{_BROKER}\s*(,\s*{_BROKER}\s*)*$",
        description="brokers as host:port or [IPv6]:port, with commas between",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_username: str | None = Field(default=None, description="a user's name")
    kafka_password: SecretStr | None = Field(default=None, description="a password")
    kafka_ca_file: Path | None = Field(default=None, description="a file of PEM certificates")
    topic_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]{0,100}$",
        description="what stands before each topic and group: letters, digits, dots, dashes, underscores",
    )
    http_host: str = Field(default="127.0.0.1", min_length=1, description="a host name or address to listen on")
    http_port: int = Field(default=8080, ge=0, le=65535, description="a port from 0 (any free one) to 65535")
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="a port from 0 (any free one) to 65535, for /metrics alone"
    )
    allow_plain_http: bool = Field(
        default=False, description="on or off: whether commands send their token over http:// to other machines"
    )
    smtp_url: Annotated[SecretStr | None, AfterValidator(lambda v: v and _smtp(v))] = Field(
        default=None,
        description="smtps://, smtp+starttls:// or smtp:// (plain), with user:password@ where needed, host and port; "
        "a password needs smtps:// or smtp+starttls:// unless the host is this machine",
    )
    mail_from: Annotated[str, AfterValidator(_sender)] = Field(
        default="Trunkline <trunkline@localhost>", description="the sender's e-mail address"
    )
    token_issuers: Annotated[tuple[Issuer, ...], NoDecode, BeforeValidator(_issuers)] = Field(
        default=(),
        description="issuer URLs with spaces between, each `ISSUER` or `ISSUER=URL-OF-ITS-JWKS`, "
        "or a list of tables with issuer, jwks_url, audience, roles, parties, sources, claims and role_names",
    )
    token_audience: str = Field(
        default="trunkline", min_length=1, description="the audience that tokens must be made for"
    )
    requests_per_second: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="requests that one principal may send a second, from 1 to 1000000",
    )
    open_streams: int = Field(
        default=32, ge=1, le=10_000, description="streams and files that one principal may have open, from 1 to 10000"
    )
    retention_days: int = Field(
        default=365, ge=30, le=36_500, description="days that sent mail and settled messages are kept, from 30 to 36500"
    )
    token_hours: int = Field(
        default=24, ge=1, le=8_784, description="hours that a token of a person may hold, from 1 to 8784"
    )
    machine_token_days: int = Field(
        default=90, ge=1, le=3_660, description="days that a token of a machine may hold, from 1 to 3660"
    )
    billing_sources: Annotated[frozenset[str], NoDecode, BeforeValidator(_words)] = Field(
        default=frozenset(), description="the sources of the platform's own billing events, with spaces between"
    )
    addons: Annotated[tuple[AddonSetting, ...], NoDecode, BeforeValidator(_addons)] = Field(
        default=(),
        description="further add-on licenses with semicolons between, each `CODE=NAME` or "
        "`CODE=NAME needs CODE|CODE and CODE`",
    )
    range_limit: int = Field(
        default=10_000, ge=1, le=100_000, description="how many numbers one range may have, from 1 to 100000"
    )
    upload_limit: int = Field(
        default=250_000, ge=1, le=1_000_000, description="how many rows one upload may have, from 1 to 1000000"
    )
    clock_tolerance: int = Field(
        default=60, ge=0, le=3_600, description="seconds that the clock of billing may be ahead, from 0 to 3600"
    )
    binding_timeout: int = Field(
        default=60, ge=1, le=86_400, description="seconds for the answer to a request for a number, from 1 to 86400"
    )
    sandbox: bool = Field(default=False, description="on or off")
    otlp_endpoint: str | None = Field(
        default=None, pattern=r"^https?://[^/\s]+", description="an http:// or https:// URL"
    )

    def database_url(self, service: str) -> SecretStr | None:
        """The database of a service (`licensing`, `numbers`); None: embedded under the home."""
        found: SecretStr | None = getattr(self, f"{service}_database_url")
        return found

    @property
    def keys(self) -> Path:
        """The folder of the signing key."""
        return self.home / "keys"


def load_settings(config: Path | None = None) -> Settings:
    """Read the settings: the environment first, then the file, then what unset means.

    Args:
        config: a TOML file (`--config`); its keys are the variables without `TRUNKLINE_`, in lower case.

    Raises:
        SettingsError: naming each setting that is wrong, what it got (never a secret) and what it takes.
    """
    file = None if config is None else _read_file(config)
    if unknown := unknown_variables(os.environ, Settings.model_fields):
        raise SettingsError("\n".join(unknown))

    class WithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (env_settings,) if file is None else (env_settings, file)

    try:
        settings = WithFile()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error, {} if file is None else file.toml_data, config))) from None
    _check_together(settings)
    return settings


def _read_file(config: Path) -> TomlConfigSettingsSource:
    try:
        config.open("rb").close()  # the source takes a file that does not exist for an empty one
        file = TomlConfigSettingsSource(Settings, config)
    except OSError as error:
        raise SettingsError(f"--config {config} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The message of the parser gives the place and never the line itself.
        raise SettingsError(f"--config {config} is not TOML: {error}.") from None
    if unknown := sorted(set(file.toml_data) - set(Settings.model_fields)):
        known = sorted(Settings.model_fields)
        near = nearest(unknown[0], known)
        instead = f"did you mean {near}?" if near is not None else f"there are {', '.join(known)}."
        raise SettingsError(f"--config {config} has {', '.join(unknown)}, which is no setting; {instead}")
    return file


def _sentences(error: ValidationError, given: Mapping[str, Any], config: Path | None) -> list[str]:
    environment = EnvSettingsSource(Settings)
    sentences: dict[str, str] = {}
    for wrong in error.errors(include_url=False):
        name = str(wrong["loc"][0])
        field = Settings.model_fields[name]
        value, _, _ = environment.get_field_value(field, name)
        where = f"{PREFIX}{name.upper()}"
        if value is None:
            where, value = f"{name} in {config}", given.get(name)
        got = "is not usable (its value is not shown)" if "Secret" in str(field.annotation) else f"is {value!r}"
        sentences[name] = f"{where} {got}; it takes {field.description}."
    return list(sentences.values())


def _check_together(settings: Settings) -> None:
    """What each setting alone cannot tell."""
    sasl = settings.kafka_security_protocol.startswith("SASL_")
    for name in ("kafka_sasl_mechanism", "kafka_username", "kafka_password"):
        if sasl and getattr(settings, name) is None:
            raise SettingsError(
                f"{PREFIX}{name.upper()} is not set; {PREFIX}KAFKA_SECURITY_PROTOCOL is "
                f"{settings.kafka_security_protocol!r}, which needs it."
            )
    if settings.kafka_ca_file is not None and not settings.kafka_ca_file.is_file():
        raise SettingsError(
            f"{PREFIX}KAFKA_CA_FILE is {str(settings.kafka_ca_file)!r}, where there is no file; "
            f"it takes {Settings.model_fields['kafka_ca_file'].description}."
        )
    if settings.metrics_port and settings.metrics_port == settings.http_port:
        raise SettingsError(
            f"{PREFIX}METRICS_PORT and {PREFIX}HTTP_PORT are both {settings.http_port}; "
            "set, /metrics takes a port of its own."
        )
    if settings.licensing_database_url and settings.licensing_database_url == settings.numbers_database_url:
        raise SettingsError(
            f"{PREFIX}LICENSING_DATABASE_URL and {PREFIX}NUMBERS_DATABASE_URL are the same; "
            "each service takes a database of its own."
        )
