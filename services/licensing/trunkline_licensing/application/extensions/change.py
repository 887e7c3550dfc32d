"""One extension becomes another: key, name, person, add-ons, number, any of them in one command (L15, L16, L2, L3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import UNSET

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.addons import hang
from trunkline_licensing.application.extensions.conflicts import Conflicts
from trunkline_licensing.application.extensions.provision import ANSWER_WITHIN, in_organization
from trunkline_licensing.application.extensions.terminate import Freed
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.events import ON_IT, Facts
from trunkline_licensing.domain.extension.extension import (
    EXTENSION,
    Extension,
    assign,
    change,
    check_key,
    check_name,
    e164,
    give_up_number,
    key_claim,
    user_claim,
)
from trunkline_licensing.domain.extension.number_request import request_number
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.errors import ExtDuplicate, UserAssigned, UserUnknown


class Changing:
    """One command on one extension that is there, within one piece of work."""

    def __init__(
        self,
        uow: UnitOfWork,
        organization_id: str,
        extension_id: str,
        catalogue: Catalogue,
        cause: Causation,
        answer_within: timedelta = ANSWER_WITHIN,
    ) -> None:
        """Read the extension.

        Args:
            uow: what it reads and records.
            organization_id: whose it is.
            extension_id: it is there.
            catalogue: the add-ons there are.
            cause: goes into the envelopes.
            answer_within: how long numbers may take to answer a request to bind.
        """
        self._uow, self._org, self._key = uow, organization_id, extension_id
        self._catalogue, self._cause, self._answer_within = catalogue, cause, answer_within
        self._conflicts = Conflicts()
        self._claims = UniqueKeys(uow)

    @property
    def _now(self) -> Extension:
        return self._uow.state(EXTENSION, self._key)

    def change(self, changes: Mapping[str, Any]) -> Freed:
        """Make it what is said.

        Args:
            changes: `ext_key`, `directory_name`, `user_id`, `addons`, `number`; what is left out stays, None removes.

        Returns:
            What it has given back.

        Raises:
            Refused: with whatever stands in the way, all of it in `errors`.
        """
        before = self._now
        facts = before.facts
        assert facts is not None
        self._check(changes)
        self._conflicts.refuse()
        lost = self._hang(changes)
        self._conflicts.refuse()
        self._record(changes)
        after = self._now
        assert after.facts is not None
        self._claims.move(EXTENSION.stream(self._key), before.claims, after.claims)
        return _freed(self._key, facts, after.facts, lost)

    def _check(self, changes: Mapping[str, Any]) -> None:
        checks: dict[str, Callable[[str], object]] = {
            "ext_key": self._check_key,
            "directory_name": check_name,
            "user_id": self._check_user,
            "number": e164,
        }
        for name, check in checks.items():
            if changes.get(name) is not None:
                try:
                    check(changes[name])
                except Refused as refused:
                    self._conflicts.add(f"#/{name}", refused)

    def _check_key(self, ext_key: str) -> None:
        check_key(ext_key)
        if self._claims.of_others(EXTENSION.stream(self._key), [key_claim(self._org, ext_key)]):
            raise ExtDuplicate(value=ext_key)

    def _check_user(self, user_id: str) -> None:
        if not in_organization(self._uow, user_id, self._org):
            raise UserUnknown(value=user_id)
        if self._claims.of_others(EXTENSION.stream(self._key), [user_claim(user_id)]):
            raise UserAssigned(value=user_id)

    def _hang(self, changes: Mapping[str, Any]) -> tuple[str, ...]:
        if "addons" not in changes:
            return ()
        wanted, pointers = {self._key: changes["addons"]}, {self._key: "#/addons"}
        lost = hang(self._uow, self._org, wanted, self._catalogue, self._cause, self._conflicts, pointers)
        return lost.get(self._key, ())

    def _record(self, changes: Mapping[str, Any]) -> None:
        uow, key, now = self._uow, self._key, self._uow.now
        facts = {
            "ext_key": changes.get("ext_key", UNSET),
            "directory_name": changes.get("directory_name", UNSET),
            "user_id": None if "user_id" in changes and changes["user_id"] is None else UNSET,
        }
        uow.record(EXTENSION, key, change(self._now, now, epoch=uow.epoch, **facts), self._cause)
        if changes.get("user_id") is not None:
            uow.record(EXTENSION, key, assign(self._now, changes["user_id"], now, uow.epoch), self._cause)
        if "number" in changes:
            if changes["number"] is None:
                events = give_up_number(self._now, now, "by_hand")
            else:
                answer_by = now + self._answer_within
                events = request_number(self._now, e164(changes["number"]), now, answer_by, uow.epoch)
            uow.record(EXTENSION, key, events, self._cause)


def _freed(key: str, before: Facts, after: Facts, lost: tuple[str, ...]) -> Freed:
    held = before.number
    had = held.number if held is not None and held.status in ON_IT else None
    has = after.number.number if after.number is not None else None
    return Freed(
        extension_id=key,
        ext_key=before.ext_key if after.ext_key != before.ext_key else None,
        user_id=before.user_id if after.user_id != before.user_id else None,
        licenses=lost,
        number=had if had != has else None,
    )
