"""A person has left an organization: the extension that served them serves nobody from then on (L2, P0)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from trunkline.eventstore.decider import key_of
from trunkline.eventstore.event_store import ConcurrencyError
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.extension import EXTENSION, change, user_claim
from trunkline_licensing.domain.party.directory import IDENTITY, Party
from trunkline_licensing.domain.party.facts import Identity

CAUSE: Final = "identity_removed"


def has_left(before: Party, after: Party) -> bool:
    """Whether an identity is not in the organization any more where it was."""
    was, now = before.details, after.details
    if not isinstance(was, Identity) or before.removed:
        return False
    return after.removed or (isinstance(now, Identity) and now.organization_id != was.organization_id)


def unassign(uow: UnitOfWork, claims: UniqueKeys, identity_id: str, at: datetime, cause: Causation) -> None:
    """Let the extension that serves somebody, if one does, serve nobody.

    Args:
        uow: what it reads and records.
        claims: of the same work: who has whom is a claim.
        identity_id: who has left.
        at: when.
        cause: goes into the envelopes.
    """
    claim = user_claim(identity_id)
    holder = claims.holder(claim)
    if holder is None:
        # Nobody has them, and nobody may come to have them before this is committed: taken and given back in one.
        mine = IDENTITY.stream(identity_id)
        claims.move(mine, (), (claim,))
        uow.write("DELETE FROM claims WHERE claim = %s AND stream_id = %s", [(claim, mine)])
        return
    before = uow.state(EXTENSION, key_of(holder))
    if before.deleted:  # in this same work
        return
    if before.facts is None or before.facts.user_id != identity_id:
        msg = f"{holder} has given up {claim} since it was read"
        raise ConcurrencyError(msg)
    after = uow.record(EXTENSION, before.id, change(before, at, CAUSE, user_id=None, epoch=uow.epoch), cause)
    claims.move(holder, before.claims, after.claims)
