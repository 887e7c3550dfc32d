"""Which policy what is written now obeys (N15).

It is read like every other stream of a piece of work: named in the work's first `load`, it costs no query of its own,
and should another copy of the service apply a new one before the commit, that is a conflict and all is decided again.
"""

from __future__ import annotations

from typing import Final

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_numbers.domain.policy import CURRENT, POLICY, Policy

THE_POLICY: Final = (POLICY, CURRENT)
"""For the first `work.load` of a batch: `work.load([THE_POLICY, (NUMBER, key), ...])`."""


def in_force(uow: UnitOfWork) -> Policy:
    """The policy for everything that this work writes; read now unless `THE_POLICY` has been loaded."""
    return uow.state(POLICY, CURRENT).policy
