"""`trunkline up`, and the commands that run one service: everything in this process, until it is told to stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Misused, Refused, Unreachable

if TYPE_CHECKING:
    from trunkline.application import Application
    from trunkline.service_definition import ServiceDefinition


def add_up(app: typer.Typer, panel: str) -> None:
    """Add `up` to the commands."""

    @verb(app, "up", remote=False, panel=panel)
    def up(call: CommandContext) -> None:
        """Run both services in this process, until Ctrl-C or SIGTERM."""
        serve(call, None)


def run_one(name: str, make: Callable[[], ServiceDefinition], argv: Sequence[str] | None = None) -> None:
    """The command that runs one service, such as `trunkline-numbers`.

    Args:
        name: what is typed.
        make: puts the service together.
        argv: the arguments; None: the process's own.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @verb(app, name, remote=False)
    def run(call: CommandContext) -> None:
        """Run this service in this process, until Ctrl-C or SIGTERM. It needs TRUNKLINE_KAFKA_BOOTSTRAP."""
        serve(call, [make()])

    app(argv, prog_name=name)


def serve(call: CommandContext, services: Sequence[ServiceDefinition] | None) -> None:
    """Run services (None: every installed one) until told to stop.

    Raises:
        Misused: the settings do not allow it.
        Unreachable: the database or the broker does not answer.
        Refused: it cannot start, or stopped because something in it failed.
    """
    settings = call.settings
    call.announce("Starting: databases, messages, HTTP")
    import asyncio

    from trunkline.application import run
    from trunkline.logs import logging_to

    try:
        with logging_to(sys.stderr), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            told_to = runner.run(run(settings, services, lambda deployment: _present(call, deployment)))
    except Exception as error:
        ended = why_not(error)
        if ended is None:
            raise
        raise ended from None
    if not told_to:
        raise Refused("It stopped because a part of it failed; the log says which.")


def why_not(error: BaseException) -> Ended | None:
    """Why the databases or services could not be brought up, as a sentence; None: a mistake of this program."""
    import psycopg

    from trunkline.application import NotConfigured
    from trunkline.embedded_postgres.data_directory import EmbeddedPostgresError
    from trunkline.eventstore.schema import MigrationError
    from trunkline.installation.judgement import InstallationRefused

    match error:
        case NotConfigured():
            return Misused(f"{_capital(str(error))}.")
        case MigrationError() | EmbeddedPostgresError():
            return Refused(f"{_capital(str(error))}.")
        case InstallationRefused():
            return Refused(str(error), {"code": error.code, "detail": str(error)})
        case BrokenPipeError():
            return None  # whoever read what was said has gone: no sentence helps
        case psycopg.OperationalError():
            return Unreachable(f"The database does not answer: {str(error).splitlines()[0]}.")
        case OSError():
            return Unreachable(f"{_capital(str(error))}.")
        case _:
            return None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")


def _present(call: CommandContext, deployment: Application) -> None:
    settings = deployment.settings
    document: dict[str, Any] = {
        "url": deployment.address,
        "services": sorted(deployment.runtimes),
        "home": str(settings.home.resolve()),
        "databases": {name: _database(deployment, name) for name in sorted(deployment.runtimes)},
        "transport": settings.kafka_bootstrap or "local",
        "mail": "smtp" if settings.smtp_url else str((settings.home / "mailbox").resolve()),
        "sandbox": settings.sandbox,
    }
    call.present(document, lambda: _where(document))


def _database(deployment: Application, name: str) -> str:
    """Where a service's data lies, without any secret."""
    import psycopg

    if deployment.settings.database_url(name) is None:
        return "embedded"
    parameters = psycopg.conninfo.conninfo_to_dict(deployment.runtimes[name].store.url)
    return f"{parameters.get('host', '')}/{parameters.get('dbname', '')}"


def _where(document: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import facts, line

    services = " and ".join(document["services"])
    databases = ", ".join(f"{name}: {location}" for name, location in document["databases"].items())
    shown = {
        "address": document["url"],
        "documentation": f"{document['url']}/docs",
        "home": document["home"],
        "databases": databases,
        "messages": "in this process" if document["transport"] == "local" else document["transport"],
        "mail": document["mail"],
        "clock": "can be moved: trunkline clock advance 49d" if document["sandbox"] else "the machine's",
        "a token": "trunkline token issue --role platform-admin --scope operate",
    }
    return Group(line(("trunkline", "bold"), f" runs {services}; Ctrl-C stops it."), facts(shown))


def _loop_factory() -> Callable[[], Any] | None:
    """uvloop's where it is installed (Linux): about 10 µs less for each event under load."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], Any] = uvloop.new_event_loop
    return factory
