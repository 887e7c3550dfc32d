"""Whom the rows of a bulk assignment mean: the people of the organization, by name and by UUID (L10)."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline_licensing.bulk_assignment import Bulk
from trunkline_licensing.bulk_rows import Judged, People, Row, judge
from trunkline_licensing.license_codes import Catalogue
from trunkline_licensing.views.bulk_row_table import Fetch, all_rows, people_of_done

_PEOPLE = "SELECT key, name FROM identity_view WHERE organization_id = %s AND NOT removed AND"


def people_of(fetch: Fetch, organization_id: str, rows: Sequence[Row]) -> People:
    """The people that some rows can mean, in two queries over the view of people."""
    names = list({row.person for row in rows if row.identified_by == "name" and row.person})
    ids = list({row.person.lower() for row in rows if row.identified_by == "uuid"})
    found = fetch(f"{_PEOPLE} name = ANY(%b)", (organization_id, names)) if names else []
    known = fetch(f"{_PEOPLE} key = ANY(%b)", (organization_id, ids)) if ids else []
    named: dict[str, list[str]] = {}
    for key, name in found:
        named.setdefault(name, []).append(key)
    return People(named, frozenset(key for key, _ in known))


def judged_rows(fetch: Fetch, b: Bulk, catalogue: Catalogue) -> list[Judged]:
    """All rows of a template, in file order, held against what can be said without looking at licenses."""
    assert b.organization_id is not None
    rows = all_rows(fetch, b)
    decided = people_of_done(fetch, b.id) if b.status == "in_progress" else {}
    return judge(rows, b.addons, catalogue, people_of(fetch, b.organization_id, rows), decided)
