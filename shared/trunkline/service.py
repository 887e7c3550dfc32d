"""What a service is made of: the table that a composition root (`wiring.py`) fills in and everything else runs.

`trunkline` imports no service. It finds them through the entry-point group `trunkline.services`; each entry is a
function without arguments that returns one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from trunkline.contracts.envelope import Contract, Message
from trunkline.migrate import Migration
from trunkline.parties import EmptyTree, Tree
from trunkline.recorded import Cause, Codec, Recorded
from trunkline.store import Store
from trunkline.stream import Decider
from trunkline.work import Work

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trunkline.messaging.states import StateTopic
    from trunkline.node import Node
    from trunkline.projection import View

React = Callable[[Work, Sequence[Message]], None]
"""Decides what a batch of messages brings about, into the work; the intake commits it with their positions."""

Public = tuple[Contract, Any]
"""A contract and its data: what a stored event says to the outside."""


@dataclass(frozen=True)
class Hearing:
    """One reaction and the topics it serves: topic -> the contracts that may come on it, by CloudEvents type."""

    topics: Mapping[str, Mapping[str, Contract]]
    react: React


@dataclass(frozen=True)
class Service:
    """One service, whole.

    Attributes:
        name: `licensing` or `numbers`; also its event source `/trunkline/<name>` and its consumer group.
        deciders: every kind of stream it owns.
        hearings: what it reacts to.
        published: a stored event -> what is said of it publicly; None for a private one.
        private: the stored names that are never said, so that publishing need not read them.
        says: every contract it may publish, so that topics can be created.
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
    hearings: tuple[Hearing, ...]
    published: Callable[[Recorded], Public | None]
    says: tuple[Contract, ...]
    settle: Callable[[Work, Sequence[str]], None]
    private: frozenset[str] = frozenset()
    views: tuple[View, ...] = ()
    followers: Mapping[str, Callable[[Node], Callable[[], int]]] = field(default_factory=dict)
    subscribers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    states: tuple[StateTopic, ...] = ()
    routes: Callable[[Node], Sequence[APIRouter]] = lambda _node: ()
    migrations: tuple[Migration, ...] = field(default=())
    repairs: Mapping[str, Callable[[Work, Mapping[str, Sequence[str]], Cause], int]] = field(default_factory=dict)
    prepare: Callable[[Store], None] = lambda _store: None
    tree: Callable[[Work], Tree] = lambda _work: EmptyTree()

    @property
    def source(self) -> str:
        """The CloudEvents source of what it says."""
        return f"/trunkline/{self.name}"

    def codec(self) -> Codec:
        """The codec of all its stored events."""
        return Codec(self.deciders)


def installed_services() -> dict[str, Service]:
    """The services installed beside `trunkline`, by name."""
    found = (entry.load()() for entry in entry_points(group="trunkline.services"))
    return {service.name: service for service in sorted(found, key=lambda s: s.name)}
