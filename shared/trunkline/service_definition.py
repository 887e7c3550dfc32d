"""What a service is made of: the table that a composition root (`wiring.py`) fills in and everything else runs.

`trunkline` imports no service. It finds them through the entry-point group `trunkline.services`; each entry is a
function without arguments that returns one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from trunkline.contracts.cloudevents.envelope import Contract
from trunkline.eventstore.decider import Decider
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Causation, Codec, RecordedEvent
from trunkline.eventstore.schema import Migration
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.principal import EmptyTree, Tree

if TYPE_CHECKING:  # a command that only reads the table need not load the web and Kafka packages
    from fastapi import APIRouter

    from trunkline.clock import Clock
    from trunkline.eventstore.leader_election import LeaderElection
    from trunkline.files.export_slots import ExportSlots
    from trunkline.messaging.caught_up import Horizon
    from trunkline.messaging.compacted_topics.feed import CompactedTopic
    from trunkline.messaging.message_handler import MessageHandler
    from trunkline.projections.runner import Projection
    from trunkline.settings import Settings

T = TypeVar("T")

Public = tuple[Contract, Any]
"""A contract and its data: what a stored event says to the outside."""


class ServiceContext(Protocol):
    """One running service, as its routes and its background tasks need it."""

    @property
    def name(self) -> str:
        """`licensing` or `numbers`."""

    @property
    def service(self) -> ServiceDefinition:
        """What it is made of."""

    @property
    def store(self) -> Store:
        """Where its streams are."""

    @property
    def clock(self) -> Clock:
        """Its time; in a sandbox the test clock's."""

    @property
    def settings(self) -> Settings:
        """The process's settings."""

    @property
    def leader_election(self) -> LeaderElection:
        """Which tasks this process runs, of those that only one copy may run."""

    @property
    def loops(self) -> Mapping[str, object]:
        """The loops that run, by name."""
        ...

    @property
    def horizon(self) -> Horizon:
        """Tells how far some topics reach, and whether all of it is consumed."""

    @property
    def exports(self) -> ExportSlots:
        """Its slots for files."""

    def run(self, decide: Callable[[UnitOfWork], T]) -> tuple[T, int]:
        """`trunkline.eventstore.unit_of_work.run` on its store and clock."""

    def wait_for_views(self, position: int, at_most: float, /) -> bool:
        """Wait until every view has reached a position of its log; False when `at_most` seconds were not enough."""

    def measure(self) -> None:
        """Bring the gauges of its metrics up to date."""

    def troubles(self) -> list[str]:
        """What keeps it from serving, one sentence each; empty: it is ready."""

    def degradations(self) -> list[str]:
        """What is away while it serves requests, one sentence each."""


@dataclass(frozen=True)
class ServiceDefinition:
    """One service, whole.

    Attributes:
        name: `licensing` or `numbers`; also its event source `/trunkline/<name>` and its consumer group.
        deciders: every kind of stream it owns.
        message_handlers: what it consumes, and what it does about it.
        published: a stored event -> what is said of it publicly; None for a private one.
        private: the stored names that are never said, so that publishing need not read them.
        publishes: every contract it may publish, so that topics can be created.
        settle: what to do with streams that are due (N10): loads, decides and records into the work.
        views: its projections.
        followers: further loops over its own log: name -> makes the step that does one page and says how much it did.
        subscribers: positions of its own in its log: name -> the stored names that it reads (see `Follower`).
        states: its state topics.
        routes: its HTTP doors, in the order in which they are tried.
        migrations: its own tables, after the store's.
        repairs: kind of a difference between the services -> what it does about things of that kind (key -> the numbers
            that it is about), where an operator says so; how many it was about.
        prepare: what it has to look after in its migrated store before anything runs.
        tree: the tree of parties as a piece of work reads it.
    """

    name: str
    deciders: tuple[Decider[Any], ...]
    message_handlers: tuple[MessageHandler, ...]
    published: Callable[[RecordedEvent], Public | None]
    publishes: tuple[Contract, ...]
    settle: Callable[[UnitOfWork, Sequence[str]], None]
    private: frozenset[str] = frozenset()
    views: tuple[Projection, ...] = ()
    followers: Mapping[str, Callable[[ServiceContext], Callable[[], int]]] = field(default_factory=dict)
    subscribers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    states: tuple[CompactedTopic, ...] = ()
    routes: Callable[[ServiceContext], Sequence[APIRouter]] = lambda _context: ()
    migrations: tuple[Migration, ...] = field(default=())
    repairs: Mapping[str, Callable[[UnitOfWork, Mapping[str, Sequence[str]], Causation], int]] = field(
        default_factory=dict
    )
    prepare: Callable[[Store], None] = lambda _store: None
    tree: Callable[[UnitOfWork], Tree] = lambda _uow: EmptyTree()

    @property
    def source(self) -> str:
        """The CloudEvents source of what it says."""
        return f"/trunkline/{self.name}"

    def codec(self) -> Codec:
        """The codec of all its stored events."""
        return Codec(self.deciders)


def installed_services() -> dict[str, ServiceDefinition]:
    """The services installed beside `trunkline`, by name."""
    found = (entry.load()() for entry in entry_points(group="trunkline.services"))
    return {service.name: service for service in sorted(found, key=lambda s: s.name)}
