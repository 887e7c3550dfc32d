"""The table of the last full run, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import NO_BAR, Figure

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"


def table(figures: Sequence[Figure], machine: dict[str, Any], rounds: int) -> str:
    """The figures as Markdown, with what they were taken on."""
    on = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
    lines = [
        f"Taken on {datetime.now(UTC):%Y-%m-%d}; {on}; medians of {rounds} interleaved rounds.",
        "",
        "| figure | work | bar | value | baseline | ratio | met |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    lines += [_row(figure) for figure in figures]
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Put the table into bench/README.md in place of the one before."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _row(f: Figure) -> str:
    baseline = "–" if f.baseline is None else f"{_number(f.baseline)} {f.unit}"
    ratio = "–" if f.ratio is None else _ratio(f)
    met = "–" if f.bar is NO_BAR else "yes" if f.met else "**no**"
    return f"| {f.name} | {f.what} | {f.bar.text} | {_number(f.value)} {f.unit} | {baseline} | {ratio} | {met} |"


def _ratio(f: Figure) -> str:
    assert f.ratio is not None
    return f"{f.ratio:.0%}" if "%" in f.bar.text else f"{f.ratio:.1f}×"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
