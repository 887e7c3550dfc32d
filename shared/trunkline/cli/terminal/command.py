"""What every command has in common: the options it takes everywhere, and how it ends.

A command is a function whose first parameter is the `CommandContext`. `verb` adds `--json` and `--config`, and `--url`
and `--token` where it speaks with a running service, and turns what it raises into a sentence and an exit code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from trunkline.cli.client.named_parties import Named
from trunkline.cli.terminal.exit_codes import Ended, Misused
from trunkline.cli.terminal.light_command import LightCommand

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trunkline.cli.client.api_client import ApiClient
    from trunkline.cli.client.client_settings import Client
    from trunkline.settings import Settings

P = ParamSpec("P")
Command = Callable[Concatenate["CommandContext", P], None]

_PANEL = "Everywhere"
_LOCAL: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=_PANEL)],
    "config": Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings in TOML; the environment goes before.",
                     rich_help_panel=_PANEL),
    ],
}  # fmt: skip
_REMOTE: dict[str, Any] = _LOCAL | {
    "url": Annotated[
        str | None,
        typer.Option("--url", metavar="URL", envvar="TRUNKLINE_URL", rich_help_panel=_PANEL,
                     help="Where the services answer, or `licensing=URL,numbers=URL`; else as the settings say."),
    ],
    "token": Annotated[
        str | None,
        typer.Option("--token", metavar="JWT", envvar="TRUNKLINE_TOKEN", rich_help_panel=_PANEL,
                     help="Who asks; else the operator, by the home's own signing key."),
    ],
}  # fmt: skip


_DRY = "Nothing was done. It would be so:"


class CommandContext:
    """One command being carried out: its settings, the service it speaks with, and how it tells its result."""

    def __init__(
        self, *, as_json: bool = False, config: Path | None = None, url: str | None = None, token: str | None = None
    ) -> None:
        """Keep what was given; nothing is read or reached before it is asked for."""
        self.as_json = as_json
        self.has_told = False
        self.given: dict[str, Any] = {}
        """What was typed: option or argument -> value."""
        self._config = config
        self._url = url
        self._token = token
        self._settings: Settings | None = None
        self._remote: ApiClient | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the environment and of `--config`.

        Raises:
            Misused: naming each one that is wrong.
        """
        if self._settings is None:
            from trunkline.settings import SettingsError, load_settings

            try:
                self._settings = load_settings(self._config)
            except SettingsError as error:
                raise Misused(str(error)) from None
        return self._settings

    @property
    def _client(self) -> Client:
        from trunkline.cli.client.client_settings import client_settings

        light = client_settings() if self._config is None and self._settings is None else None
        return self.settings if light is None else light

    @property
    def remote(self) -> ApiClient:
        """The running services, spoken with as whoever asks."""
        if self._remote is None:
            from trunkline.cli.client.api_client import ApiClient, addresses, check_private, operator_token

            settings = self._client
            urls = addresses(self._url, settings)
            check_private(urls, settings)
            token = self._token or operator_token(settings)
            self._remote = ApiClient(urls, token, self.given)
        return self._remote

    def present(self, document: Any, *shown: Callable[[], RenderableType], widest: int | None = None) -> None:
        """Say the result; after a dry run people are told that it is none.

        Args:
            document: what `--json` prints.
            shown: make what people see instead; called only for them.
            widest: no wider than this, however wide the terminal is.
        """
        from trunkline.cli.terminal import output

        self.has_told = True
        if self.as_json:
            output.print_json(document)
        else:
            if self._remote is not None:
                output.set_present_instant(self._remote.now)
            head = (_DRY,) if self._remote is not None and self._remote.dry else ()
            output.print_shown(*head, *(make() for make in shown), widest=widest)

    def announce(self, what: str) -> None:
        """Tell people what is done now and may take more than a second."""
        from trunkline.cli.terminal.output import announce

        announce(what, silent=self.as_json)

    def finish(self, ended: Ended | None = None) -> None:
        """Close what is open; say why it ended, if it ended before it was done."""
        if self._remote is not None:
            self._remote.catch_up()
        if ended is None:
            return
        from trunkline.cli.terminal import output

        if self.as_json and not self.has_told:
            output.print_json(ended.document)
        output.print_error(str(ended))


def verb(
    app: typer.Typer, name: str, *, remote: bool = True, panel: str | None = None
) -> Callable[[Command[P]], Command[P]]:
    """Make a function a command.

    Args:
        app: the noun it belongs to.
        name: what is typed.
        remote: whether it speaks with a running service.
        panel: the heading it stands under in the help; None: the plain one.
    """
    shared = _REMOTE if remote else _LOCAL

    def decorate(function: Command[P]) -> Command[P]:
        @wraps(function)
        def command(**given: Any) -> None:
            call = CommandContext(**{option: given.pop(option) for option in shared})
            call.given = {options[name]: value for name, value in given.items()}
            _carry_out(call, lambda: function(call, **_with_ids(call, given, named, options)))  # type: ignore[call-arg]

        hints = get_type_hints(function, include_extras=True)
        _, *own = inspect.signature(function).parameters.values()
        options = {p.name: _typed_as(p.name, hints[p.name]) for p in own}
        named = {p.name: mark for p in own for mark in _metadata(hints[p.name]) if isinstance(mark, Named)}
        parameters = [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
        kind, default = inspect.Parameter.KEYWORD_ONLY, {"as_json": False}
        parameters += [inspect.Parameter(n, kind, default=default.get(n), annotation=a) for n, a in shared.items()]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name, cls=LightCommand, rich_help_panel=panel)(command)
        return function

    return decorate


def _metadata(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _with_ids(
    call: CommandContext, given: dict[str, Any], named: dict[str, Named], options: dict[str, str]
) -> dict[str, Any]:
    """What was typed, with the ids of the parties that it names."""
    typed = {name: mark for name, mark in named.items() if given[name] is not None}
    if not typed:
        return given
    from trunkline.cli.client.named_parties import party_id

    return given | {name: party_id(call.remote, mark, given[name], options[name]) for name, mark in typed.items()}


def _typed_as(name: str, hint: Any) -> str:
    """What a person types for a parameter: its option, or the argument's name in the usage line."""
    for given in _metadata(hint):
        if isinstance(given, OptionInfo):
            declared = (given.default, *(given.param_decls or ()))  # in `Annotated`, the first one is the default
            long = [each for each in declared if isinstance(each, str) and each.startswith("--")]
            return long[0].partition("/")[0] if long else f"--{name.replace('_', '-')}"
        if isinstance(given, ArgumentInfo):
            return str(given.metavar or name).strip("[]. ").upper()
    return f"--{name.replace('_', '-')}"


def _carry_out(call: CommandContext, command: Callable[[], None]) -> None:
    """Run a command to its end, whatever that is.

    Raises:
        typer.Exit: with the exit code, where it is not 0.
    """
    try:
        command()
    except Ended as ended:
        call.finish(ended)
        raise typer.Exit(ended.code) from None
    except (typer.Exit, typer.BadParameter, KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - a mistake of this program: one sentence for whoever meets it
        call.finish(Ended(_mistake(error)))
        raise typer.Exit(Ended.code) from None
    call.finish()


def _mistake(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    location = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return f"Something went wrong that should not: {type(error).__name__}{location}: {error}"
