"""What follows from a pool's supplies for those who use it: suspended, covered again, withdrawn (S5, L4).

Some hundreds at a time: the first step is taken by whoever changed the supply, the others by the pool's deadline, which
stands as long as anything is left to do. So a crash between two steps loses nothing, and no step is taken twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.eventstore.decider import key_of
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.extensions.terminate import withdraw
from trunkline_licensing.domain.extension.extension import EXTENSION, change
from trunkline_licensing.domain.pool.catalogue import BASE
from trunkline_licensing.domain.pool.events import Unit, UnitsResumed, UnitsSuspended
from trunkline_licensing.domain.pool.pool import POOL, Pool, Unsettled, unsettled
from trunkline_licensing.domain.pool.units import free

CHUNK = 500
"""Units in one step."""


def handle(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
    """Take the next step of pools that are due; one that is not due any more is left as it is.

    Args:
        uow: the timer's.
        stream_ids: `pool/…` streams, each once.
    """
    keys = [key_of(stream_id) for stream_id in stream_ids]
    uow.load((POOL, key) for key in keys)
    left = CHUNK
    for key in keys:
        if left > 0:
            left -= settle(uow, key, Causation("timer", f"pool/{key}", f"due/{key}"), left)
        uow.touch(POOL, key)


def settle(uow: UnitOfWork, key: str, cause: Causation, limit: int | None = None) -> int:
    """Take the next step of one pool; how many units it was about.

    Args:
        uow: what it reads and records.
        key: the pool's.
        cause: goes into the envelopes.
        limit: units at most; None: as many as one step takes.
    """
    pool = uow.state(POOL, key)
    step = unsettled(pool, CHUNK if limit is None else limit)
    if step is None:
        return 0
    if step.withdraw:
        _withdraw(uow, pool, step, cause)
    else:
        _mark(uow, pool, step, cause)
    return len(step.withdraw) + len(step.suspend) + len(step.resume)


def _withdraw(uow: UnitOfWork, pool: Pool, step: Unsettled, cause: Causation) -> None:
    """Its subscription is over: with the base unit the extension goes, with an add-on's unit the add-on (S5)."""
    using = [unit.extension_id for unit in step.withdraw]
    if pool.license_code == BASE:
        withdraw(uow, using, step.status, cause, at=step.at, subscription_id=step.subscription_id)
    else:
        uow.load((EXTENSION, key) for key in using)
        for key in using:
            x = uow.state(EXTENSION, key)
            if x.facts is not None and not x.deleted:
                kept = [addon for addon in x.facts.addons if addon.code != pool.license_code]
                events = change(x, step.at, step.status, addons=kept, subscription_id=step.subscription_id)
                uow.record(EXTENSION, key, events, cause)
    # Whatever the extensions say: these units are used no more.
    uow.record(POOL, pool.key, free(uow.state(POOL, pool.key), using, step.status, step.at), cause)


def _mark(uow: UnitOfWork, pool: Pool, step: Unsettled, cause: Causation) -> None:
    """Put on record, in the pool and with each extension, which licenses nothing covers, or is covered again (L4)."""
    at, code = step.at, pool.license_code
    if step.suspend:
        uow.record(POOL, pool.key, [UnitsSuspended(at=at, units=step.suspend)], cause)
    else:
        uow.record(POOL, pool.key, [UnitsResumed(at=at, units=step.resume)], cause)
    word = "covered" if step.resume else "expired" if step.status == "expired" else "quantity"
    units: tuple[Unit, ...] = step.suspend or step.resume
    uow.load((EXTENSION, unit.extension_id) for unit in units)
    for unit in units:
        x = uow.state(EXTENSION, unit.extension_id)
        if x.facts is None or x.deleted:
            continue
        without = {c for c in x.facts.suspended if c != code}
        marked = without | {code} if step.suspend else without
        events = change(x, at, word, suspended=marked, subscription_id=unit.subscription_id)
        uow.record(EXTENSION, unit.extension_id, events, cause)
