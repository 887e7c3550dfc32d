"""`trunkline republish`: a stretch of history onto its topics again, or onto another one (O4)."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from trunkline.cli.terminal.background_work import reason
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused, Partly, Unreachable
from trunkline.cli.terminal.options import DryRun, ServiceName, instant


def add_republish(app: typer.Typer, panel: str) -> None:
    """Add `republish` to the commands."""

    @verb(app, "republish", panel=panel)
    def republish(
        call: CommandContext,
        service: Annotated[ServiceName, typer.Argument(help="Whose history.")],
        first: Annotated[int | None, typer.Option("--from", min=1, help="The first log position.")] = None,
        last: Annotated[int | None, typer.Option("--to", min=1, help="The last log position.")] = None,
        since: Annotated[str | None, typer.Option("--since", metavar="T", help="Recorded then or later.")] = None,
        until: Annotated[str | None, typer.Option("--until", metavar="T", help="Recorded then or earlier.")] = None,
        stream: Annotated[
            str | None, typer.Option("--stream", metavar="ID", help="One stream only, such as number/+6531580001.")
        ] = None,
        event: Annotated[
            list[str] | None, typer.Option("--event", metavar="NAME", help="These events only; may be repeated.")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="The whole history.")] = False,
        topic: Annotated[str | None, typer.Option("--topic", help="To this topic, not to the events' own.")] = None,
        rate: Annotated[int, typer.Option("--rate", min=1, max=1_000_000, help="Most events a second.")] = 1_000,
        dry_run: DryRun = None,
    ) -> None:
        """Publish history again under the same ids, in order; what all conditions meet. Ctrl-C stops it."""
        chosen: dict[str, Any] = {"first": first, "last": last, "stream": stream, "events": event or None}
        chosen |= {"since": instant(since, "--since"), "until": instant(until, "--until")}
        given = {name: value for name, value in chosen.items() if value is not None}
        if bool(given) == everything:
            raise Misused("Say which history: --from, --to, --since, --until, --stream or --event; or --all of it.")
        body = given | {"rate": rate} | ({} if topic is None else {"topic": topic})
        done = _publish(call, service.value, body, dry_run=dry_run)
        call.present({"service": service.value} | done, lambda: _shown(done))


def _publish(call: CommandContext, service: str, body: dict[str, Any], *, dry_run: bool | None) -> dict[str, Any]:
    """Do it, with a progress bar; the result.

    Raises:
        Refused: it was.
        Partly: it was stopped by Ctrl-C.
        Unreachable: the service broke off on the way, or does not answer.
    """
    from trunkline.cli.operations.projection import result_of
    from trunkline.cli.terminal.output import progress

    at = {"position": body.get("first", 1) - 1, "events": 0}
    try:
        with (
            progress("republish", None, silent=call.as_json) as bar,
            call.remote.lines(f"/{service}/operate/republish", body, dry_run=dry_run) as lines,
        ):
            return result_of(lines, bar, at.update)
    except KeyboardInterrupt:
        stopped = f"Stopped after {_done(at)}; nothing goes on by itself: `{_rest(service, body, at)}` does the rest."
        raise Partly(stopped, at) from None
    except Unreachable as ended:
        if dry_run:
            raise
        why = f"{reason(ended)} It was stopped after {_done(at)}; what was on its way may have been published."
        again = f"The ids stay the same, so that a repetition does no harm: `{_rest(service, body, at)}` does the rest."
        raise Unreachable(f"{why} {again}", {**ended.document, **at}) from None


def _done(at: dict[str, int]) -> str:
    return f"{at['events']:,} events up to position {at['position']:,}"


def _rest(service: str, body: dict[str, Any], at: dict[str, int]) -> str:
    """The command that publishes what is left."""
    given: list[str] = ["trunkline", "republish", service, "--from", str(at["position"] + 1)]
    options = {"last": "--to", "since": "--since", "until": "--until", "stream": "--stream", "topic": "--topic"}
    for name, option in options.items():
        if body.get(name) is not None:
            given += [option, str(body[name])]
    for event in body.get("events") or ():
        given += ["--event", event]
    return shlex.join([*given, "--rate", str(body["rate"])])


def _shown(done: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import line, table

    if not done["events"]:
        return "Nothing that was published meets these conditions."
    where = f"to {done['to']}" if done["to"] else "to their own topics"
    rows = [(name, f"{count:,}") for name, count in sorted(done["topics"].items())]
    summary = f"{done['events']:,} events up to position {done['position']:,}, {where}."
    return Group(table(("event", ">published"), rows), "", line(summary))
