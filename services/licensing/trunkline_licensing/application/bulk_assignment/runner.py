"""The loop that keeps bulk assignments going: answers first, then a chunk of each template in progress (L13).

Whatever it has in hand is only a copy of what the tables and streams say: killed at any instant, it goes on from there,
in this copy of the service or another. Chunks do not wait for answers about numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from trunkline.eventstore.failed_items import FailedItems
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.log_subscriber import LogSubscriber
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.service_definition import ServiceContext
from trunkline_licensing.application.bulk_assignment import replies
from trunkline_licensing.application.bulk_assignment.people import judged_rows
from trunkline_licensing.application.bulk_assignment.preflight import what_fails
from trunkline_licensing.application.bulk_assignment.run import Sheet, refuse_all, run_chunk
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.tables.bulk_rows import running

log = structlog.get_logger(__name__)

_VIEWS_WITHIN_S = 5.0


class Runner:
    """Runs the templates in progress of one store, one copy of the service at a time. Synchronous."""

    def __init__(
        self,
        context: ServiceContext,
        catalogue: Catalogue,
        answer_within: timedelta,
        leader_election: LeaderElection | None = None,
    ) -> None:
        """Prepare.

        Args:
            context: the service.
            catalogue: the add-ons there are.
            answer_within: how long numbers may take to answer about a number.
            leader_election: the process's; None makes its own.
        """
        self._context, self._catalogue, self._answer_within = context, catalogue, answer_within
        self._leader_election = leader_election or LeaderElection(context.store.url)
        self._answers = LogSubscriber(
            context.store, context.clock, replies.FOLLOWER, replies.NAMES, replies.handle, self._leader_election
        )
        self._failed = FailedItems(context.store, context.clock.now, "bulk")
        self._sheets: dict[str, Sheet] = {}
        self._idle: dict[str, int] = {}
        self._term = 0

    def step(self) -> int:
        """Do what answers there are, and the next chunk of every template; how many rows and answers that were."""
        done = self._answers.step()
        before, self._term = self._term, self._leader_election.hold("bulk")
        if self._term != before:  # another copy may have gone on with them
            self._sheets.clear()
            self._failed.load()
        if not self._term:
            return done
        open_ = running(self._context.store.fetch)
        for gone in self._sheets.keys() - set(open_):
            del self._sheets[gone]
            self._idle.pop(gone, None)
        return done + sum(self._attempt(bulk_id) for bulk_id in self._failed.ready(open_))

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._leader_election.resign()

    def _attempt(self, bulk_id: str) -> int:
        """The next chunk of one template; one that fails is set aside and tried again later, from what is stored."""
        done = 0
        with self._failed.attempt(bulk_id):
            try:
                done = self._advance(bulk_id)
            except Exception:
                self._sheets.pop(bulk_id, None)
                self._idle.pop(bulk_id, None)
                raise
        return done

    def _advance(self, bulk_id: str) -> int:
        sheet = self._sheets.get(bulk_id)
        if sheet is None:
            begun = self._begin(bulk_id)
            if begun is None:
                return 0
            sheet = self._sheets[bulk_id] = begun
        version = UnitOfWork(self._context.store, self._context.clock.now()).get(BULK, bulk_id).version
        if self._idle.get(bulk_id) == version:  # nothing was to be done, and nothing has happened since
            return 0
        done = self._do(lambda uow: run_chunk(uow, bulk_id, sheet, self._catalogue, self._answer_within))
        self._idle = {**self._idle, bulk_id: version} if not done else self._idle
        return done

    def _begin(self, bulk_id: str) -> Sheet | None:
        """The rows of a template, people found; None: not yet. All or nothing that is nothing is told at once."""
        store = self._context.store
        if not self._context.wait_for_views(store.end_of_log(), _VIEWS_WITHIN_S):
            log.warning("a bulk assignment waits for the view of people", bulk_id=bulk_id)
            return None
        uow = UnitOfWork(store, self._context.clock.now())
        b = uow.state(BULK, bulk_id)
        judged = judged_rows(uow.fetch, b, self._catalogue)
        if b.all_or_nothing and b.pending == b.total:
            failures = what_fails(uow, b, judged, self._catalogue)
            if failures:
                self._do(lambda uow: refuse_all(uow, bulk_id, failures, [j.row.place for j in judged]))
                return None
        return {j.row.place: j for j in judged}

    def _do(self, decide: Callable[[UnitOfWork], int | None]) -> int:
        """One transaction; whoever follows the log is woken, this loop too."""
        done, _ = run(self._context.store, self._context.clock.now, decide)
        return done or 0
