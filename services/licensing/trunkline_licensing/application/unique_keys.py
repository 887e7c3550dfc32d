"""Names that only one stream may have, while a piece of work takes and gives them back."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trunkline.eventstore.unit_of_work import UnitOfWork


class UniqueKeys:
    """The claims a work has looked at, with its own changes to them. A rival's claim in between is a conflict."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Begin, or go on with what this work has changed before."""
        self._uow = uow
        self._holders: dict[str, str | None] = dict.fromkeys(uow.batch.unclaims)
        self._holders.update(uow.batch.claims)

    def read(self, claims: Iterable[str]) -> None:
        """Look claims up, in one query; those already in hand are left alone."""
        unread = [claim for claim in set(claims) if claim not in self._holders]
        if unread:
            rows = self._uow.fetch("SELECT claim, stream_id FROM claims WHERE claim = ANY(%b)", (unread,))
            self._holders.update(dict.fromkeys(unread) | dict(rows))

    def of_others(self, stream_id: str, claims: Collection[str]) -> dict[str, str]:
        """Those claims that another stream has, and which."""
        self.read(claims)
        holders = {claim: self._holders[claim] for claim in claims}
        return {claim: holder for claim, holder in holders.items() if holder is not None and holder != stream_id}

    def holder(self, claim: str) -> str | None:
        """The stream that has a claim; None: none has."""
        self.read([claim])
        return self._holders[claim]

    def move(self, stream_id: str, before: Collection[str], after: Collection[str]) -> None:
        """Give back what a stream no longer needs and take what it now does."""
        batch = self._uow.batch
        for claim in sorted(set(before) - set(after)):
            self._holders[claim] = None
            if (claim, stream_id) in batch.claims:  # taken in this same work: as if never taken
                batch.claims.remove((claim, stream_id))
            else:
                batch.unclaims.append(claim)
        for claim in sorted(set(after) - set(before)):
            self._holders[claim] = stream_id
            batch.claims.append((claim, stream_id))
