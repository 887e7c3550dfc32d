"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from trunkline.cli.terminal.exit_codes import Misused

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="T", help="How it was at an instant, such as 2026-03-01T12:00:00Z; a date: its beginning."
    ),
]
DryRun = Annotated[bool | None, typer.Option("--dry-run", help="Only tell what would happen.", show_default=False)]
"""Handed on as the query parameter `dry_run`; None, and so left out, unless it is given."""
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most rows to show.")]
LIMIT = 50


def instant(text: str | None, option: str = "--as-of") -> str | None:
    """An instant in the form the services take; a date alone is its first instant in UTC.

    Raises:
        Misused: it is none, or has no offset.
    """
    if text is None:
        return None
    from trunkline import clock

    try:
        return clock.rfc3339(clock.instant(text if "T" in text or " " in text else f"{text}T00:00:00Z"))
    except ValueError:
        raise Misused(
            f"{option} is {text!r}; it takes an instant with its offset, such as 2026-03-01T12:00:00Z, or a date."
        ) from None


SERVICES: Final = ("licensing", "numbers")


class ServiceName(StrEnum):
    """The two services."""

    licensing = "licensing"
    numbers = "numbers"


Service = Annotated[ServiceName | None, typer.Option("--service", help="Whose, where both may have it.")]


def more(document: dict[str, Any]) -> str:
    """The line below a list of which there is more; empty where all of it is shown."""
    if document.get("next") is None and not document.get("more"):
        return ""
    shown = f"{len(document['items']):,}"
    if "total" not in document:
        return f"The first {shown}; --limit shows more."
    about = "about " if document.get("total_is") == "estimate" else ""
    return f"{shown} of {about}{document['total']:,}; --limit shows more."
