"""When the `eventsourcing` library works on our log: its own recorder tests, and a stock projection runner (O4, X3).

Of the library's published test cases these are not run, since a process recorder is none of what they are about:
`AggregateRecorderTestCase` demands that an append returns no positions, and `InfrastructureFactoryTestCase` that one
factory makes snapshots, aggregates and views in tables of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    ConnectionPoolClosedError,
    InfrastructureFactory,
    InfrastructureFactoryError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.projection import EventSourcedProjectionRunner
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    RecorderTestCase,
    TrackingRecorderTestCase,
)
from eventsourcing.utils import Environment

from tests.inventory import Inventory
from trunkline.eventsourcing_log.application import LogFactory
from trunkline.eventsourcing_log.recorder import TRACKING, LogRecorder
from trunkline.eventstore.event_store import CheckpointConflict, Store
from trunkline.eventstore.recorded_event import Codec
from trunkline.eventstore.schema import migrate, read_migrations

NAMES = ("topic", "topic1", "topic2", "topic3", "topic4", "non-interleaving-test-event")
EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 60.0
MIGRATIONS = read_migrations(files("trunkline.eventstore") / "migrations")


def prepare(url: str) -> None:
    migrate(url, MIGRATIONS)


class OnOurLog(RecorderTestCase):
    """Runs a case of the library on a fresh store, with text for ids."""

    @pytest.fixture(autouse=True)
    def _fresh(self, new_database: Callable[..., str]) -> None:
        self.url = new_database(prepare)

    def new_originator_id(self) -> str:
        return f"test/{uuid4()}"

    def create_recorder(self) -> LogRecorder:
        store = Store(self.url, Codec(()))
        self.addCleanup(store.close)
        return LogRecorder(store, NAMES)


class TestApplicationRecorder(OnOurLog, ApplicationRecorderTestCase[LogRecorder]):
    """The library's case, whole, with its optional test of subscriptions."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(OnOurLog, TrackingRecorderTestCase):
    """The library's case, whole."""


class TestProcessRecorder(OnOurLog, ProcessRecorderTestCase):
    """The library's case, whole."""


class TestNonInterleavingNotificationIDs(OnOurLog, NonInterleavingNotificationIDsBaseCase):
    """The library's case, whole: two writers' events never interleave in the log."""


@pytest.fixture
def recorder(new_database: Callable[..., str]) -> LogRecorder:
    return LogRecorder(Store(new_database(prepare), Codec(())), NAMES)


def test_an_event_that_its_service_cannot_read_is_refused(recorder: LogRecorder) -> None:
    """O4: in the log it would stop everybody who follows it."""
    with pytest.raises(ProgrammingError, match="no event named other"):
        recorder.insert_events([StoredEvent("test/1", 1, "other", b"{}")])
    assert recorder.max_notification_id() is None
    recorder.store.close()


def test_a_tracked_application_never_moves_a_position_of_our_own(recorder: LogRecorder) -> None:
    """X3: whatever an application is named."""
    recorder.store.move("relay", None, 7)
    assert recorder.max_tracking_id("relay") is None
    recorder.insert_events([StoredEvent("test/1", 1, "topic1", b"{}")])
    assert recorder.store.positions("relay") == {"relay": 7}
    with pytest.raises(CheckpointConflict):
        recorder.store.move(f"{TRACKING}relay", 1, 2)
    recorder.store.close()


@pytest.mark.parametrize(
    ("name", "url", "reason"), [("other", "postgresql://", "not for a service"), ("numbers", "", "is not set")]
)
def test_an_application_that_is_for_no_log_is_refused(name: str, url: str, reason: str) -> None:
    """O4: it is named for the service whose log it reads."""
    with pytest.raises(InfrastructureFactoryError, match=reason):
        LogFactory(Environment(name, {"DATABASE_URL": url}))


def test_the_library_finds_the_factory_by_its_module() -> None:
    """O4: as any persistence module."""
    env = Environment(
        "numbers", {"PERSISTENCE_MODULE": "trunkline.eventsourcing_log.application", "DATABASE_URL": "postgresql://"}
    )
    factory = InfrastructureFactory.construct(env)
    assert isinstance(factory, LogFactory)
    with pytest.raises(InfrastructureFactoryError):
        factory.aggregate_recorder()
    factory.close()


def test_a_stock_projection_reads_the_log_with_its_own_tracking(inventory: Inventory, tmp_path: Path) -> None:
    """O4: `examples/events_by_name.py`, twice: the second run goes on where the first one ended."""
    inventory.introduce()
    inventory.add("+6562000001", "+6562000002")
    spec = spec_from_file_location("events_by_name", EXAMPLES / "events_by_name.py")
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    sys.modules["events_by_name"] = example
    spec.loader.exec_module(example)
    env = {"NUMBERS_DATABASE_URL": inventory.url, "EVENTSBYNAME_SQLITE_DBNAME": str(tmp_path / "counts.db")}
    for added in (2, 3):
        # The library's runner closes the projection's pool before its thread has given the last connection back.
        with (
            suppress(ConnectionPoolClosedError),
            EventSourcedProjectionRunner(
                application_class=example.Numbers, projection_class=example.EventsByName, env=env
            ) as runner,
        ):
            runner.wait(inventory.store.end_of_log(), timeout=PATIENCE)
            count = runner.projection.repository.get(example.Count.create_id("numbers.NumberAdded"))
            assert count.events == added
            if added == 2:
                inventory.add("+6562000003")
                runner.wait(inventory.store.end_of_log(), timeout=PATIENCE)
