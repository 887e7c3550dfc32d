"""One form for every text that people write (§9)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.text import InvisibleCharacter, clean, clean_lines, matching_form, normalize

_SEEN = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=60)


@pytest.mark.parametrize(("written", "text"), [
    ("Zoe\u0308", "Zo\u00eb"),
    ("Ada ", "Ada"),
    ("\u00a0Ada\u2003 Lovelace  ", "Ada Lovelace"),
    ("   ", ""),
    ("a  b", "a b"),
])  # fmt: skip
def test_then_two_spellings_of_one_text_are_one(written: str, text: str) -> None:
    """§9: composed, no blanks around, single blanks within."""
    assert clean(written) == text


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("a\u202eb", "U+202E (RIGHT-TO-LEFT OVERRIDE) at character 2"),
        ("\u200bAda", "U+200B (ZERO WIDTH SPACE) at character 1"),
        ("Ada\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE) at character 4"),
        ("A\tda", "U+0009 at character 2"),
        ("A\x00", "U+0000 at character 2"),
        ("\ud83d", "U+D83D at character 1"),
        ("a\u2028b", "U+2028 (LINE SEPARATOR) at character 2"),
    ],
)
def test_then_a_character_that_nobody_sees_is_named_with_its_place(written: str, named: str) -> None:
    """§9: control, bidirectional, zero-width."""
    with pytest.raises(InvisibleCharacter, match=named.replace("+", r"\+").replace("(", r"\(").replace(")", r"\)")):
        clean(written)


def test_then_line_breaks_stay_in_a_text_of_lines() -> None:
    """§9: each line by itself."""
    assert clean_lines(" one \r\n\ntwo  three\n") == "one\n\ntwo three"


@given(_SEEN)
def test_then_the_one_form_is_stable(text: str) -> None:
    """§9: what is in its form stays as it is, and a composed and a decomposed spelling meet."""
    form = clean(text)
    assert clean(form) == form == normalize(text)
    assert clean(unicodedata.normalize("NFD", text)) == form
    assert clean(f" {text}\u00a0 ") == form


@pytest.mark.parametrize(("one", "other"), [
    ("Sean O\u2019Neil", "sean o'neil"),
    ("Anne\u2011Marie", "ANNE-MARIE"),
    ("Zoe\u0308", "ZO\u00cb"),
    ("Stra\u00dfe", "STRASSE"),
    ("Ada\u00a0Lovelace", "ada  lovelace"),
])  # fmt: skip
def test_then_names_match_without_case_and_typography(one: str, other: str) -> None:
    """L10: a name in a file means the person whose name has the same matching form."""
    assert matching_form(one) == matching_form(other)


@given(st.text(max_size=40))
def test_then_a_matching_form_is_made_of_anything(text: str) -> None:
    """L10: of names that were stored before, too; it is stable, whatever the case."""
    form = matching_form(text)
    assert matching_form(form) == form
