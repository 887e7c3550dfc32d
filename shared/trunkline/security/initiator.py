"""Who began what a service goes on with by itself, so that each further step is authorized again (P2, P3)."""

from __future__ import annotations

from typing import cast

from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import stored_name
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.roles import Role
from trunkline.security.principal import Principal

_USER = "user:"


def initiator(uow: UnitOfWork, stream_id: str, kind: type[Event]) -> Principal | None:
    """The principal that caused the newest event of a kind in a stream, with the role and party of then.

    Args:
        uow: where it is read.
        stream_id: such as `bulk/<id>`.
        kind: what began it.

    Returns:
        The principal; None where no principal did, and of events that do not say which role it had.
    """
    name = stored_name(kind)
    sql = "SELECT state FROM stored_events WHERE originator_id = %s AND topic = %s ORDER BY originator_version"
    rows = uow.fetch(sql, (stream_id, name))
    if not rows:
        return None
    meta = uow.store.codec.decode(name, bytes(rows[-1][0])).meta
    if meta.role is None or not meta.actor.startswith(_USER):
        return None
    role = cast(Role, meta.role)
    return Principal(meta.actor.removeprefix(_USER), role, meta.party_id, identity_id=meta.identity_id)
