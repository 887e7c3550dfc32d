"""Extensions end: their units, their claims and their number are given back, in the same work (L15, S5, L12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.events import ON_IT
from trunkline_licensing.domain.extension.extension import EXTENSION, delete
from trunkline_licensing.domain.pool.catalogue import BASE
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.domain.pool.units import free


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """What was given back: a key, a person, licenses by their codes, a number that numbers is to unbind."""

    extension_id: str
    ext_key: str | None = None
    user_id: str | None = None
    licenses: tuple[str, ...] = ()
    number: str | None = None


def withdraw(
    uow: UnitOfWork,
    extension_ids: Sequence[str],
    cause_word: str,
    cause: Causation,
    *,
    at: datetime | None = None,
    subscription_id: str | None = None,
    causes: Mapping[str, Causation] = MappingProxyType({}),
) -> list[Freed]:
    """Delete extensions and give back all they use; one event for each pool. Those that are gone already say nothing.

    Args:
        uow: what it reads and records.
        extension_ids: some hundreds at most.
        cause_word: goes on record: `by_hand`, `terminated`, `moved`, `number_refused`, …
        cause: goes into the envelopes.
        at: when; None: now.
        subscription_id: what became of which subscription, if that is the cause.
        causes: for the envelopes of some extensions, where each has its own.

    Returns:
        What each of those that were there gave back, in order.
    """
    when = uow.now if at is None else at
    uow.load((EXTENSION, key) for key in extension_ids)
    states = [uow.state(EXTENSION, key) for key in dict.fromkeys(extension_ids)]
    alive = [(x, x.facts) for x in states if x.facts is not None and not x.deleted]
    pools: dict[str, list[str]] = {}
    for x, facts in alive:
        for code in (BASE, *facts.codes):
            pools.setdefault(pool_key(facts.organization_id, code), []).append(x.id)
    uow.load((POOL, key) for key in pools)
    for key, using in pools.items():
        uow.record(POOL, key, free(uow.state(POOL, key), using, cause_word, when), cause)
    claims = UniqueKeys(uow)
    freed = []
    for x, facts in alive:
        after = uow.record(EXTENSION, x.id, delete(x, when, cause_word, subscription_id), causes.get(x.id, cause))
        claims.move(EXTENSION.stream(x.id), x.claims, after.claims)
        held = facts.number if facts.number is not None and facts.number.status in ON_IT else None
        freed.append(
            Freed(
                extension_id=x.id,
                ext_key=facts.ext_key,
                user_id=facts.user_id,
                licenses=(BASE, *facts.codes),
                number=held.number if held is not None else None,
            )
        )
    return freed
