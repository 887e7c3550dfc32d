"""What licensing is made of: every stream, reaction, view and door in one table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from trunkline.contracts import billing, numbers, parties
from trunkline.contracts.licensing import CONTRACTS, STATE
from trunkline.eventstore.recorded_event import stored_name
from trunkline.eventstore.schema import read_migrations
from trunkline.messaging.compacted_topics.feed import CompactedTopic
from trunkline.messaging.message_handler import MessageHandler
from trunkline.service_definition import ServiceDefinition
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.routes import routes
from trunkline_licensing.application import repair
from trunkline_licensing.application.bulk_assignment import replies
from trunkline_licensing.application.bulk_assignment.runner import Runner
from trunkline_licensing.application.visibility import DirectoryTree
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK
from trunkline_licensing.domain.extension.extension import EXTENSION
from trunkline_licensing.domain.party.directory import IDENTITY, PARTY
from trunkline_licensing.domain.pool.pool import POOL
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers import billing_events, number_replies, number_states, party_events
from trunkline_licensing.projections.bulk_assignment import VIEW as BULK_VIEW
from trunkline_licensing.projections.extension import VIEW as EXTENSION_VIEW
from trunkline_licensing.projections.identity import VIEW as IDENTITY_VIEW
from trunkline_licensing.projections.party import VIEW as PARTY_VIEW
from trunkline_licensing.projections.pool import VIEW as POOL_VIEW
from trunkline_licensing.projections.subscription import VIEW as SUBSCRIPTION_VIEW
from trunkline_licensing.publishing import PRIVATE, extension_state, published
from trunkline_licensing.reactors import deadlines
from trunkline_licensing.reactors.reply_barrier import AnswersRead
from trunkline_licensing.replicas import number_replica

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def _bulk(context: ServiceContext) -> Callable[[], int]:
    """Bulk assignments in progress go on, chunk after chunk, and hear what numbers answers (L13)."""
    return Runner(
        context, catalogue(context), timedelta(seconds=context.settings.binding_timeout), context.leader_election
    ).step


def service() -> ServiceDefinition:
    """Licensing, whole (entry point `trunkline.services`)."""
    answers = AnswersRead()
    return ServiceDefinition(
        name="licensing",
        deciders=(SUBSCRIPTION, PARTY, IDENTITY, POOL, EXTENSION, BULK),
        message_handlers=(
            MessageHandler({parties.TOPIC: parties.CONTRACTS}, party_events.handle),
            MessageHandler({billing.TOPIC: billing.CONTRACTS}, billing_events.handle),
            MessageHandler(
                {name: {name: numbers.CONTRACTS[name]} for name in number_replies.TOPICS}, number_replies.handle
            ),
            MessageHandler({numbers.STATE.topic: {numbers.STATE.name: numbers.STATE}}, number_states.handle),
        ),
        published=published,
        private=frozenset(map(stored_name, PRIVATE)),
        publishes=tuple(CONTRACTS.values()),
        settle=partial(deadlines.handle, answers=answers),
        views=(SUBSCRIPTION_VIEW, PARTY_VIEW, IDENTITY_VIEW, POOL_VIEW, EXTENSION_VIEW, BULK_VIEW),
        followers={"bulk": _bulk, "answers": answers.watch},
        subscribers={replies.FOLLOWER: replies.NAMES},
        states=(CompactedTopic(STATE, EXTENSION_VIEW.name, extension_state),),
        prepare=number_replica.begin_anew_where_empty,
        repairs={"binding": repair.repair_bindings, "copy": repair.drop_copies},
        routes=routes,
        tree=DirectoryTree,
        migrations=tuple(read_migrations(files("trunkline_licensing") / "migrations")),
    )
