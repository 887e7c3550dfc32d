"""When the rows of a bulk assignment are held against the rules: each fails by its own code (L8, L10)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_licensing.domain.bulk_assignment.rows import People, Row, judge
from trunkline_licensing.domain.pool.catalogue import Catalogue

ADA, BOB, EVE = (f"652d2f57-6e3b-4170-8bf9-00000000000{n}" for n in (1, 2, 3))
PEOPLE = People(named={"ada": (ADA,), "bob": (BOB,), "eve": (EVE, BOB)}, known={ADA, BOB, EVE})
CATALOGUE = Catalogue()


def row(index: int = 1, ext_key: str = "101", person: str = "Ada", number: str = "", **more: Any) -> Row:
    return Row(
        place=index,
        file=more.pop("file", 0),
        line=index + 1,
        ext_key=ext_key,
        person=person,
        identified_by=more.pop("by", "name"),
        number=number,
        **more,
    )


def codes(*rows: Row, addons: tuple[str, ...] = ()) -> list[str | None]:
    return [j.failure.code if j.failure else None for j in judge(rows, addons, CATALOGUE, PEOPLE)]


BAD: list[tuple[str, Row]] = [
    ("BLANK", row(ext_key="")),
    ("BLANK", row(person="")),
    ("EXT_FORMAT", row(ext_key="12")),
    ("EXT_FORMAT", row(ext_key="123456")),
    ("EXT_FORMAT", row(ext_key="10a")),
    ("EXT_FORMAT", row(ext_key="١٢٣")),
    ("NUMBER_FORMAT", row(number="6531580001 ")),
    ("NUMBER_FORMAT", row(number="+65-3158-0001")),
    ("NUMBER_FORMAT", row(number="+6531580001;+6531580002")),
    ("NUMBER_FORMAT", row(number="+")),
    ("NUMBER_FORMAT", row(number="+1234567890123456")),
    ("NUMBER_FORMAT", row(number="+０１２３４")),
    ("REFERENCE_FORMAT", row(reference="abc-123")),
    ("REFERENCE_FORMAT", row(reference="äbc")),
    ("REFERENCE_FORMAT", row(reference="a" * 65)),
    ("USER_UNKNOWN", row(person="Zoe")),
    ("USER_UNKNOWN", row(person="652d2f57-6e3b-4170-8bf9-000000000009", by="uuid")),
    ("USER_AMBIGUOUS", row(person="Eve")),
    ("ADDON_UNKNOWN(teleport)", row(addons=("teleport",))),
    ("ADDON_PREREQUISITE(license_center)", row(addons=("license_center",))),
]


@pytest.mark.parametrize(("code", "bad"), BAD, ids=[f"{code}-{n}" for n, (code, _) in enumerate(BAD)])
def test_then_each_fails_by_its_own_code_with_a_sentence(code: str, bad: Row) -> None:
    """L8, L11, L17, §9: the first rule that a row breaks is its failure, and the row after it is untouched."""
    first, second = judge([bad, row(2, "202", "Bob")], (), CATALOGUE, PEOPLE)
    assert first.failure is not None
    assert (first.failure.code, first.failure.reason[-1]) == (code, ".")
    assert second.failure is None


def test_then_a_row_before_takes_key_person_and_number() -> None:
    """L8, L10, L11: the second of two in a template fails, also where one names by UUID and the other by name."""
    assert codes(row(1), row(2, person="Bob")) == [None, "EXT_DUPLICATE"]
    assert codes(row(1), row(2, "102")) == [None, "USER_ASSIGNED"]
    assert codes(row(1), row(2, "102", ADA.upper(), by="uuid")) == [None, "USER_ASSIGNED"]
    assert codes(row(1, number="6531580001"), row(2, "102", "Bob", "+6531580001")) == [None, "NUMBER_DUPLICATE"]


def test_then_a_row_that_fails_by_itself_takes_nothing() -> None:
    """L10: good rows go through."""
    assert codes(row(1, person="Zoe"), row(2)) == ["USER_UNKNOWN", None]
    assert codes(row(1, number="x"), row(2)) == ["NUMBER_FORMAT", None]
    assert codes(row(1, addons=("teleport",)), row(2)) == ["ADDON_UNKNOWN(teleport)", None]


def test_then_its_add_ons_are_the_templates_and_its_own() -> None:
    """L7, L17: each once; what one of them needs may be among the others."""
    (judged,) = judge(
        [row(addons=("device_ip_phone", "team_chat"))], ("team_chat", "license_center"), CATALOGUE, PEOPLE
    )
    assert judged.failure is None
    assert judged.addons == ("team_chat", "license_center", "device_ip_phone")


def test_then_the_sentence_names_the_line_and_the_file() -> None:
    """§9: what, where and why."""
    _, second = judge([row(1), row(7, person="Bob", file=1)], (), CATALOGUE, PEOPLE)
    assert second.failure is not None
    assert second.failure.reason == "The ext key 101 stands in line 2 of the template's file 1 already."


def test_then_a_row_decided_before_stays_whom_it_meant() -> None:
    """L13: a run that goes on after a crash does not think again about what is done."""
    rows = [row(1, person="Eve"), row(2, "102", "Bob")]
    first, second = judge(rows, (), CATALOGUE, PEOPLE, {1: BOB})
    assert (first.identity_id, first.failure) == (BOB, None)
    assert second.failure is not None
    assert second.failure.code == "USER_ASSIGNED"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["101", "102", "10", "", "10001", "100001"]),
            st.sampled_from(["Ada", "Bob", "Eve", "Zoe", ""]),
            st.sampled_from(["", "+6531580001", "6531580002", "no"]),
        ),
        max_size=12,
    )
)
def test_then_nothing_is_given_twice(cells: list[tuple[str, str, str]]) -> None:
    """L8, L10: whatever the rows are, no key, person or number is in two good ones, and each bad one has a code."""
    judged = judge([row(n, *c) for n, c in enumerate(cells, 1)], (), CATALOGUE, PEOPLE)
    good = [j for j in judged if j.failure is None]
    for of in ([j.row.ext_key for j in good], [j.identity_id for j in good], [j.number for j in good if j.number]):
        assert len(of) == len(set(of))
    assert [j.row.place for j in judged] == list(range(1, len(cells) + 1))
