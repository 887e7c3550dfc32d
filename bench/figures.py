"""Figures: how a value is taken, held against its baseline, judged and written down."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out" / "figures.jsonl"


@dataclass(frozen=True)
class Bar:
    """How high the bar is.

    Attributes:
        text: as people read it.
        met: whether a value and its ratio (None without a baseline) are enough.
    """

    text: str
    met: Callable[[float, float | None], bool]


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: `B1`, or `B4 p99` where an id has several.
        what: one line for the table.
        value, baseline: in `unit`; the baseline was taken in the same run.
        ratio: what the bar speaks of: value to baseline.
        n: how much each round did; `rounds` how many of them the medians are over.
        context: further figures that no bar asks for.
    """

    name: str
    what: str
    value: float
    unit: str
    bar: Bar
    n: int
    rounds: int
    baseline: float | None = None
    ratio: float | None = None
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.bar.met(self.value, self.ratio)

    def line(self, machine: dict[str, Any]) -> str:
        """As one line of JSON."""
        told = {k: _short(v) for k, v in asdict(self).items() if k not in ("bar", "what", "context")}
        told |= {"bar": self.bar.text, "met": self.met, "machine": machine}
        return json.dumps(told | {k: _short(v) for k, v in self.context.items()})


def at_least(ratio: float | None = None, value: float | None = None, *, text: str) -> Bar:
    """A bar for what should be high."""
    return Bar(text, lambda v, r: (ratio is None or (r or 0) >= ratio) and (value is None or v >= value))


def at_most(ratio: float | None = None, value: float | None = None, *, text: str) -> Bar:
    """A bar for what should be low."""
    return Bar(text, lambda v, r: (ratio is None or (r is not None and r <= ratio)) and (value is None or v <= value))


NO_BAR = Bar("–", lambda _value, _ratio: True)
"""For what is printed beside a figure."""


def interleaved(rounds: int, *measures: Callable[[int], Any]) -> list[list[Any]]:
    """Take every measure once a round, in turn, so that what disturbs the machine disturbs all of them.

    Args:
        rounds: how often; each measure is given the round's number.
        measures: what is measured.

    Returns:
        For each measure what it gave, round by round.
    """
    taken: list[list[Any]] = [[] for _ in measures]
    for number in range(rounds):
        for measure, results in zip(measures, taken, strict=True):
            results.append(measure(number))
    return taken


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def quantile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def machine(versions: dict[str, str]) -> dict[str, Any]:
    """What the figures were taken on; `versions` are those of the servers."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "eventsourcing": version("eventsourcing"),
        "aiokafka": version("aiokafka"),
        **versions,
    }


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
