"""The `trunkline` command: one module for each noun, none of which imports anything heavy before it is used."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from trunkline.cli import billing, prepare, token, up

_RUN, _WORK, _OPERATE = "Run", "Work", "Operate"


def _app() -> typer.Typer:
    app = typer.Typer(
        name="trunkline",
        help="Telephone numbers and licenses that never drift apart: run the services, work with them, operate them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    up.add_up(app)
    prepare.add_migrate(app)
    app.add_typer(prepare.topics, name="topics", rich_help_panel=_RUN)
    app.add_typer(token.app, name="token", rich_help_panel=_RUN)
    app.add_typer(billing.app, name="billing", rich_help_panel=_WORK)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and leave the process.

    Args:
        argv: the arguments; None: the process's own.

    Raises:
        SystemExit: 0 done, 1 refused or failed, 2 wrong usage, 3 partly, 4 something cannot be reached.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    _app()(argv, prog_name="trunkline")
