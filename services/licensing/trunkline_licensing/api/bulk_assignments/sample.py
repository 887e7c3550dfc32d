"""Sample files: one for each layout, made for the organization so that it runs through as it is (L7).

Where the organization has people without an extension, the sample is about two of them, with keys, a number and
add-ons that are free; where it has none, it is the one of the product's documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.files.table_writer import csv_bytes
from trunkline_licensing.application.bulk_assignment.layouts import LayoutName
from trunkline_licensing.domain.bulk_assignment.rows import is_uuid
from trunkline_licensing.domain.extension.extension import key_claim
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.pool import POOL, pool_key

Person = tuple[str, str]
_HEADINGS: Final[dict[LayoutName, tuple[str, ...]]] = {
    "name": ("Ext Key", "User's Name", "Number", "Subscription Reference"),
    "uuid": ("Ext Key", "Identity UUID", "Number", "Subscription Reference"),
    "addons": ("Ext Key", "Number", "User", "Addon License", "Addon License"),
}
_DOCUMENTED: Final[Sequence[Person]] = (
    ("652d2f57-6e3b-4170-8bf9-4f1e98c88b56", "Tony"),
    ("7bccb66a-61bc-4bc0-85e6-7fd5e4b1708e", "Jane"),
)
_PEOPLE: Final = (
    "SELECT p.key, p.name FROM (SELECT key, name, count(*) OVER (PARTITION BY name) AS called_so FROM identity_view"
    " WHERE organization_id = %s AND NOT removed) p WHERE called_so = 1 AND name = btrim(name)"
    " AND NOT EXISTS (SELECT FROM claims WHERE claim = 'user:' || p.key) ORDER BY name, key LIMIT 20"
)
_KEYS: Final = (
    "SELECT s.n::text FROM generate_series(101, 99999) AS s(n)"
    " WHERE NOT EXISTS (SELECT FROM claims WHERE claim = %s || s.n) ORDER BY s.n LIMIT 2"
)
_NUMBER: Final = (
    "SELECT number FROM number_copy WHERE organization_id = %s AND state = 'assigned' AND NOT bound"
    " AND capabilities LIKE '%%voice%%' ORDER BY number LIMIT 1"
)


def sample(uow: UnitOfWork, organization_id: str, layout: LayoutName, catalogue: Catalogue) -> Iterator[bytes]:
    """A sample file, as CSV.

    Args:
        uow: what is free is read with it.
        organization_id: whose people it is about.
        layout: which one.
        catalogue: the add-ons there are.
    """
    people = [person for person in uow.fetch(_PEOPLE, (organization_id,)) if not is_uuid(person[1])][:2]
    if not people:
        rows = _rows(layout, _DOCUMENTED, ("101", "102"), "+6512345678", ("device_ip_phone", "call_recording"))
        return csv_bytes(_HEADINGS[layout], rows)
    keys = [key for (key,) in uow.fetch(_KEYS, (key_claim(organization_id, ""),))]
    addons = _free_addons(uow, organization_id, catalogue, len(people))
    number = next((number for (number,) in uow.fetch(_NUMBER, (organization_id,))), "")
    return csv_bytes(_HEADINGS[layout], _rows(layout, people[: len(keys)], keys, number, addons))


def _free_addons(uow: UnitOfWork, organization_id: str, catalogue: Catalogue, wanted: int) -> tuple[str, ...]:
    """Two add-ons at most that can stand alone and have a unit left for each row."""
    alone = [code for code, addon in catalogue.addons.items() if not addon.needs]
    uow.load((POOL, pool_key(organization_id, code)) for code in alone)
    free = (code for code in alone if uow.state(POOL, pool_key(organization_id, code)).free >= wanted)
    return tuple(islice(free, 2))


def _rows(
    layout: LayoutName, people: Sequence[Person], keys: Sequence[str], number: str, addons: Sequence[str]
) -> Iterator[Sequence[str]]:
    """The first row has all that a row can have, the second one only what it must."""
    for index, ((identity_id, name), key) in enumerate(zip(people, keys, strict=False)):
        first = index == 0
        if layout == "addons":
            codes = [*addons, "", ""][:2] if first else [*addons[:1], *("", "")][:2]
            yield (key, number if first else "", name, *codes)
        else:
            yield (key, identity_id if layout == "uuid" else name, number if first else "", "")
