"""New extensions, many at once: which of them can be, and all that their birth takes (L1-L4, L10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.events import BulkRow, Facts, HungAddon, NumberOn
from trunkline_licensing.domain.extension.extension import (
    EXTENSION,
    check_key,
    check_name,
    key_claim,
    next_generation,
    user_claim,
)
from trunkline_licensing.domain.extension.extension import provision as born
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.facts import Identity
from trunkline_licensing.domain.pool.catalogue import BASE, Catalogue
from trunkline_licensing.domain.pool.errors import ExtDuplicate, NumberDuplicate, UserAssigned, UserUnknown
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.domain.pool.units import Spare

ANSWER_WITHIN: Final = timedelta(seconds=60)
"""How long numbers may take to answer a request to bind, unless the settings say otherwise."""


class NewExtension(msgspec.Struct, frozen=True, kw_only=True):
    """An extension to be.

    Attributes:
        extension_id: a new UUID.
        ext_key: 3 to 5 digits, that nobody has in the organization.
        user_id: the person it serves; None: nobody yet.
        directory_name: None: none.
        addons: codes of its add-ons.
        number: E.164, to be asked for; None: none.
        reference: of the subscription that its base unit must be of; None: of any.
        bulk: the row that asks for it.
    """

    extension_id: str
    ext_key: str
    user_id: str | None = None
    directory_name: str | None = None
    addons: tuple[str, ...] = ()
    number: str | None = None
    reference: str | None = None
    bulk: BulkRow | None = None


class Plan:
    """What would become of some rows, in their order: each is granted all that it takes, or nothing.

    Attributes:
        outcomes: for each row None, or why it cannot be.
    """

    def __init__(
        self, uow: UnitOfWork, organization_id: str, rows: Sequence[NewExtension], catalogue: Catalogue
    ) -> None:
        """Read what the rows need, in three queries, and decide them; nothing is recorded.

        Args:
            uow: where it is read, and recorded later.
            organization_id: whose extensions they are to be.
            rows: in the order in which they are served (DOMAIN §10.3).
            catalogue: the add-ons there are.
        """
        self._uow, self._organization_id, self._catalogue = uow, organization_id, catalogue
        self._claims = UniqueKeys(uow)
        self._read(rows)
        self._taken: set[str] = set()
        self._born: list[tuple[NewExtension, Facts]] = []
        self.outcomes: list[Refused | None] = [self._try(row) for row in rows]

    @property
    def refused(self) -> list[tuple[int, Refused]]:
        """The rows that cannot be, by their place, and why."""
        return [(index, outcome) for index, outcome in enumerate(self.outcomes) if outcome is not None]

    def record(self, cause: Causation, answer_within: timedelta = ANSWER_WITHIN) -> None:
        """Put on record all that can be: extensions, claims, requests for numbers, one allocation for each pool."""
        uow = self._uow
        for key, spare in self._spare.items():
            uow.record(POOL, pool_key(self._organization_id, key), spare.allocated(uow.now), cause)
        uow.load((EXTENSION, row.extension_id) for row, _ in self._born)
        for row, facts in self._born:
            requested = None
            if row.number is not None:
                generation = next_generation(uow.state(EXTENSION, row.extension_id), uow.epoch)
                requested = NumberOn(number=row.number, generation=generation, answer_by=uow.now + answer_within)
            events = born(msgspec.structs.replace(facts, number=requested), uow.now, row.bulk)
            x = uow.record(EXTENSION, row.extension_id, events, cause)
            self._claims.move(EXTENSION.stream(row.extension_id), (), x.claims)

    # -- deciding ---------------------------------------------------------------------------------------------

    def _read(self, rows: Sequence[NewExtension]) -> None:
        uow, org = self._uow, self._organization_id
        codes = dict.fromkeys((BASE, *(code for row in rows for code in row.addons)))
        wanted = [(POOL, pool_key(org, code)) for code in codes]
        uow.load([*wanted, *((IDENTITY, row.user_id) for row in rows if row.user_id is not None)])
        self._spare = {code: Spare(uow.state(POOL, pool_key(org, code))) for code in codes}
        users = [user_claim(row.user_id) for row in rows if row.user_id is not None]
        self._claims.read([*(key_claim(org, row.ext_key) for row in rows), *users])

    def _try(self, row: NewExtension) -> Refused | None:
        try:
            self._check(row)
            units = self._grant(row)
        except Refused as refused:
            return refused
        self._taken.update(self._claims_of(row))
        facts = Facts(
            organization_id=self._organization_id,
            ext_key=row.ext_key,
            subscription_id=units[BASE],
            user_id=row.user_id,
            directory_name=row.directory_name,
            addons=tuple(HungAddon(code, units[code]) for code in sorted(row.addons)),
        )
        self._born.append((row, facts))
        return None

    def _check(self, row: NewExtension) -> None:
        check_key(row.ext_key)
        stream = EXTENSION.stream(row.extension_id)
        others = self._claims.of_others(stream, self._claims_of(row))
        key = key_claim(self._organization_id, row.ext_key)
        if key in self._taken or key in others:
            raise ExtDuplicate(value=row.ext_key)
        if row.directory_name is not None:
            check_name(row.directory_name)
        if row.user_id is not None:
            self._check_user(row.user_id, others)
        if row.number is not None and f"number:{row.number}" in self._taken:
            raise NumberDuplicate(value=row.number)
        self._catalogue.check(row.addons)

    def _check_user(self, user_id: str, others: dict[str, str]) -> None:
        if not in_organization(self._uow, user_id, self._organization_id):
            raise UserUnknown(value=user_id)
        if user_claim(user_id) in self._taken or user_claim(user_id) in others:
            raise UserAssigned(value=user_id)

    def _claims_of(self, row: NewExtension) -> list[str]:
        found = [key_claim(self._organization_id, row.ext_key)]
        found += [user_claim(row.user_id)] if row.user_id is not None else []
        return found

    def _grant(self, row: NewExtension) -> dict[str, str]:
        """A unit of the base license and of each add-on, or of none of them: by code, the subscription it is of."""
        units: dict[str, str] = {}
        try:
            for code in (BASE, *row.addons):
                reference = row.reference if code == BASE else None
                units[code] = self._spare[code].take(row.extension_id, reference)
        except Refused:
            for code in units:
                self._spare[code].put_back(row.extension_id)
            raise
        return units


def provision(
    uow: UnitOfWork,
    organization_id: str,
    rows: Sequence[NewExtension],
    catalogue: Catalogue,
    cause: Causation,
    *,
    answer_within: timedelta = ANSWER_WITHIN,
) -> list[Refused | None]:
    """Make those of some rows extensions that can be: for a door, and for a chunk of a bulk assignment.

    Args:
        uow: what it reads and records; once for some hundreds of rows.
        organization_id: whose extensions they are.
        rows: in the order in which they are served.
        catalogue: the add-ons there are.
        cause: goes into the envelopes.
        answer_within: how long numbers may take to answer a request to bind.

    Returns:
        For each row None, or why it was not made: then it takes nothing.
    """
    plan = Plan(uow, organization_id, rows, catalogue)
    plan.record(cause, answer_within)
    return plan.outcomes


def in_organization(uow: UnitOfWork, identity_id: str, organization_id: str) -> bool:
    """Whether there is such a person in an organization, now."""
    person = uow.state(IDENTITY, identity_id)
    details = person.details
    return isinstance(details, Identity) and details.organization_id == organization_id and not person.removed
