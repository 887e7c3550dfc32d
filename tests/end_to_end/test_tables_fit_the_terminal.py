"""When a table is wider than the terminal: columns are left out, never is a number or an id broken (O1)."""

from __future__ import annotations

import ast
from io import StringIO
from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from trunkline import cli
from trunkline.cli.terminal.fitting_table import FittingTable, fitting, shared_out

IDS = st.uuids().map(str)
NUMBERS = st.integers(10**6, 10**14).map(lambda digits: f"+{digits}")
CELLS = st.one_of(IDS, NUMBERS, st.just("2026-03-01 00:00:00Z"), st.text("abc de", max_size=90), st.just("–"))


def printed(headings: list[str], rows: list[list[str]], width: int) -> list[str]:
    out = StringIO()
    table = FittingTable(headings, [[Text(cell) for cell in row] for row in rows])
    Console(file=out, width=width, highlight=False).print(table)
    return out.getvalue().splitlines()


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)),
       st.integers(64, 140))  # fmt: skip
def test_then_no_number_and_no_id_is_broken(rows: list[list[str]], width: int) -> None:
    """O1: each id and number of a column that is shown stands whole in a line, and no line is too long."""
    headings = [f"column{place}" for place in range(len(rows[0]))]
    lines = printed(headings, rows, width)
    assert max(map(len, lines)) <= width
    shown = [place for place, heading in enumerate(headings) if any(heading in line for line in lines[:1])]
    assert shown[0] == 0
    for row in rows:
        for place in shown:
            word = row[place]
            if word.startswith("+") or _is_id(word):
                assert any(word in line for line in lines), (word, lines)


def _is_id(word: str) -> bool:
    try:
        return str(UUID(word)) == word
    except ValueError:
        return False


def test_then_what_is_left_out_is_named() -> None:
    """O1: with the two ways to see it."""
    lines = printed(
        ["subscription", "of", ">facts"], [["1e4cf1f5-3d1a-4c1b-9a55-6d3f0a1f2c03", "+442079460001", "12"]], 56
    )
    assert " ".join(lines[-2:]).split("Not shown at this width: ")[1].startswith("facts.")
    assert "facts" in printed(["subscription", "of", ">facts"], [["a", "b", "12"]], 56)[0]


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(["2 days ago", "in 1,200 days", "now"])), min_size=1, max_size=4))
def test_then_a_distance_beside_an_instant_costs_no_column(rows: list[tuple[str, str]]) -> None:
    """O1: at 80 columns it stands below the instant, and the table has the columns that it has without."""
    instant, headings = "2026-03-01 00:00:00.000Z", ["number", "since", "until", "state", "why"]
    plain = [[number, instant, instant, "reserved", "x"] for number, _ in rows]
    beside = [[number, f"{instant} ({far})", f"{instant} ({far})", "reserved", "x"] for number, far in rows]
    shown, without = printed(headings, beside, 80), printed(headings, plain, 80)
    assert [word for word in headings if word in shown[0]] == [word for word in headings if word in without[0]]
    assert all(any(number in line for line in shown) for number, _ in rows)


def test_then_widths_are_shared_out_to_those_that_want_the_least_more() -> None:
    """O1: what needs little more gets all of it; long texts share the rest."""
    assert fitting([36, 16, 13, 20], 80) == 3
    assert fitting([100], 80) == 1
    assert shared_out([10, 10, 10], [10, 12, 90], 80) == [10, 12, 52]


def test_then_every_table_has_headings() -> None:
    """O1: no column without a name, in any command."""
    folder = Path(str(cli.__file__)).parent
    calls = [
        (file.name, node.lineno, node.args[0])
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "table" and node.args
    ]
    assert len(calls) > 20
    for name, line, headings in calls:
        empty = [e for e in ast.walk(headings) if isinstance(e, ast.Constant) and e.value == ""]
        assert not empty, f"{name}:{line}"
