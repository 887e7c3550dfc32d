"""The organizations that numbers are wanted for, and the parties above them, as far as they are known (S7)."""

from __future__ import annotations

from collections.abc import Iterable

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.domain.number.state import (
    Party,
)
from trunkline_numbers.domain.party_replica import PARTY, PLATFORM, as_party

_last_above: dict[str, str] = {}
"""Organization -> the party above it when it was read last: tells what to read with it, never what is so."""
_MOST_REMEMBERED = 100_000


def likely_parties(organization_ids: Iterable[str]) -> set[str]:
    """Organizations and, as far as they were read before, what is above them: to be read in one query."""
    ids = set(organization_ids)
    return ids | {_last_above[key] for key in ids if key in _last_above}


def load_parties(uow: UnitOfWork, organization_ids: Iterable[str]) -> None:
    """Read organizations and the partners they belong to, in two queries at most."""
    ids = set(organization_ids)
    uow.load((PARTY, key) for key in ids)
    copies = {key: details for key in ids if (details := uow.state(PARTY, key).details) is not None}
    above = {key: details.partner_id or PLATFORM for key, details in copies.items()}
    uow.load((PARTY, key) for key in above.values())
    if len(_last_above) > _MOST_REMEMBERED:
        _last_above.clear()
    _last_above.update(above)


def party_of(uow: UnitOfWork, organization_id: str) -> Party | None:
    """An organization as number decisions see it; None where it, or its partner, is not known yet (S7)."""
    copy = uow.state(PARTY, organization_id)
    above = (copy.details.partner_id or PLATFORM) if copy.details else None
    return as_party(copy, uow.state(PARTY, above) if above else None)


def missing_party(uow: UnitOfWork, organization_id: str) -> str:
    """The party that must be heard of next: the organization, else its partner."""
    details = uow.state(PARTY, organization_id).details
    return details.partner_id if details is not None and details.partner_id is not None else organization_id
