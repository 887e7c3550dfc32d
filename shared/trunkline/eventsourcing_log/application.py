"""A service's log as a persistence module of the `eventsourcing` library.

With `PERSISTENCE_MODULE=trunkline.eventsourcing_log.application`, an `Application[str]` that is named for a service
reads that service's log, so the library's projection runners and followers work on it. Their own tracking lies wherever
their own persistence module puts it.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, cast

import msgspec
from eventsourcing.persistence import (
    AggregateRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    Mapper,
    ProgrammingError,
    StoredEvent,
    TrackingRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType

from trunkline.eventsourcing_log.recorder import LogRecorder
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Codec, EventMetadata
from trunkline.service_definition import installed_services

DATABASE_URL: Final = "DATABASE_URL"


class LogEvent(msgspec.Struct, frozen=True):
    """One event of the log.

    Attributes:
        originator_id: its stream, such as `number/+6512345678`.
        originator_version: its position in the stream, from 1.
        meta: when it occurred and was recorded, and why.
        event: the fact, as an object of the service's own event class.
    """

    originator_id: str
    originator_version: int
    meta: EventMetadata
    event: Any


class LogMapper(Mapper[str]):
    """Maps stored events to `LogEvent`s by the service's own codec, old versions upcast."""

    def __init__(self, transcoder: Transcoder, codec: Codec) -> None:
        """Prepare; the transcoder is not used."""
        super().__init__(transcoder)
        self._codec = codec

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The event with its envelope. Raises UnknownEvent when a newer service wrote it."""
        stored = self._codec.decode(stored_event.topic, stored_event.state)
        return LogEvent(str(stored_event.originator_id), stored_event.originator_version, stored.meta, stored.data)

    def to_stored_event(self, domain_event: Any) -> NoReturn:
        """Refuse: facts of a service are recorded by its commands, which know its rules."""
        raise ProgrammingError(
            f"{type(domain_event).__name__} cannot be saved: the log takes events from its service only"
        )


class LogFactory(InfrastructureFactory[TrackingRecorder]):
    """Makes the recorder of the log of one service.

    Reads `DATABASE_URL`, or `<SERVICE>_DATABASE_URL`, from the application's environment.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Prepare.

        Raises:
            InfrastructureFactoryError: the application is named for no service, or no URL is set.
        """
        super().__init__(env)
        services = installed_services()
        if self.env.name not in services:
            names = ", ".join(sorted(services))
            raise InfrastructureFactoryError(f"the application is named {self.env.name!r}, not for a service: {names}")
        url = self.env.get(DATABASE_URL)
        if not url:
            raise InfrastructureFactoryError(f"{DATABASE_URL} is not set: it names the database of {self.env.name}")
        self._store = Store(url, services[self.env.name].codec())

    def mapper(self, transcoder: Transcoder | None = None, mapper_class: Any = None) -> Mapper[Any]:
        """The mapper of the service's events."""
        del mapper_class
        return cast("Mapper[Any]", LogMapper(transcoder or self.transcoder(), self._store.codec))

    def application_recorder(self) -> LogRecorder:
        """The recorder over the log."""
        return LogRecorder(self._store)

    def process_recorder(self) -> LogRecorder:
        """The same: positions are recorded in the same database."""
        return LogRecorder(self._store)

    def tracking_recorder(self, tracking_recorder_class: type[Any] | None = None) -> Any:
        """The same. Raises InfrastructureFactoryError for a view: those have a persistence module of their own."""
        if tracking_recorder_class is not None:
            raise InfrastructureFactoryError("a view is kept by a persistence module of its own, not in the log")
        return LogRecorder(self._store)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Refuse: the log keeps no snapshots. Raises InfrastructureFactoryError."""
        raise InfrastructureFactoryError(f"the log keeps no {purpose} apart from its own")

    def close(self) -> None:
        """Close the connections to the log."""
        self._store.close()
