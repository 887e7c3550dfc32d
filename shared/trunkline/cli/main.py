"""The `trunkline` command: one module for each noun, none of which imports anything heavy before it is used."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer

from trunkline.cli.terminal.light_command import LightGroup
from trunkline.cli.terminal.refused_values import refused_parameter

_RUN, _WORK, _OPERATE = "Run", "Work", "Operate"


class _Noun(NamedTuple):
    """A command or a group of commands.

    Attributes:
        panel: the heading it stands under in the help.
        modules: what makes it, below `trunkline.cli`; the first has `attribute`, the others add their verbs to it.
        attribute: a Typer, or a function that adds the command.
    """

    panel: str
    modules: tuple[str, ...]
    attribute: str = "app"


_NOUNS: Final = {
    "demo": _Noun(_RUN, ("run.demo",), "add_demo"),
    "up": _Noun(_RUN, ("run.up",), "add_up"),
    "migrate": _Noun(_RUN, ("run.prepare",), "add_migrate"),
    "topics": _Noun(_RUN, ("run.prepare",), "topics"),
    "restored": _Noun(_RUN, ("operations.restored",), "add_restored"),
    "token": _Noun(_RUN, ("operations.token",)),
    "clock": _Noun(_RUN, ("operations.clock",)),
    "party": _Noun(_WORK, ("party",)),
    "billing": _Noun(_WORK, ("billing.commands", "billing.waiting_facts")),
    "subscription": _Noun(_WORK, ("subscription",)),
    "number": _Noun(
        _WORK,
        (
            "number.commands",
            "number.actions",
            "number.attributes",
            "number.questions",
            "number.assignments",
            "number.search",
            "number.ranges",
            "number.uploads",
        ),
    ),
    "policy": _Noun(_WORK, ("policy",)),
    "license": _Noun(_WORK, ("licenses",)),
    "extension": _Noun(_WORK, ("extension.commands", "extension.changes")),
    "bulk": _Noun(_WORK, ("bulk.commands", "bulk.users", "bulk.runs")),
    "doctor": _Noun(_OPERATE, ("doctor.commands",), "add_doctor"),
    "audit": _Noun(_OPERATE, ("operations.audit",), "add_audit"),
    "stream": _Noun(_OPERATE, ("operations.stream",)),
    "projection": _Noun(_OPERATE, ("operations.projection",)),
    "republish": _Noun(_OPERATE, ("operations.republish",), "add_republish"),
    "deadletter": _Noun(_OPERATE, ("deadletter.commands", "deadletter.replay")),
    "failed-item": _Noun(_OPERATE, ("operations.failed_item",)),
    "contract": _Noun(_OPERATE, ("contract.commands",)),
    "mail": _Noun(_OPERATE, ("operations.mail",)),
}
"""In the order in which a newcomer needs them."""
_ORDER: Final = tuple(_NOUNS)
_COMPLETION: Final = "_TRUNKLINE_COMPLETE"
"""Set by the shell that asks what can be typed next."""


class _InOrder(LightGroup):
    """Shows the commands in the order a newcomer needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed; a value that is none of its kind is refused in plain words (O1)."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as wrong:
            if (cause := wrong.__cause__) is not None and hasattr(cause, "errors"):
                wrong.message = refused_parameter(cause.errors()[0])
            raise


def _present_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trunkline {version('trunkline')}")
        raise typer.Exit


_Version = Annotated[
    bool, typer.Option("--version", callback=_present_version, is_eager=True, help="Show which version this is.")
]


def _app(only: str | None = None) -> typer.Typer:
    """The command line; with `only`, the one noun that was typed: nothing else is imported then."""
    app = typer.Typer(
        name="trunkline",
        cls=_InOrder,
        help="Telephone numbers and licenses that never drift apart: run the services, work with them, operate them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )

    @app.callback()
    def before(version: _Version = False) -> None:
        del version  # `_present_version` has ended the command, if it was asked for

    for name, noun in _NOUNS.items():
        if only in (None, name):
            _add(app, name, noun)
    return app


def _add(app: typer.Typer, name: str, noun: _Noun) -> None:
    first, *_ = [import_module(f"trunkline.cli.{module}") for module in noun.modules]
    found = getattr(first, noun.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, cls=LightGroup, rich_help_panel=noun.panel)
    else:
        found(app, noun.panel)


def _typed(argv: Sequence[str]) -> str | None:
    """The noun that was typed; None: none that there is, or the shell asks what there is."""
    if _COMPLETION in os.environ or not argv or argv[0] not in _NOUNS:
        return None
    return argv[0]


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and leave the process.

    Args:
        argv: the arguments; None: the process's own.

    Raises:
        SystemExit: 0 done, 1 refused or failed, 2 wrong usage, 3 partly, 4 something cannot be reached.
    """
    for out in (sys.stdout, sys.stderr):
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    words = sys.argv[1:] if argv is None else list(argv)
    _app(_typed(words))(words, prog_name="trunkline")
