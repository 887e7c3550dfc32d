"""Both services as processes, a broker and a PostgreSQL, all of the test's own, to be killed and brought back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psycopg
from aiokafka.errors import KafkaError

from tests.conftest import Broker
from tests.faults import doomed
from tests.faults.doomed import Fuse
from tests.faults.topics import PATIENCE, Topics
from trunkline.application import all_migrations
from trunkline.embedded_postgres.server import EmbeddedPostgres
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.leader_election import LeaderElection
from trunkline.eventstore.schema import migrate
from trunkline.messaging.kafka.client import source_name
from trunkline.operations.sandbox_clock import SandboxClock
from trunkline.projections.rebuild import Rebuild
from trunkline.projections.runner import ProjectionRunner
from trunkline.service_definition import ServiceDefinition
from trunkline_licensing.wiring import service as licensing_service
from trunkline_numbers.reactors import notice_mails
from trunkline_numbers.wiring import service as numbers_service

# A process that has imported the services already and forks: what is started from it is there at once.
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["trunkline.application", "trunkline_licensing.__main__", "trunkline_numbers.__main__"]
)
SERVICES = ("licensing", "numbers")
LOOK_SECONDS = 0.02


@dataclass
class Copy:
    """One process of one service."""

    service: str
    process: ForkServerProcess
    log: Path
    doomed: Fuse | None = None

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs; minus the signal that ended it."""
        return self.process.exitcode

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")


@dataclass
class Part:
    """What belongs to one service."""

    service: ServiceDefinition
    url: str
    store: Store
    clock: SandboxClock
    copies: list[Copy] = field(default_factory=list)
    fuses: list[Fuse] = field(default_factory=list)
    deaths: list[Fuse] = field(default_factory=list)

    @property
    def group(self) -> str:
        """Its consumer group."""
        return f"trunkline-{self.service.name}"

    @property
    def hears(self) -> list[str]:
        """Its topics."""
        return sorted(topic for hearing in self.service.message_handlers for topic in hearing.topics)

    @property
    def says(self) -> list[str]:
        """The topics of its events."""
        return sorted(
            {contract.topic for contract in self.service.publishes} - {t.contract.topic for t in self.service.states}
        )


class World:
    """A context manager: in it broker and PostgreSQL run; services are started and ended by the test."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        """Prepare.

        Args:
            folder: for the home, the database and the logs.
            broker: of this test's own; it is started and stopped by whoever gives it.
        """
        self.folder = folder
        self.home = folder / "home"
        self.broker = broker
        self.parts: dict[str, Part] = {}
        self._stack = ExitStack()
        self._logs = 0
        self.further: dict[str, str] = {}
        """Settings beside those that every service gets."""

    def __enter__(self) -> World:
        self.home.mkdir()
        self.postgres = EmbeddedPostgres(self.folder).start()
        self._stack.callback(self.postgres.discard)
        self.topics = self._stack.enter_context(Topics(self.broker.bootstrap))
        self.topics.create()
        for service in (licensing_service(), numbers_service()):
            url = self.postgres.url(service.name)
            migrate(url, all_migrations(service))
            store = Store(url, service.codec())
            self._stack.callback(store.close)
            self.parts[service.name] = Part(service, url, store, SandboxClock(store))
        self._stack.callback(self._end_all)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def licensing(self) -> Part:
        """The service that owns subscriptions."""
        return self.parts["licensing"]

    @property
    def numbers(self) -> Part:
        """The service that owns numbers."""
        return self.parts["numbers"]

    # -- processes --------------------------------------------------------------------------------------------

    def start(self, service: str, fuse: Fuse | None = None) -> Copy:
        """One more copy of a service, as its own command starts it; with a fuse it ends there (see `doomed`)."""
        self._logs += 1
        log = self.folder / f"{self._logs:03}-{service}.log"
        process = _PROCESSES.Process(target=doomed.run, args=(service, fuse, self._settings(), log), daemon=True)
        process.start()
        copy = Copy(service, process, log, fuse)
        self.parts[service].copies.append(copy)
        return copy

    def _settings(self) -> Mapping[str, str]:
        return {
            "TRUNKLINE_HOME": str(self.home),
            "TRUNKLINE_LICENSING_DATABASE_URL": self.licensing.url,
            "TRUNKLINE_NUMBERS_DATABASE_URL": self.numbers.url,
            "TRUNKLINE_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "TRUNKLINE_HTTP_PORT": "0",
            "TRUNKLINE_SANDBOX": "on",
            **self.further,
        }

    def stop(self, copy: Copy) -> int:
        """SIGTERM, and wait; the exit code."""
        copy.process.terminate()
        return self._gone(copy)

    def kill(self, copy: Copy) -> None:
        """SIGKILL."""
        copy.process.kill()
        self._gone(copy)

    def _gone(self, copy: Copy) -> int:
        copy.process.join(PATIENCE)
        code = copy.process.exitcode
        assert code is not None, f"{copy.service} does not end:\n{copy.said()[-4000:]}"
        with suppress(ValueError):
            self.parts[copy.service].copies.remove(copy)
        return code

    def _end_all(self) -> None:
        for part in self.parts.values():
            for copy in list(part.copies):
                self.kill(copy)

    def run(self, service: str, *fuses: Fuse) -> None:
        """See that exactly one copy of a service runs, and lies down at these points, one after the other.

        Whenever it does, it is started again with the next fuse, and in the end plainly.
        """
        part = self.parts[service]
        part.fuses = list(fuses)
        if not fuses and len(part.copies) == 1 and part.copies[0].doomed is None:
            return
        for copy in list(part.copies):
            self.stop(copy)
        self._restart(part)

    def _restart(self, part: Part) -> None:
        if not part.copies:
            self.topics.bury(part.group)
        self.start(part.service.name, part.fuses.pop(0) if part.fuses else None)

    def look_after(self) -> None:
        """Whoever has met their point is on record and is started again; any other end is a failure."""
        for part in self.parts.values():
            for copy in list(part.copies):
                if copy.ended is None:
                    continue
                part.copies.remove(copy)
                said = f"{copy.service} ended with {copy.ended}:\n{copy.said()[-4000:]}"
                assert copy.doomed is not None, said
                assert copy.ended == -signal.SIGKILL, said
                part.deaths.append(copy.doomed)
                self._restart(part)

    def until_ended(self, copy: Copy) -> int:
        """Wait for a copy that ends by itself; its exit code."""
        return self._gone(copy)

    # -- what they stand on -----------------------------------------------------------------------------------

    def restart_postgres(self, how: str) -> None:
        """End PostgreSQL at once, `immediate` or by `SIGKILL`, and start it again on the same data."""
        os.kill(self.postgres.pid, signal.SIGQUIT if how == "immediate" else signal.SIGKILL)
        while True:
            try:
                psycopg.connect(self.numbers.url).close()
            except psycopg.OperationalError:
                break
            time.sleep(LOOK_SECONDS)
        self.postgres.start()

    def forget_topic(self, service: str, topic: str) -> None:
        """Decide that what a topic holds now is to be heard from its beginning."""
        with self.parts[service].store.connection() as conn:
            conn.execute(
                b"DELETE FROM notification_tracking WHERE starts_with(application_name, %s)",
                (f"kafka/{self.topics.cluster}/{topic}/",),
            )

    # -- time -------------------------------------------------------------------------------------------------

    def set_clock(self, at: datetime) -> None:
        """Both services' clocks move to an instant."""
        for part in self.parts.values():
            part.clock.set(at)

    # -- waiting ----------------------------------------------------------------------------------------------

    def until(self, condition: Callable[[], object], what: str = "it") -> None:
        """Look again and again until a condition holds, and look after the services meanwhile."""
        ends = time.monotonic() + PATIENCE
        while not condition():
            self.look_after()
            if time.monotonic() > ends:
                logs = "\n".join(copy.said()[-3000:] for part in self.parts.values() for copy in part.copies)
                raise AssertionError(f"{what} has not come about: {self.unfinished()}\n{logs}")
            time.sleep(LOOK_SECONDS)

    def until_joined(self, copies: int) -> None:
        """Wait until that many copies of each service are in its group."""
        groups = [part.group for part in self.parts.values()]
        self.until(lambda: all(len(self.topics.members(group)) == copies for group in groups), f"{copies} copies")

    def until_quiet(self) -> None:
        """Wait until everything has had its effect, everywhere."""
        self.until(lambda: self.unfinished() is None, "quiet")

    def unfinished(self) -> str | None:
        """What is still to be done; None: nothing. Each hears the other, so nothing may have come of it meanwhile."""
        before = self._ends()
        left = self._unfinished(self.licensing) or self._unfinished(self.numbers) or self._unfinished(self.licensing)
        return left or (None if before is not None and before == self._ends() else "something has come of it meanwhile")

    def _ends(self) -> list[int] | None:
        """The ends of both logs; None while a database is away."""
        with _reaching() as away:
            ends = [part.store.end_of_log() for part in self.parts.values()]
        return None if away else ends

    def _unfinished(self, part: Part) -> str | None:
        name = part.service.name
        with _reaching() as away:
            if missing := self._unheard(part):
                return f"{name} has not heard {missing}"
            now = part.clock.now()
            if part.store.fetch("SELECT 1 FROM deadlines WHERE due_at <= %s LIMIT 1", (now,)):
                return f"{name} has deadlines that are due"
            end = part.store.end_of_log()
            at = part.store.positions("")
            if at.get("relay", 0) != end:
                return f"the relay of {name} is at {at.get('relay')} of {end}"
            if part.store.fetch("SELECT 1 FROM parked WHERE NOT published LIMIT 1"):
                return f"{name} has unpublished dead letters"
            for check in (_notices_unread, _mail_waiting, _views_behind, _states_unsaid):
                if late := check(part, at, end):
                    return f"{name}: {late}"
        return f"the database of {name} is away" if away else None

    def _unheard(self, part: Part) -> str | None:
        try:
            ends = self.topics.ends(part.hears)
        except KafkaError as away:
            return f"anything: {away!r}"
        heard = part.store.positions("kafka/")
        for (topic, number), end in ends.items():
            if heard.get(source_name(self.topics.cluster, topic, number), -1) < end - 1:
                return f"{topic}/{number} up to {end}"
        return None

    # -- views ------------------------------------------------------------------------------------------------

    def verify_views(self) -> None:
        """O3: every view is what a fold of the streams from zero gives."""
        for part in self.parts.values():
            leader_election = LeaderElection(part.url)
            rebuild = Rebuild(ProjectionRunner(part.store, part.service.views, leader_election), part.clock.now)
            for view in part.service.views:
                assert rebuild.verify(view.name).differences == 0, view.name
            leader_election.resign()


@contextmanager
def _reaching() -> Iterator[list[bool]]:
    """A database that is away is not an answer."""
    away: list[bool] = []
    try:
        yield away
    except (psycopg.OperationalError, psycopg.InterfaceError):
        away.append(True)


def _notices_unread(part: Part, at: Mapping[str, int], _end: int) -> str | None:
    if "notices" not in part.service.followers:
        return None
    query = "SELECT coalesce(max(notification_id), 0) FROM stored_events WHERE topic = ANY(%s)"
    last = part.store.fetch(query, (list(notice_mails.NAMES),))[0][0]
    return None if at.get("follower/notices", 0) >= last else "notices are unread"


def _mail_waiting(part: Part, _at: Mapping[str, int], _end: int) -> str | None:
    return "mail waits" if part.store.fetch("SELECT 1 FROM mail WHERE state = 'waiting' LIMIT 1") else None


def _views_behind(part: Part, _at: Mapping[str, int], end: int) -> str | None:
    low = part.store.fetch("SELECT min(position) FROM projections WHERE status = 'active'")[0][0]
    return None if low is None or low == end else f"a view is at {low} of {end}"


def _states_unsaid(part: Part, at: Mapping[str, int], _end: int) -> str | None:
    for topic in part.service.states:
        last = part.store.fetch(f"SELECT coalesce(max(position), 0) FROM {topic.view}")[0][0]
        if at.get(f"states/{topic.contract.name}", 0) < last:
            return f"{topic.contract.name} is not said"
    return None
