"""`trunkline number`: search, export: numbers by any mix of filters, on the screen or as a file (N11)."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, get_type_hints
from uuid import UUID

import typer

from trunkline.cli.client.named_parties import NAMED, PARTY, with_names
from trunkline.cli.number.commands import app
from trunkline.cli.number.ranges import Able
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import LIMIT, Limit, instant, more


class State(StrEnum):
    """The states that a number in the inventory can be in."""

    available = "available"
    reserved = "reserved"
    assigned = "assigned"
    locked = "locked"
    deleted = "deleted"


class Format(StrEnum):
    """What kind of file."""

    csv = "csv"
    xlsx = "xlsx"
    jsonl = "jsonl"


class Layout(StrEnum):
    """Which columns."""

    full = "full"
    upload = "upload"


_PANEL: Final = "Which numbers; all that are given must hold"
_STANDARD_OUTPUT: Final = Path("-")


def _option(name: str, kind: Any, help_: str, metavar: str | None = None) -> Any:
    return Annotated[kind | None, typer.Option(name, metavar=metavar, help=help_, rich_help_panel=_PANEL)]


def _party(name: str, help_: str) -> Any:
    return Annotated[
        str | None, PARTY, typer.Option(name, metavar="PARTY", help=f"{help_}: {NAMED}.", rich_help_panel=_PANEL)
    ]


_FILTERS: Final[dict[str, Any]] = {
    "pattern": _option("--pattern", str, "65, +65, +65*: a beginning; *888: an end; *88*: a part.", "PATTERN"),
    "state": _option("--state", list[State], "One of these, where it is repeated."),
    "sku": _option("--sku", str, "Sold under this code.", "CODE"),
    "capability": _option("--capability", list[Able], "All of these, where it is repeated."),
    "vendor": _option("--vendor", str, "They come from there.", "NAME"),
    "country": _option("--country", str, "Such as SG; 001 for none.", "ISO"),
    "routing": _option("--routing", str, "Routed so.", "TEXT"),
    "golden": _option("--golden/--not-golden", bool, "Marked as golden."),
    "ported_in": _option("--ported-in/--not-ported-in", bool, "Marked as ported in."),
    "domain": _option("--domain", str, "Visible to this portal domain.", "DOMAIN"),
    "subscription": _option("--subscription", UUID, "Of this subscription.", "UUID"),
    "owner": _party("--owner", "Assigned to this organization, else reserved for it"),
    "holder": _party("--holder", "Allocated to this partner or organization"),
    "uploader": _party("--uploader", "Brought in by this one"),
    "bound": _option("--bound/--unbound", bool, "Serving a user."),
    "available_since": _option("--available-since", str, "Available since this instant or date, or longer.", "T"),
    "available_for_days": _option("--available-for-days", int, "Available for longer than so many days.", "N"),
}
"""Query parameter -> the option it is given by; the same for every command that says which numbers."""


def _filtered(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command all the filters; its parameter `filters` is what they come to, as query parameters."""

    @wraps(function)
    def command(call: CommandContext, **given: Any) -> None:
        function(call, filters=_asked({name: given.pop(name) for name in _FILTERS}), **given)

    hints = get_type_hints(function, include_extras=True)
    call, *own = (p.replace(annotation=hints[p.name]) for p in inspect.signature(function).parameters.values())
    kept = [p for p in own if p.name != "filters"]
    keyword = inspect.Parameter.KEYWORD_ONLY
    filters = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in _FILTERS.items()]
    parameters = [call, *filters, *(p.replace(kind=keyword) for p in kept)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    del command.__wrapped__  # whose own parameters are not these
    return command


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: value for name, value in given.items() if value not in (None, [])}
    if "available_since" in parameters:
        parameters["available_since"] = instant(parameters["available_since"], "--available-since")
    return {name: str(value) if isinstance(value, UUID) else value for name, value in parameters.items()}


@verb(app, "search")
@_filtered
def search(
    call: CommandContext,
    filters: dict[str, Any],
    sort: Annotated[
        str | None, typer.Option(metavar="FIELD", help="number, or available_since; `-` before it: descending.")
    ] = None,
    limit: Limit = LIMIT,
) -> None:
    """Find numbers by any mix of filters, and say how many there are."""
    found = call.remote.page_through("/numbers", limit, sort=sort, **filters)
    call.present(found, lambda: _found(call, found["items"]), lambda: more(found) or _all_of(found))


@verb(app, "export")
@_filtered
def export(
    call: CommandContext,
    filters: dict[str, Any],
    format_: Annotated[Format, typer.Option("--format", help="What kind of file.")] = Format.csv,
    layout: Annotated[Layout, typer.Option(help="upload: the columns of a file of numbers to upload.")] = Layout.full,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file, a folder, or - for standard output; else right here.")
    ] = None,
) -> None:
    """Write all numbers found into a file: CSV, XLSX or JSON lines; it never lies whole in memory."""
    params = filters | {"format": format_.value, "layout": layout.value}
    with call.remote.download("/numbers/export", **params) as pieces:
        where = out or Path()
        if where.is_dir():
            where /= call.remote.file_name or f"numbers.{format_.value}"
        try:
            size = _written(where, pieces)
        except OSError as error:
            raise Misused(f"{where} cannot be written: {error.strerror}.") from None
    if where != _STANDARD_OUTPUT:
        call.present({"file": str(where), "bytes": size}, lambda: f"{size:,} bytes written to {where}.")


def _written(where: Path, pieces: Iterator[bytes]) -> int:
    """Write what comes; a file is there whole or, when it breaks off, as it was before."""
    if where == _STANDARD_OUTPUT:
        return _drained(sys.stdout.buffer, pieces)
    if where.exists() and not where.is_file():  # a pipe, a device
        with where.open("wb") as file:
            return _drained(file, pieces)
    part = where.with_name(f".{where.name}.part")
    try:
        with part.open("wb") as file:
            size = _drained(file, pieces)
        part.replace(where)
    finally:
        part.unlink(missing_ok=True)
    return size


def _drained(file: BinaryIO, pieces: Iterator[bytes]) -> int:
    size = sum(file.write(piece) for piece in pieces)
    file.flush()
    return size


def _found(call: CommandContext, items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, state, table

    if not items:
        return "No such number."
    parties = with_names(
        call.remote, [n[who] for n in items for who in ("organization_id", "reserver_id", "holder_id")]
    )
    headings = ("number", "state", "since", "until", "owner", "holder", "country", "sku", "can", "marks")
    rows = [
        (
            n["number"],
            state(n["state"]),
            relative(n["since"]),
            relative(n["ends_at"]) if n["ends_at"] else None,
            parties[n["organization_id"] or n["reserver_id"]],
            parties[n["holder_id"]],
            n["country"],
            n["sku"],
            [name for name, yes in n["capabilities"].items() if yes],
            _marks(n),
        )
        for n in items
    ]
    return table(headings, rows)


def _marks(n: dict[str, Any]) -> list[str]:
    """What else whoever looks for a number should know of it at once."""
    from trunkline.cli.terminal.output import relative

    marks = [name.replace("_", " ") for name in ("golden", "ported_in", "charged") if n[name]]
    marks += ["bound"] if n["bindings"] else []
    marks += [f"quarantined until {relative(n['quarantined_until'])}"] if n["quarantined_until"] else []
    return marks


def _all_of(found: dict[str, Any]) -> str:
    return f"{found['total']:,} in all." if found["items"] else ""
