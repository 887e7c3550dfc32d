"""`trunkline migrate` and `trunkline topics`: what must be there before services run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.run.up import why_not
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Partly, Refused, Unreachable
from trunkline.cli.terminal.options import SERVICES
from trunkline.cli.terminal.options import DryRun as RemoteDryRun
from trunkline.cli.terminal.options import Service as OfService

if TYPE_CHECKING:
    from trunkline.messaging.kafka.topics import TopicResult
    from trunkline.service_definition import ServiceDefinition
    from trunkline.settings import Settings

topics = typer.Typer(help="The topics of the broker.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]


def add_migrate(app: typer.Typer, panel: str) -> None:
    """Add `migrate` to the commands."""

    @verb(app, "migrate", remote=False, panel=panel)
    def migrate(call: CommandContext, dry_run: DryRun = False) -> None:
        """Bring the databases to this version. `trunkline up` does it by itself."""
        call.announce("Looking at the databases")
        try:
            applied = _migrate(call.settings, dry_run=dry_run)
        except Exception as error:
            ended = why_not(error)
            if ended is None:
                raise
            raise ended from None
        document = {"dry_run": dry_run, "applied": applied}
        call.present(document, lambda: _applied(applied, dry_run=dry_run))


def _migrate(settings: Settings, *, dry_run: bool) -> dict[str, list[str]]:
    from trunkline.application import bring_up_to_date

    with databases(settings) as found:
        return {service.name: bring_up_to_date(url, service, dry_run=dry_run) for service, url in found}


@contextmanager
def databases(settings: Settings) -> Iterator[list[tuple[ServiceDefinition, str]]]:
    """Every service with the URL of its database; an embedded server runs for the time of the block."""
    from trunkline.embedded_postgres.server import EmbeddedPostgres
    from trunkline.service_definition import installed_services

    with ExitStack() as open_:
        found: list[tuple[ServiceDefinition, str]] = []
        embedded: EmbeddedPostgres | None = None
        for name, service in installed_services().items():
            given = settings.database_url(name)
            if given is None and embedded is None:
                embedded = open_.enter_context(EmbeddedPostgres(settings.home))
            if given is not None:
                found.append((service, given.get_secret_value()))
            else:
                assert embedded is not None
                found.append((service, embedded.url(name)))
        yield found


def _applied(applied: dict[str, list[str]], *, dry_run: bool) -> Any:
    from trunkline.cli.terminal.output import table

    rows = [
        (service, name, "to apply" if dry_run else "applied") for service, names in applied.items() for name in names
    ]
    return table(("service", "migration", "outcome"), rows) if rows else "The databases are at this version already."


@verb(topics, "create", remote=False)
def create(
    call: CommandContext,
    dry_run: DryRun = False,
    partitions: Annotated[int | None, typer.Option(min=1, help="Of each topic; 4 unless given.")] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of each; else 3, or as many as there are brokers.")
    ] = None,
) -> None:
    """Create the topics that are missing; those that exist are compared and never changed."""
    settings = call.settings
    call.announce("Asking the broker for its topics")
    results = _create(settings, partitions, replication, dry_run=dry_run)
    document = {
        "dry_run": dry_run,
        "topics": [{"name": r.name, "action": r.action, "detail": r.detail} for r in results],
    }
    call.present(document, lambda: _results(results))
    differing = sum(r.action == "differs" for r in results)
    if differing:
        raise Partly(f"{differing} of {len(results)} topics are not as wanted; they were left as they are.")


@verb(topics, "refill")
def refill(call: CommandContext, service: OfService = None, dry_run: RemoteDryRun = None) -> None:
    """Compare NumberState and ExtensionState with what there is; send what is missing, older or gone."""
    found = [refilled(call, name, dry_run=dry_run) for name in SERVICES if service is None or service.value == name]
    call.present({"services": found}, lambda: _filled(found))


def refilled(call: CommandContext, service: str, *, dry_run: bool | None) -> dict[str, Any]:
    """What a service has found and filled of its state topics, or would.

    Raises:
        Refused: there is no broker, or the service does not let this principal.
    """
    from trunkline.cli.operations.projection import result_of
    from trunkline.cli.terminal.output import progress

    with (
        progress("state topics", None, silent=call.as_json) as bar,
        call.remote.lines(f"/{service}/operate/topics/refill", dry_run=dry_run) as lines,
    ):
        return {"service": service} | result_of(lines, bar)


def _filled(found: list[dict[str, Any]]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import line, table

    rows = [
        (t["topic"], *(f"{t[name]:,}" for name in ("subjects", "on_topic", "sent", "tombstones", "ahead")))
        for service in found
        for t in service["topics"]
    ]
    missing = [
        line(
            f"Events of {s['service']} up to position {s['missing_up_to']:,} were committed before this broker was"
            f" there: trunkline republish {s['service']} --to {s['missing_up_to']}"
        )
        for s in found
        if s["missing_up_to"]
    ]
    return Group(table(("topic", ">subjects", ">on topic", ">sent", ">tombstones", ">ahead"), rows), *missing)


def compare_topics(settings: Settings) -> list[TopicResult]:
    """What there is of the topics that are wanted; nothing is created."""
    return _create(settings, None, None, dry_run=True)


def _create(settings: Settings, partitions: int | None, replication: int | None, *, dry_run: bool) -> list[TopicResult]:
    import asyncio

    from aiokafka.errors import KafkaError

    from trunkline.messaging.kafka.client import KafkaSettings
    from trunkline.messaging.kafka.topics import PARTITIONS, TopicRefused, create_topics
    from trunkline.service_definition import installed_services

    kafka = KafkaSettings.of(settings)
    if kafka is None:
        raise Misused("There is no broker to create topics on: set TRUNKLINE_KAFKA_BOOTSTRAP.")
    services = installed_services().values()
    consumed = [c for s in services for h in s.message_handlers for known in h.topics.values() for c in known.values()]
    published = [c for s in services for c in s.publishes]
    try:
        return asyncio.run(
            create_topics(
                kafka, [*consumed, *published], partitions=partitions or PARTITIONS, replication=replication,
                dry_run=dry_run,
            )
        )  # fmt: skip
    except TopicRefused as refused:
        raise Refused(f"{refused}.") from None
    except (KafkaError, OSError, TimeoutError) as error:
        name = type(error).__name__
        raise Unreachable(f"The broker {settings.kafka_bootstrap} does not answer ({name}).") from None


def _results(results: list[TopicResult]) -> Any:
    from trunkline.cli.terminal.output import table

    return table(("topic", "outcome", "detail"), [(r.name, r.action, r.detail) for r in results])
