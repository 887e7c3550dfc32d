"""The first use of each token is on record in the audit: who came, with which token, from which issuer (P6)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

import structlog

from trunkline.clock import Clock
from trunkline.eventstore.event_store import Store
from trunkline.security.audit_log import put_on_record
from trunkline.security.tokens import Verified

_MOST: Final = 20_000
log = structlog.get_logger(__name__)


class Logins:
    """The tokens that this process has seen. Thread-safe.

    A token that the command line made for one command is left out, since that command is on record itself.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Keep the record in a service's store, dated by its clock."""
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note(self, token: Verified) -> None:
        """Write a token down that comes for the first time; that it cannot be written down is logged."""
        p = token.principal
        name = (p.issuer, p.token_id or f"{p.subject} {token.issued_at:.0f}")
        with self._lock:
            if name in self._seen:
                return
            self._seen[name] = None
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        if token.claims.get("command") is True:
            return
        about = {"issuer": p.issuer, "role": p.role, "party": p.party_id, "token_id": p.token_id}
        try:
            put_on_record(self._store, self._clock.now(), p.actor, "login", about, "done")
        except Exception:
            log.exception("a login is not on record", actor=p.actor, **about)
