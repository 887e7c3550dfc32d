"""When a cell looks like a formula: no spreadsheet executes it, and it comes back as it was (§9)."""

from __future__ import annotations

import re

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.files.formula_escaping import bare, tame, tame_sql

TRICKY = st.text(alphabet="'=+-@＝ \u00a0\u3000\t\r\n;,|aé0\"", max_size=12) | st.text(max_size=12)
LIVE = re.compile(r"(?:\A|[;\t\r\n])[ \x0b\x0c\u00a0\u3000\ufeff]*[=+\-@＝＋－＠]|\A[\t\r\n]")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+6512345678", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "a;=1", "a\n=1", "'=1", "''=1",
        "=HYPERLINK(\"http://x\")", "=cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_then_it_is_made_harmless(text: str) -> None:
    """§9: = + - @, tab and CR at the beginning, also where another program would begin a cell."""
    assert not LIVE.search(tame(text))
    assert "'" in tame(text)
    assert bare(tame(text)) == text


@pytest.mark.parametrize("text", ["", "Ann", "O'Neil", "a-b", "1+1", "a = b", "'quoted'", "x@example.org"])
def test_then_what_is_no_formula_is_left_as_it_is(text: str) -> None:
    """§9: only what would be executed is touched."""
    assert tame(text) == bare(text) == text


@given(TRICKY)
def test_then_any_text_is_harmless_and_comes_back(text: str) -> None:
    """§9: reading takes away exactly what writing put in."""
    assert not LIVE.search(tame(text))
    assert bare(tame(text)) == text


@given(TRICKY)
def test_then_a_tamed_number_is_that_number_with_an_apostrophe(text: str) -> None:
    """§9: `+6512345678` survives, and nothing that was not tamed is changed into something live by being read twice."""
    assert tame("+6512345678") == "'+6512345678"
    assert bare(tame(tame(text))) == tame(text)


def test_then_the_database_tames_as_the_program_does(database_url: str) -> None:
    """§9: an export that PostgreSQL writes is the same."""
    pieces = ["'", "=", "＋", " ", "\u00a0", "\ufeff", "\t", "\r", "\n", ";", "a", "-", "@"]
    texts = [a + b + c + d for a in pieces for b in pieces for c in pieces for d in ("", "=", "'=", "x")]
    with psycopg.connect(database_url) as conn:
        asked = f"SELECT t, {tame_sql('t')} FROM unnest(%s::text[]) AS t".encode()
        rows = conn.execute(asked, (texts,)).fetchall()
    assert len(rows) == len(texts)
    assert [(t, said) for t, said in rows if said != tame(t)] == []
