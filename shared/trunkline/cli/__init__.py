"""The `trunkline` command: one module for each noun, none of which imports anything heavy before it is used."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trunkline.cli import (
    audit,
    billing,
    billing_settling,
    bulk,
    bulk_runs,
    bulk_users,
    clock,
    contract,
    deadletter,
    deadletter_resolving,
    demo,
    doctor,
    extension,
    extension_changing,
    failed_item,
    licenses,
    mail,
    number,
    number_acting,
    number_asking,
    number_assigning,
    number_changing,
    number_range,
    number_search,
    number_upload,
    party,
    policy,
    prepare,
    projection,
    republish,
    restored,
    stream,
    subscription,
    token,
    up,
)

_MORE_VERBS = (
    billing_settling,
    deadletter_resolving,
    extension_changing,
    bulk_users,
    bulk_runs,
    number_acting,
    number_changing,
    number_asking,
    number_assigning,
    number_search,
    number_range,
    number_upload,
)
"""Each adds its verbs to its noun by being imported."""
_RUN, _WORK, _OPERATE = "Run", "Work", "Operate"
_ORDER = (
    *("demo", "up", "migrate", "topics", "restored", "token", "clock"),
    *("party", "billing", "subscription", "number", "policy", "license", "extension", "bulk"),
    *("doctor", "audit", "stream", "projection", "republish", "deadletter", "failed-item", "contract", "mail"),
)


class _InOrder(TyperGroup):
    """Shows the commands in the order a newcomer needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_ORDER.index)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trunkline {version('trunkline')}")
        raise typer.Exit


_Version = Annotated[
    bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show which version this is.")
]


def _app() -> typer.Typer:
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
        del version  # `_tell_version` has ended the command, if it was asked for

    up.add_up(app, _RUN)
    prepare.add_migrate(app, _RUN)
    restored.add_restored(app, _RUN)
    demo.add_demo(app, _RUN)
    for name, noun in (("topics", prepare.topics), ("token", token.app), ("clock", clock.app)):
        app.add_typer(noun, name=name, rich_help_panel=_RUN)
    for name, noun in (
        ("party", party.app),
        ("billing", billing.app),
        ("subscription", subscription.app),
        ("number", number.app),
        ("license", licenses.app),
        ("extension", extension.app),
        ("bulk", bulk.app),
        ("policy", policy.app),
    ):
        app.add_typer(noun, name=name, rich_help_panel=_WORK)
    doctor.add_doctor(app, _OPERATE)
    audit.add_audit(app, _OPERATE)
    republish.add_republish(app, _OPERATE)
    for name, noun in (
        ("stream", stream.app),
        ("projection", projection.app),
        ("deadletter", deadletter.app),
        ("failed-item", failed_item.app),
        ("contract", contract.app),
        ("mail", mail.app),
    ):
        app.add_typer(noun, name=name, rich_help_panel=_OPERATE)
    return app


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
    _app()(argv, prog_name="trunkline")
