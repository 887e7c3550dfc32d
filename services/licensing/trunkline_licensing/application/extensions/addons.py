"""Add-ons of extensions, of several at once: units change hands, or nothing does (L3, L17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.conflicts import Conflicts
from trunkline_licensing.domain.extension.events import HungAddon
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension, change
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.domain.pool.units import Spare, free

Wanted = Mapping[str, Sequence[str]]
"""Extension -> the codes of all add-ons it is to have."""


def hang(
    uow: UnitOfWork,
    organization_id: str,
    wanted: Wanted,
    catalogue: Catalogue,
    cause: Causation,
    conflicts: Conflicts,
    pointers: Mapping[str, str],
) -> dict[str, tuple[str, ...]]:
    """Give extensions exactly these add-ons. What some give up, others of the same call can have.

    Args:
        uow: what it reads and records; to be thrown away where a conflict was found.
        organization_id: whose extensions these are; every one of them is there.
        wanted: in the order in which they are served.
        catalogue: the add-ons there are.
        cause: goes into the envelopes.
        conflicts: what stands in the way is added here.
        pointers: extension -> its place in the request.

    Returns:
        Extension -> the codes it has given up; of those that have.
    """
    uow.load((EXTENSION, key) for key in wanted)
    states = {key: uow.state(EXTENSION, key) for key in wanted}
    lost = {key: tuple(c for c in _codes(x) if c not in wanted[key]) for key, x in states.items()}
    gained = {key: [c for c in dict.fromkeys(wanted[key]) if c not in _codes(x)] for key, x in states.items()}
    for key, x in states.items():
        try:
            catalogue.check(tuple(dict.fromkeys(wanted[key])), _codes(x))
        except Refused as refused:
            conflicts.add(pointers[key], refused)
    if conflicts:
        return {}
    codes = dict.fromkeys(code for part in (lost, gained) for named in part.values() for code in named)
    uow.load((POOL, pool_key(organization_id, code)) for code in codes)
    hung: dict[str, list[HungAddon]] = {key: [] for key in wanted}
    for code in codes:
        _change_hands(uow, pool_key(organization_id, code), code, lost, gained, hung, cause, conflicts, pointers)
    for key, x in states.items():
        kept = [addon for addon in x.facts.addons if addon.code in wanted[key]] if x.facts is not None else []
        uow.record(EXTENSION, key, change(x, uow.now, addons=[*kept, *hung[key]]), cause)
    return {key: codes for key, codes in lost.items() if codes}


def _change_hands(
    uow: UnitOfWork,
    pool: str,
    code: str,
    lost: Mapping[str, Sequence[str]],
    gained: Mapping[str, Sequence[str]],
    hung: Mapping[str, list[HungAddon]],
    cause: Causation,
    conflicts: Conflicts,
    pointers: Mapping[str, str],
) -> None:
    """Free the units of one add-on that are given up, then give units to those that gain it."""
    giving_up = [key for key, codes in lost.items() if code in codes]
    uow.record(POOL, pool, free(uow.state(POOL, pool), giving_up, "by_hand", uow.now), cause)
    spare = Spare(uow.state(POOL, pool))
    for key, codes in gained.items():
        if code in codes:
            try:
                hung[key].append(HungAddon(code, spare.take(key)))
            except Refused as refused:
                conflicts.add(pointers[key], refused)
    uow.record(POOL, pool, spare.allocated(uow.now), cause)


def _codes(x: Extension) -> tuple[str, ...]:
    return x.facts.codes if x.facts is not None else ()
