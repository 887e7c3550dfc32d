"""`trunkline restored`: a database was restored from a back-up and takes the place of the one before (X1, D10.16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.run.prepare import DryRun, databases
from trunkline.cli.run.up import why_not
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Refused
from trunkline.cli.terminal.options import ServiceName

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceDefinition
    from trunkline.settings import Settings


def add_restored(app: typer.Typer, panel: str) -> None:
    """Add `restored` to the commands."""

    @verb(app, "restored", remote=False, panel=panel)
    def restored(
        call: CommandContext,
        service: Annotated[
            ServiceName | None, typer.Option("--service", help="Whose database was restored; else both were.")
        ] = None,
        dry_run: DryRun = False,
    ) -> None:
        """Declare that a database was restored from a back-up, before its service starts again.

        Its log begins a new epoch, so that everybody who takes the newest takes what it publishes from now on.
        """
        try:
            begun = _begin(call.settings, service.value if service is not None else None, dry_run=dry_run)
        except Refused:
            raise
        except Exception as error:
            ended = why_not(error)
            if ended is None:
                raise
            raise ended from None
        call.present({"dry_run": dry_run, "restored": begun}, lambda: _shown(begun, dry_run=dry_run))


def _begin(settings: Settings, only: str | None, *, dry_run: bool) -> list[dict[str, Any]]:
    with databases(settings) as found:
        chosen = [(service, url) for service, url in found if only in (None, service.name)]
        for service, url in chosen:
            _check_stopped(service.name, url)
        return [{"service": service.name, "epoch": _declare(service, url, dry_run=dry_run)} for service, url in chosen]


def _check_stopped(name: str, url: str) -> None:
    """Whoever runs on a database knows its epoch from the start. Raises Refused."""
    from trunkline.eventstore.leader_election import LeaderElection
    from trunkline.messaging.outbox_relay import FOLLOWER

    leader_election = LeaderElection(url)
    try:
        if not leader_election.hold(FOLLOWER):
            raise Refused(f"{name} is running on this database: stop it, then say that it was restored, then start it.")
    finally:
        leader_election.resign()


def _declare(service: ServiceDefinition, url: str, *, dry_run: bool) -> int:
    from trunkline.application import all_migrations
    from trunkline.clock import SystemClock
    from trunkline.eventstore.event_store import Store
    from trunkline.eventstore.schema import migrate
    from trunkline.installation.record import begin_epoch, read_epochs

    migrate(url, all_migrations(service), dry_run=dry_run)
    store = Store(url, service.codec())
    try:
        epoch = read_epochs(store).current + 1
        if not dry_run:
            begin_epoch(store, epoch, SystemClock().now(), "declared by an operator", declared=True)
        return epoch
    finally:
        store.close()


def _shown(begun: list[dict[str, Any]], *, dry_run: bool) -> Any:
    verb_ = "would be" if dry_run else "is"
    lines = [f"The log of {each['service']} {verb_} in epoch {each['epoch']}." for each in begun]
    return "\n".join([*lines, "Start the services, then run: trunkline doctor --reconcile --repair"])
