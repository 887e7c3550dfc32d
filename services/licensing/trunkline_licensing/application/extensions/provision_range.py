"""Provision by hand: consecutive keys from a starting one, all of them or none, every conflict listed (L1, §10.11)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.conflicts import Conflicts
from trunkline_licensing.application.extensions.provision import NewExtension, Plan, in_organization
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.extension import EXTENSION, key_claim, keys_from, user_claim
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.pool.catalogue import BASE, Catalogue
from trunkline_licensing.domain.pool.errors import ExtDuplicate, NotEnoughLicenses, UserAssigned, UserUnknown
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.domain.pool.units import Spare


class ProvisionWhole:
    """One command that makes so many extensions, within one piece of work."""

    def __init__(self, uow: UnitOfWork, organization_id: str, catalogue: Catalogue, cause: Causation) -> None:
        """Begin.

        Args:
            uow: what it reads and records.
            organization_id: whose extensions they are to be.
            catalogue: the add-ons there are.
            cause: goes into the envelopes.
        """
        self._uow, self._org, self._catalogue, self._cause = uow, organization_id, catalogue, cause
        self._conflicts = Conflicts()

    def provision(
        self,
        count: int,
        start_from: str,
        users: Sequence[str] = (),
        addons: Sequence[str] = (),
        reference: str | None = None,
    ) -> list[str]:
        """Make the extensions.

        Args:
            count: how many.
            start_from: the first one's key.
            users: the people that the first ones of them serve, at most `count`.
            addons: codes of what each of them has.
            reference: of the subscription that the base units must be of.

        Returns:
            Their ids, in the order of their keys.

        Raises:
            Refused: ExtFormat, ExtOverflow; or whatever stands in the way, all of it in `errors`.
        """
        try:
            keys = keys_from(start_from, count)
        except Refused as refused:
            self._conflicts.add("#/start_from", refused)
            keys = []
        codes = tuple(dict.fromkeys(addons))
        self._look(keys, users, codes, reference, count)
        self._conflicts.refuse()
        served = [*users, *[None] * (count - len(users))]
        rows = [
            NewExtension(extension_id=str(uuid4()), ext_key=key, user_id=user, addons=codes, reference=reference)
            for key, user in zip(keys, served, strict=True)
        ]
        plan = Plan(self._uow, self._org, rows, self._catalogue)
        for index, why in plan.refused:  # nothing that was not seen above, but never half of it
            self._conflicts.add(f"#/{index}", why)
        self._conflicts.refuse()
        plan.record(self._cause)
        return [row.extension_id for row in rows]

    def _look(
        self, keys: Sequence[str], users: Sequence[str], addons: Sequence[str], reference: str | None, count: int
    ) -> None:
        """Find everything that stands in the way, so that it can be told at once."""
        uow, org, conflicts = self._uow, self._org, self._conflicts
        uow.load([*((POOL, pool_key(org, code)) for code in (BASE, *addons)), *((IDENTITY, user) for user in users)])
        claims = UniqueKeys(uow)
        claims.read([*(key_claim(org, key) for key in keys), *map(user_claim, users)])
        for key in keys:
            if claims.of_others(EXTENSION.stream(""), [key_claim(org, key)]):
                conflicts.add("#/start_from", ExtDuplicate(value=key))
        for index, user in enumerate(users):
            if not in_organization(uow, user, org):
                conflicts.add(f"#/user_ids/{index}", UserUnknown(value=user))
            elif user in users[:index] or claims.of_others(EXTENSION.stream(""), [user_claim(user)]):
                conflicts.add(f"#/user_ids/{index}", UserAssigned(value=user))
        try:
            self._catalogue.check(addons)
        except Refused as refused:
            conflicts.add("#/addons", refused)
        self._count_units((BASE, *(code for code in addons if code in self._catalogue.addons)), reference, count)

    def _count_units(self, codes: Sequence[str], reference: str | None, count: int) -> None:
        for code in codes:
            spare, wanted_of = Spare(self._uow.state(POOL, pool_key(self._org, code))), reference
            if code != BASE:
                wanted_of = None
            try:
                left = spare.left(wanted_of)
            except Refused as refused:
                self._conflicts.add("#/reference", refused)
                continue
            if left < count:
                where = "" if wanted_of is None else f" in subscriptions with the reference {wanted_of!r}"
                self._conflicts.add(
                    "#/count" if code == BASE else "#/addons",
                    NotEnoughLicenses(
                        wanted=count,
                        name=self._catalogue.name(code),
                        license_code=code,
                        left=left,
                        where=where,
                        value=count,
                    ),
                )
