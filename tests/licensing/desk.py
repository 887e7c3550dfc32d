"""Bulk assignments on a real store, with numbers played by the test: it answers when, how and as often as it likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from trunkline.contracts import numbers
from trunkline.contracts.cloudevents.message import Message
from trunkline.deadlines.deadlines import Deadlines
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.projections.runner import ProjectionRunner
from trunkline_licensing.application.bulk_assignment.runner import Runner
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK, Bulk, File, add_users, create, start
from trunkline_licensing.domain.bulk_assignment.rows import Row
from trunkline_licensing.domain.extension.events import NumberBindingRequested
from trunkline_licensing.domain.pool.catalogue import Catalogue
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.message_handlers import number_replies
from trunkline_licensing.tables.bulk_rows import add_rows, mark_running, page_of_rows
from trunkline_licensing.wiring import service

ORG = "0a9e0000-0000-4000-8000-000000000001"
CAUSE = Causation("test", "test", "test")
WITHIN = timedelta(seconds=60)


class Desk:
    """An organization of `licensing`, its templates, and a runner that can be thrown away and made anew."""

    def __init__(self, licensing: Any, say: Callable[..., Message], registered: Message) -> None:
        self.licensing = licensing
        self._say = say
        self._heard = 0
        licensing.receive(registered)
        self.projector = ProjectionRunner(licensing.store, service().views, LeaderElection(licensing.store.url))
        self.projector.prepare()
        self.runner = self.new_runner()

    def close(self) -> None:
        self.runner.resign()
        self.projector.resign()

    def new_runner(self) -> Runner:
        """A runner that knows nothing of the one before."""
        licensing = self.licensing
        node: Any = SimpleNamespace(store=licensing.store, clock=licensing.clock, wait_for_views=self._views)
        return Runner(node, Catalogue(), WITHIN, LeaderElection(licensing.store.url))

    def _views(self, _position: int, _within: float) -> bool:
        while self.projector.step():
            pass
        return True

    # -- what there is ----------------------------------------------------------------------------------------

    def hire(self, *names: str) -> None:
        person = {"organization_id": ORG, "email": "p@acme.example", "role": "member"}
        self.licensing.receive(
            *(self._say("party.identity.registered", str(uuid4()), name=name, **person) for name in names)
        )

    def buy(self, quantity: int, code: str = "phone_system") -> None:
        facts = {"product": "license", "license_code": code, "quantity": quantity}
        self.licensing.receive(self._say("billing.subscription.started", str(uuid4()), **facts))

    def assign(
        self,
        rows: Sequence[tuple[str, str, str]],
        *,
        all_or_nothing: bool = False,
        addons: Sequence[str] = (),
        cause: Causation = CAUSE,
    ) -> str:
        """A template with rows of key, name and number, in progress; its id."""
        key = str(uuid4())

        def decide(uow: UnitOfWork) -> None:
            uow.record(BULK, key, create(uow.state(BULK, key), ORG, "Tower", addons, uow.now), CAUSE)
            file = File("people.csv", "digest", "name", len(rows))
            uow.record(BULK, key, add_users(uow.state(BULK, key), file, uow.now), CAUSE)
            add_rows(uow, key, [Row(n, 0, n + 1, r[0], r[1], "name", r[2]) for n, r in enumerate(rows, 1)])
            uow.record(BULK, key, start(uow.state(BULK, key), all_or_nothing, uow.now), cause)
            mark_running(uow, key)

        self.licensing.do(decide)
        return key

    # -- what happens -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let the runner go on until nothing is to be done."""
        while self.runner.step():
            pass

    def asked(self) -> list[tuple[str, NumberBindingRequested]]:
        """What numbers was asked since the last time: the extension, and the request."""
        rows = self.licensing.log(self._heard)
        self._heard = rows[-1].position if rows else self._heard
        return [(row.key, row.event) for row in rows if isinstance(row.event, NumberBindingRequested)]

    def answer(self, requests: Iterable[tuple[str, NumberBindingRequested]], *, refuse: Sequence[str] = ()) -> None:
        """Numbers says yes, or no to these numbers."""
        messages = [self._answer(key, asked, asked.number in refuse) for key, asked in requests]
        self.licensing.do(lambda uow: number_replies.handle(uow, messages))

    def _answer(self, key: str, requested: NumberBindingRequested, refused: bool) -> Message:
        now = self.licensing.clock.now()
        of: Any = {
            "number": requested.number,
            "extension_id": key,
            "organization_id": ORG,
            "generation": requested.generation,
        }
        data: Any = (
            numbers.NumberBindingRefused(**of, user_id=requested.user_id, code="taken", reason="Taken.", refused_at=now)
            if refused
            else numbers.NumberBound(**of, state="assigned", user_id=requested.user_id, kind="pbx", bound_at=now)
        )
        return Message(str(uuid4()), "/trunkline/numbers", type(data).__name__, key, now, 1, None, None, data)

    def pass_time(self, by: timedelta) -> None:
        """Time passes; what falls due is settled."""
        self.licensing.clock.advance(by)
        deadlines = Deadlines(self.licensing.store, self.licensing.clock, service().settle)
        while deadlines.step():
            pass
        deadlines.resign()

    # -- what came of it --------------------------------------------------------------------------------------

    def state(self, key: str) -> Bulk:
        return self.licensing.state(BULK, key)  # type: ignore[no-any-return]

    def codes(self, key: str) -> list[str | None]:
        found = page_of_rows(self.licensing.store.fetch, self.state(key), 0, 10_000)
        assert [row.row.place for row in found] == list(range(1, self.state(key).total + 1))
        return [row.code for row in found]

    def free(self, code: str = "phone_system") -> int:
        return int(self.licensing.state(POOL, pool_key(ORG, code)).free)
