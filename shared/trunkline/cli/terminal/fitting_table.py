"""A table that fits the terminal: no number, id or word is broken; columns are left out instead, and named (O1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

_BETWEEN: Final = 3
"""Columns between two cells, as `SIMPLE_HEAD` draws them."""
_LONGEST_WORD: Final = 16
"""A longer word may be broken, unless it has an id, a number or a date in it."""
_WHOLE: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|\+?\d{5}|\d{4}-\d\d-\d\d")
_LONGEST_WHOLE: Final = 60


class FittingTable:
    """Rows under headings; a heading that begins with `>` is a column of figures."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[Text]], title: str | None = None) -> None:
        """Keep what is to be shown; how much of it fits is known when it is printed."""
        self._headings, self._rows, self._title = headings, rows, title
        self._needed = [self._least(column) for column in range(len(headings))]
        self._wanted = [self._most(column) for column in range(len(headings))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The columns that fit, from the left; below them the names of those that do not."""
        count = fitting(self._needed, options.max_width)
        yield self._made(count, options.max_width)
        if count < len(self._headings):
            names = ", ".join(heading.removeprefix(">") for heading in self._headings[count:])
            yield Text(f"Not shown at this width: {names}. A wider terminal, or --json, has all.", style="dim")

    def _made(self, count: int, width: int) -> Table:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=self._title, title_justify="left", show_edge=False)
        widths = shared_out(self._needed[:count], self._wanted[:count], width)
        for heading, own in zip(self._headings, widths, strict=False):
            justify = "right" if heading.startswith(">") else "left"
            made.add_column(heading.removeprefix(">"), justify=justify, overflow="fold", width=own)  # type: ignore[arg-type]
        for row in self._rows:
            made.add_row(*row[:count])
        return made

    def _cells(self, column: int) -> Iterator[str]:
        yield self._headings[column].removeprefix(">")
        for row in self._rows:
            yield row[column].plain

    def _least(self, column: int) -> int:
        if self._headings[column].startswith(">"):
            return self._most(column)
        words = (word for cell in self._cells(column) for word in cell.split())
        return max(
            1, *(min(cell_len(word), _LONGEST_WHOLE if _WHOLE.search(word) else _LONGEST_WORD) for word in words)
        )

    def _most(self, column: int) -> int:
        lines = (line for cell in self._cells(column) for line in cell.splitlines() or [""])
        return max(1, *(cell_len(line) for line in lines))


def fitting(needed: Sequence[int], width: int) -> int:
    """How many columns fit, from the left; at least one.

    Args:
        needed: the least width of each column.
        width: of the terminal.
    """
    count, taken = 0, -_BETWEEN
    for least in needed:
        taken += least + _BETWEEN
        if taken > width:
            break
        count += 1
    return max(1, count)


def shared_out(needed: Sequence[int], wanted: Sequence[int], width: int) -> list[int]:
    """The width of each column: what it needs, and what is left over to those that want the least more.

    Args:
        needed: the least width of each column.
        wanted: the width at which no line of it is broken.
        width: of the terminal.
    """
    found = list(needed)
    left = width - sum(needed) - _BETWEEN * (len(needed) - 1)
    order = sorted(range(len(needed)), key=lambda column: wanted[column] - needed[column])
    for index, column in enumerate(order):
        more = min(wanted[column] - needed[column], max(0, left) // (len(order) - index))
        found[column] += more
        left -= more
    return found
