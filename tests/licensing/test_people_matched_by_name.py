"""Whom a name in a file of people means (L10, L11, §9)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_licensing.application.bulk_assignment.people import nearest, people_of
from trunkline_licensing.domain.bulk_assignment.rows import Row, judge
from trunkline_licensing.domain.pool.catalogue import Catalogue

ADA, BOB, EVE, ZOE = (f"652d2f57-6e3b-4170-8bf9-00000000000{n}" for n in (1, 2, 3, 4))
PEOPLE = {ADA: "Ada O'Neil", BOB: "Anne-Marie  Smith", EVE: "Stra\u00dfe", ZOE: "Zo\u00eb Lund"}


def fetch(names: dict[str, str]) -> Any:
    """The view of people, answering from a table of names."""
    return lambda sql, parameters: [
        (key, name) for key, name in names.items() if len(parameters) == 1 or key in parameters[1]
    ]


def row(person: str, index: int = 1) -> Row:
    return Row(index, 0, index + 1, str(100 + index), person, "name")


def outcome(person: str, names: dict[str, str] = PEOPLE) -> tuple[str | None, str | None, str]:
    """The person, or the code and the sentence of the failure."""
    rows = [row(person)]
    (judged,) = judge(rows, (), Catalogue(), people_of(fetch(names), "org", rows))
    failure = judged.failure
    return judged.identity_id, failure and failure.code, failure.reason if failure else ""


@pytest.mark.parametrize(("written", "who"), [
    ("ADA O\u2019NEIL", ADA),
    ("ada o'neil", ADA),
    ("Anne\u2011Marie\u00a0Smith", BOB),
    ("anne\u2013marie smith", BOB),
    ("STRASSE", EVE),
    ("Zoe\u0308 Lund", ZOE),
    (" zo\u00eb  lund ", ZOE),
])  # fmt: skip
def test_then_a_name_matches_without_case_and_typography(written: str, who: str) -> None:
    """L10: composed or decomposed, typographic apostrophes and dashes, no-break blanks."""
    assert outcome(written) == (who, None, "")


def test_then_two_people_whose_names_match_are_ambiguous() -> None:
    """L11: also where their names are written in two ways."""
    who, code, _ = outcome("ada o'neil", PEOPLE | {BOB: "ADA O\u2019Neil"})
    assert (who, code) == (None, "USER_AMBIGUOUS")


def test_then_a_name_that_nobody_has_comes_with_the_nearest() -> None:
    """L11: one or two, by their own spelling; none where nobody is near."""
    _, code, reason = outcome("Ada O'Neal")
    assert code == "USER_UNKNOWN"
    assert reason.endswith("The nearest: Ada O'Neil.")
    assert "nearest" not in outcome("Xerxes")[2]


def test_then_a_character_that_nobody_sees_is_named() -> None:
    """§9: what keeps a name from matching is not seen, so it is told."""
    _, code, reason = outcome("Ada\u202e O'Neil")
    assert code == "USER_UNKNOWN"
    assert "U+202E (RIGHT-TO-LEFT OVERRIDE) at character 4" in reason


def test_then_only_so_many_names_are_compared() -> None:
    """L9: 15,000 wrong names in an organization of 15,000 are judged like others, a hundred with suggestions."""
    names = {str(n): f"Person {n:05}" for n in range(15_000)}
    rows = [row(f"Pers0n {n:05}", n) for n in range(1, 15_001)]
    people = people_of(fetch(names), "org", rows)
    assert 0 < len(people.near) <= 100
    assert people.near["pers0n 00007"][0] == "Person 00007"


def test_then_the_nearest_come_first() -> None:
    """L11: at most two."""
    people = {"ada lovelace": "Ada Lovelace", "ada lovelass": "Ada Lovelass", "ada love": "Ada Love", "bob": "Bob"}
    assert nearest(["ada lovelac"], people) == {"ada lovelac": ["Ada Lovelace", "Ada Lovelass"]}
