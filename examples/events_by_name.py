"""Counts the events of the numbers service by name, with the `eventsourcing` library alone.

Reads the log of the database NUMBERS_DATABASE_URL. Keeps its counts and its position in EVENTSBYNAME_SQLITE_DBNAME.
"""

import os
from typing import ClassVar
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application, ProcessingEvent
from eventsourcing.domain import Aggregate, event
from eventsourcing.projection import EventSourcedProjection, EventSourcedProjectionRunner

from trunkline.eventsourcing_log.application import LogEvent


class Numbers(Application[str]):
    name = "numbers"  # the service; the application is not written to
    env: ClassVar = {"NUMBERS_PERSISTENCE_MODULE": "trunkline.eventsourcing_log.application"}


class Count(Aggregate):
    def __init__(self, of: str) -> None:
        self.of, self.events = of, 0

    @staticmethod
    def create_id(of: str) -> UUID:
        return uuid5(NAMESPACE_URL, of)

    @event("Counted")
    def add(self) -> None:
        self.events += 1


class EventsByName(EventSourcedProjection[UUID]):
    env: ClassVar = {"EVENTSBYNAME_PERSISTENCE_MODULE": "eventsourcing.sqlite"}

    def policy(self, domain_event: LogEvent, processing_event: ProcessingEvent[UUID]) -> None:
        name = type(domain_event.event).TYPE
        try:
            count: Count = self.repository.get(Count.create_id(name))
        except AggregateNotFoundError:
            count = Count(name)
        count.add()
        processing_event.collect_events(count)  # stored with the position, in one transaction


if __name__ == "__main__":
    with EventSourcedProjectionRunner(
        application_class=Numbers, projection_class=EventsByName, env=dict(os.environ)
    ) as runner:
        runner.run_forever()
