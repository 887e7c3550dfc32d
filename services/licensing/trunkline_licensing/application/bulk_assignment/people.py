"""Whom the rows of a bulk assignment mean: the people of the organization, by name and by UUID (L10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from trunkline.text import matching_form
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import Bulk
from trunkline_licensing.domain.bulk_assignment.rows import Judged, People, Row, judge
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.tables.bulk_rows import Fetch, all_rows, people_of_done

_PEOPLE: Final = "SELECT key, name FROM identity_view WHERE organization_id = %s AND NOT removed"
_MOST_COMPARED: Final = 100
"""Names that are compared with all others: whoever has more rows like these has another mistake."""
_MOST_CANDIDATES: Final = 20
_SIMILAR: Final = 0.75


def people_of(fetch: Fetch, organization_id: str, rows: Sequence[Row]) -> People:
    """The people that some rows can mean, in two queries at most over the view of people.

    Names are matched here and not by the database: their matching form is nothing that PostgreSQL computes.
    """
    names = dict.fromkeys(matching_form(row.person) for row in rows if row.identified_by == "name" and row.person)
    ids = list({row.person.lower() for row in rows if row.identified_by == "uuid"})
    known = fetch(f"{_PEOPLE} AND key = ANY(%b)", (organization_id, ids)) if ids else []
    named: dict[str, list[str]] = {}
    everybody: dict[str, str] = {}
    for key, name in fetch(_PEOPLE, (organization_id,)) if names else ():
        form = matching_form(name)
        everybody.setdefault(form, name)
        if form in names:
            named.setdefault(form, []).append(key)
    missing = [name for name in names if name not in named][:_MOST_COMPARED]
    near = nearest(missing, everybody) if missing else {}
    return People(named, frozenset(key for key, _ in known), near)


def nearest(missing: Collection[str], people: Mapping[str, str]) -> dict[str, list[str]]:
    """The one or two people whose names are most like each of some names that nobody has.

    Args:
        missing: matching forms of the names that nobody has.
        people: matching form -> name of everybody in the organization.

    Returns:
        Matching form -> names, the most similar first; those without any are left out.
    """
    by_word: dict[str, list[str]] = {}
    for form in people:
        for word in {*form.split(), form[:3]}:
            by_word.setdefault(word, []).append(form)
    found: dict[str, list[str]] = {}
    for form in missing:
        shared = dict.fromkeys(
            candidate
            for word in sorted({*form.split(), form[:3]}, key=lambda word: len(by_word.get(word, ())))
            for candidate in by_word.get(word, ())[:_MOST_CANDIDATES]
        )
        if close := _most_similar(form, tuple(shared)[:_MOST_CANDIDATES]):
            found[form] = [people[name] for name in close]
    return found


@lru_cache(1024)  # a run judges its rows once for each chunk
def _most_similar(form: str, candidates: tuple[str, ...]) -> list[str]:
    return get_close_matches(form, candidates, n=2, cutoff=_SIMILAR)


def judged_rows(fetch: Fetch, b: Bulk, catalogue: Catalogue) -> list[Judged]:
    """All rows of a template, in file order, held against what can be said without looking at licenses."""
    assert b.organization_id is not None
    rows = all_rows(fetch, b)
    decided = people_of_done(fetch, b.id) if b.status == "in_progress" else {}
    return judge(rows, b.addons, catalogue, people_of(fetch, b.organization_id, rows), decided)
