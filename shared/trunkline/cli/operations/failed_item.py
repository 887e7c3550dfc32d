"""`trunkline failed-item`: what loops could not do and have set aside, while everything else went on (O8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, Service, ServiceName, more

app = typer.Typer(
    help="What failed and was set aside while the rest went on: tried again, discarded.", no_args_is_help=True
)

Owner = Annotated[ServiceName, typer.Argument(help="The service whose loop it is.")]
Loop = Annotated[str, typer.Argument(metavar="LOOP", help="As `failed-item list` shows it.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="As `failed-item list` shows it.")]
Status = Literal["waiting", "discarded", "all"]


@verb(app, "list")
def list_(
    call: CommandContext,
    service: Service = None,
    loop: Annotated[str | None, typer.Option("--loop", help="Only what this loop has set aside.")] = None,
    status: Annotated[Status, typer.Option("--status", help="Those that are tried again, or given up.")] = "waiting",
    limit: Limit = LIMIT,
) -> None:
    """List what was set aside, oldest first, with its cause and its next try."""
    chosen: dict[str, Any] = {"loop": loop, "status": None if status == "all" else status}
    if service is None:
        found = call.remote.merged("/failed-items", limit, by="failed_at", **chosen)
    else:
        page = call.remote.page_through(f"/{service.value}/operate/failed-items", limit, **chosen)
        items = [{"service": service.value} | item for item in page["items"]]
        found = {"items": items, "more": page.get("next") is not None}
    call.present(found, lambda: _items(found["items"]), lambda: more(found))


@verb(app, "retry")
def retry(call: CommandContext, service: Owner, loop: Loop, key: Key, dry_run: DryRun = None) -> None:
    """Try an item again at once, as after its cause was mended."""
    done = call.remote.post(_path(service, "retry"), {"loop": loop, "key": key}, dry_run=dry_run)
    call.present(done, lambda: f"{key} is tried again.")


@verb(app, "discard")
def discard(
    call: CommandContext,
    service: Owner,
    loop: Loop,
    key: Key,
    remark: Annotated[str, typer.Option("--remark", help="Why it is given up; kept in the audit.")],
    dry_run: DryRun = None,
) -> None:
    """Give an item up. A loop that keeps a stream in order goes on behind the event that failed."""
    body = {"loop": loop, "key": key, "remark": remark}
    done = call.remote.post(_path(service, "discard"), body, dry_run=dry_run)
    behind = done["status"] == "skipped"
    call.present(done, lambda: f"{key} goes on behind what failed." if behind else f"{key} is discarded.")


def _path(service: ServiceName, what: str) -> str:
    return f"/{service.value}/operate/failed-items/{what}"


def _items(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    if not items:
        return "Nothing is set aside."
    rows = [(i["service"], i["loop"], i["key"], i["tries"], i["cause"], relative(i["next_try_at"])) for i in items]
    return table(("service", "loop", "key", "tries", "cause", "next try"), rows)
