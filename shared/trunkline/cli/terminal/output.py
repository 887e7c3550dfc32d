"""What people see: tables, lines and progress as wide as the terminal, without colour codes where there is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final
from unicodedata import category

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from trunkline.cli.terminal.fitting_table import FittingTable

_WIDE: Final = 1_000
"""Where nobody looks at the width (a pipe, a file), no line is broken."""

STATE_STYLES: Final = {
    "available": "green",
    "assigned": "bold cyan",
    "reserved": "yellow",
    "locked": "magenta",
    "deleted": "red",
    "active": "green",
    "expired": "yellow",
    "terminated": "red",
}


def console(file: IO[str] | None = None, *, widest: int | None = None) -> Console:
    """A console on stdout, or on another stream.

    Args:
        file: the stream.
        widest: no wider than this, however wide the terminal is, nor where there is none.
    """
    stream = sys.stdout if file is None else file
    made = Console(file=stream, width=None if stream.isatty() else widest or _WIDE, highlight=False, emoji=False)
    if widest is not None and made.width > widest:
        made.width = widest
    return made


def print_json(document: Any) -> None:
    """One JSON document and nothing else, on stdout; at once, for who reads it may wait while the command goes on.

    A stream that is not UTF-8 gets `\\u` escapes for what it cannot write, never another character.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2, default=str) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def print_shown(*shown: RenderableType, widest: int | None = None) -> None:
    """Lines and tables, on stdout; no wider than `widest`."""
    out = console(widest=widest)
    with out.capture() as captured:
        for part in shown:
            if part != "":
                out.print(Text(visible(part)) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))
    text = captured.get()
    if not out.is_terminal:  # the padding of a table's last column means nothing in a file
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    sys.stdout.write(text)
    sys.stdout.flush()


def print_error(sentence: str) -> None:
    """A sentence, on stderr."""
    console(sys.stderr).print(Text(visible(sentence)), style="red", soft_wrap=True)


def visible(text: str) -> str:
    """A text that may come from others, with every sign escaped that a terminal would obey or nobody would see.

    Line breaks stay. ESC becomes `\\x1b`, RIGHT-TO-LEFT OVERRIDE `\\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign == "\n" or sign.isprintable() or category(sign) == "Zs" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def line(*parts: str | tuple[str, str]) -> Text:
    """A line of text; a pair is a text and its style."""
    return Text.assemble(*(visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts))


def moment(text: str | None) -> str:
    """An instant as people read it: `2026-03-01 00:00:00Z`, with milliseconds where it has a fraction; `–`: none."""
    if text is None:
        return "–"
    at = datetime.fromisoformat(text).astimezone(UTC)
    shown = at.strftime("%Y-%m-%d %H:%M:%S")
    return f"{shown}.{at.microsecond // 1000:03d}Z" if at.microsecond else f"{shown}Z"


class _Clock:
    """What time it is for who looks: read once, and only where something is shown relative to it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._read: datetime | None = None

    def __call__(self) -> datetime:
        if self._read is None:
            self._read = self._now()
        return self._read


_clock: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=lambda: datetime.now(UTC))


def set_present_instant(now: Callable[[], datetime]) -> None:
    """Have relative times told by a clock, such as a service's; it is read where one is shown, once."""
    _clock.set(_Clock(now))


def relative(text: str | None) -> str:
    """An instant with how far it is from now: `2026-03-01 00:00:00Z (3 days ago)`; `–`: none."""
    if text is None:
        return moment(text)
    return f"{moment(text)} ({distance(datetime.fromisoformat(text) - _clock.get()())})"


_STEPS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def distance(ahead: timedelta) -> str:
    """How far an instant is from now, in its largest unit: `in 3 days`, `5 minutes ago`, `now`."""
    seconds = round(abs(ahead.total_seconds()))
    for length, unit in _STEPS:
        if count := seconds // length:
            far = f"{count:,} {unit}{'' if count == 1 else 's'}"
            return f"in {far}" if ahead > timedelta() else f"{far} ago"
    return "now"


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(name, style=STATE_STYLES.get(name, ""))


def shown(value: Any) -> RenderableType:
    """Any JSON value in a cell."""
    if value is None or value in ("", []):
        return Text("–", style="dim")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return Text(visible(value))
    if isinstance(value, list) and all(isinstance(v, str | int) for v in value):
        return Text(visible(", ".join(map(str, value))))
    return Text(visible(json.dumps(value, ensure_ascii=False)))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> FittingTable:
    """Rows under headings; a heading that begins with `>` is a column of figures."""
    return FittingTable(headings, [[_cell(cell) for cell in row] for row in rows], title)


def _cell(value: Any) -> Text:
    found = value if isinstance(value, Text) else shown(value)
    return found if isinstance(found, Text) else Text(str(found))


def facts(of: Mapping[str, Any]) -> Table:
    """Names and values below each other."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in of.items():
        made.add_row(name.replace("_", " "), value if isinstance(value, Text) else shown(value))
    return made


def announce(what: str, *, silent: bool = False) -> None:
    """Say on stderr what is done now and may take more than a second; silent where nobody looks."""
    if not silent and sys.stderr.isatty():
        console(sys.stderr).print(Text(f"{visible(what)} …", style="dim"), soft_wrap=True)


@contextmanager
def progress(what: str, total: int | None, *, silent: bool = False) -> Iterator[Bar]:
    """A progress bar on stderr for long work; silent where nobody looks."""
    out = console(sys.stderr)
    hidden = silent or not out.is_terminal
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=hidden) as running:
        yield Bar(running, running.add_task(what, total=total))


class Bar:
    """One progress bar."""

    def __init__(self, running: Progress, task: TaskID) -> None:
        self._running = running
        self._task = task

    def move(self, done: int, total: int | None = None, what: str | None = None) -> None:
        """Show how far it is; None leaves the total, or what is written beside it, as it was."""
        self._running.update(self._task, completed=done, total=total, description=what)
