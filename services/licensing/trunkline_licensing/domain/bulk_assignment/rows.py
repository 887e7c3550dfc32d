"""What a row of a bulk assignment must be, as pure functions over rows in file order (L7, L8, L10, L11, L17).

A row is held against the rules in this order, and the first one it breaks is its failure: what it says by itself,
what rows before it say, who the person is, what the organization already has, what is left of the licenses. A row
that fails by itself takes no key, person or number from the rows after it; every other row does, whatever becomes of
it later: so the outcome does not depend on how fast answers about numbers come in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from trunkline.errors import Refused
from trunkline.text import InvisibleCharacter, clean, matching_form
from trunkline_licensing.domain.bulk_assignment.events import Identified
from trunkline_licensing.domain.pool.catalogue import Catalogue

_KEY: Final = re.compile(r"[0-9]{3,5}", re.ASCII)
_NUMBER: Final = re.compile(r"\+?([1-9][0-9]{2,14})", re.ASCII)
_REFERENCE: Final = re.compile(r"[0-9A-Za-z]{0,64}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SHOWN: Final = 60


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row as its file has it.

    Attributes:
        place: in the template, from 1.
        file: which of the template's files, from 0.
        line: in that file; the header is line 1.
        person: a name or a UUID, as `identified_by` says.
        addons: its own, beside the template's.
    """

    place: int
    file: int
    line: int
    ext_key: str
    person: str
    identified_by: Identified
    number: str = ""
    reference: str = ""
    addons: tuple[str, ...] = ()


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a row fails: one of L11's codes, with what it is about in parentheses where it has that, and a sentence."""

    code: str
    reason: str


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A row and all that can be said of it without looking at licenses and extensions.

    Attributes:
        identity_id: the person; None where it is not known.
        number: in E.164 form; None: the row has none.
        addons: the template's and its own.
        failure: None where nothing is wrong so far.
    """

    row: Row
    identity_id: str | None = None
    number: str | None = None
    addons: tuple[str, ...] = ()
    failure: Failure | None = None


class People(msgspec.Struct, frozen=True, gc=False):
    """Whom the organization's rows can mean.

    Attributes:
        named: matching form of a name (`text.matching_form`) -> those who are called so.
        known: the ids of all that rows name.
        near: matching form of a name that nobody has -> the one or two names nearest to it.
    """

    named: Mapping[str, Sequence[str]]
    known: Collection[str]
    near: Mapping[str, Sequence[str]] = {}


def is_uuid(text: str) -> bool:
    """Whether a cell names a person by UUID."""
    return _UUID.fullmatch(text) is not None


def judge(
    rows: Iterable[Row],
    addons: Sequence[str],
    catalogue: Catalogue,
    people: People,
    decided: Mapping[int, str] | None = None,
) -> list[Judged]:
    """Hold all rows of a template, in order, against what they say, each by itself and beside those before it.

    Args:
        rows: all of them: one that is missing would not be seen to stand before another.
        addons: the template's.
        catalogue: the add-ons there are.
        people: of the organization.
        decided: place -> person, of rows that were decided before: they stay whom they meant then.
    """
    before = _Before()
    judged: list[Judged] = []
    merged: dict[tuple[str, ...], tuple[tuple[str, ...], Failure | None]] = {}
    for row in rows:
        if row.addons not in merged:
            wanted = tuple(dict.fromkeys((*addons, *row.addons)))
            merged[row.addons] = wanted, addons_failure(wanted, catalogue)
        wanted, wrong = merged[row.addons]
        failure = form(row) or wrong
        number = e164(row.number) if row.number and failure is None else None
        failure = failure or before.repeats_key_or_number(row, number)
        who = None
        if failure is None:
            then = decided.get(row.place) if decided else None
            who, failure = (then, None) if then is not None else _person(row, people)
        if failure is None and who is not None:
            failure = before.repeats_person(row, who)
        if failure is None and who is not None:
            before.keep(row, who, number)
        judged.append(Judged(row, who, number, wanted, failure))
    return judged


class _Before:
    """What rows before have taken: key, person, number -> the row."""

    def __init__(self) -> None:
        self._keys: dict[str, Row] = {}
        self._people: dict[str, Row] = {}
        self._numbers: dict[str, Row] = {}

    def keep(self, row: Row, who: str, number: str | None) -> None:
        self._keys[row.ext_key] = row
        self._people[who] = row
        if number is not None:
            self._numbers[number] = row

    def repeats_key_or_number(self, row: Row, number: str | None) -> Failure | None:
        first = self._keys.get(row.ext_key)
        if first is not None:
            return Failure("EXT_DUPLICATE", f"The ext key {row.ext_key} stands in {_where(first, row)} already.")
        first = None if number is None else self._numbers.get(number)
        if first is not None:
            return Failure("NUMBER_DUPLICATE", f"The number {number} stands in {_where(first, row)} already.")
        return None

    def repeats_person(self, row: Row, who: str) -> Failure | None:
        first = self._people.get(who)
        if first is None:
            return None
        called = _cut(row.person)
        return Failure("USER_ASSIGNED", f"{called} gets an extension by {_where(first, row)}; nobody has two.")


def _where(first: Row, row: Row) -> str:
    of = "" if first.file == row.file else f" of the template's file {first.file + 1}"
    return f"line {first.line}{of}"


def form(row: Row) -> Failure | None:
    """What is wrong with a row by itself, column by column (L8)."""
    if not row.ext_key:
        return Failure("BLANK", "The ext key is blank; every row needs one.")
    if not row.person:
        return Failure("BLANK", "The user is blank; every row needs one.")
    if not _KEY.fullmatch(row.ext_key):
        return Failure("EXT_FORMAT", f"The ext key {_cut(row.ext_key)} is not 3 to 5 digits.")
    if row.number and not _NUMBER.fullmatch(row.number):
        return Failure(
            "NUMBER_FORMAT", f"The number {_cut(row.number)} is not one number of 3 to 15 digits, with or without +."
        )
    if not _REFERENCE.fullmatch(row.reference):
        return Failure("REFERENCE_FORMAT", f"The subscription reference {_cut(row.reference)} is not alphanumeric.")
    return None


def e164(number: str) -> str:
    """A number of digits, with or without +, in E.164 form."""
    return f"+{number.removeprefix('+')}"


def addons_failure(addons: Sequence[str], catalogue: Catalogue) -> Failure | None:
    """What is wrong with a set of add-ons: one that does not exist, or one whose prerequisite is missing (L17)."""
    try:
        catalogue.check(addons)
    except Refused as refused:
        return failure_of(refused)
    return None


def failure_of(refused: Refused) -> Failure:
    """A refusal as the failure of a row: its code in capitals, with the license's code where it is about one (L11)."""
    code = refused.code.replace("-", "_").upper()
    about = refused.facts.get("license_code")
    return Failure(code if about is None else f"{code}({_cut(str(about))})", refused.sentence)


_OF_ROWS: Final = {
    "EXT_DUPLICATE": "The ext key {key} is in use in this organization already.",
    "USER_ASSIGNED": "{person} has an extension already; nobody has two.",
}


def refused_row(row: Row, refused: Refused) -> Failure:
    """What the organization as it is refuses a row, said as the row says it."""
    failure = failure_of(refused)
    code = _OF_ROWS.get(failure.code)
    if code is None:
        return failure
    return Failure(failure.code, code.format(key=row.ext_key, person=_cut(row.person)))


def _person(row: Row, people: People) -> tuple[str | None, Failure | None]:
    if row.identified_by == "uuid":
        who = row.person.lower()
        if who in people.known:
            return who, None
        return None, Failure("USER_UNKNOWN", f"Nobody in this organization has the identity UUID {_cut(row.person)}.")
    form = matching_form(row.person)
    called = people.named.get(form, ())
    if not called:
        return None, Failure("USER_UNKNOWN", _nobody_called(row.person, people.near.get(form, ())))
    if len(called) > 1:
        several = f"{len(called)} people in this organization are called {_cut(row.person)}"
        return None, Failure("USER_AMBIGUOUS", f"{several}: name the one that is meant by identity UUID.")
    return called[0], None


def _nobody_called(name: str, near: Sequence[str]) -> str:
    """Why a name means nobody: a character in it that nobody sees, else with the names that are nearest."""
    try:
        clean(name)
    except InvisibleCharacter as error:
        return f"Nobody in this organization is called {_cut(name)!r}: the name {error}."
    meant = f" The nearest: {' and '.join(map(_cut, near))}." if near else ""
    return f"Nobody in this organization is called {_cut(name)}.{meant}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


# -- what others say of a row ------------------------------------------------------------------------------------------


def number_unavailable(number: str, why: str) -> Failure:
    """The numbers service refuses the row's number."""
    return Failure("NUMBER_UNAVAILABLE", f"The number {number} cannot be bound: {why}")


def binding_timeout(number: str) -> Failure:
    """The numbers service has not answered about the row's number."""
    return Failure("BINDING_TIMEOUT", f"No answer came about the number {number} in time.")


def withdrawn(cause: str) -> Failure:
    """The row's extension ended while its number was being asked for."""
    return Failure("NUMBER_UNAVAILABLE", f"The extension was deleted ({cause}) before its number was bound.")


def all_or_nothing(index: int, code: str) -> Failure:
    """The row is good, but another one is not, and all or nothing was asked for."""
    return Failure("ALL_OR_NOTHING", f"All or nothing was asked for, and row {index} fails with {code}.")
