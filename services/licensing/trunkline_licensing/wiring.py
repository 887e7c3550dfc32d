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
from trunkline.messaging.compacted_topics.feed import StateTopic
from trunkline.messaging.message_handler import MessageHandler
from trunkline.service_definition import Service
from trunkline_licensing.api.branch import DirectoryTree
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.routes import routes
from trunkline_licensing.bulk_assignment import BULK
from trunkline_licensing.extension import EXTENSION
from trunkline_licensing.license_pool import POOL
from trunkline_licensing.organization import IDENTITY, PARTY
from trunkline_licensing.published import PRIVATE, extension_state, published
from trunkline_licensing.reactions import (
    billing_heard,
    bulk_answered,
    deadline_due,
    number_answered,
    number_copied,
    party_heard,
    repairing,
)
from trunkline_licensing.reactions.answers_read import AnswersRead
from trunkline_licensing.reactions.bulk_runner import Runner
from trunkline_licensing.subscription import SUBSCRIPTION
from trunkline_licensing.views import number_copy
from trunkline_licensing.views.bulk_view import VIEW as BULK_VIEW
from trunkline_licensing.views.extension_view import VIEW as EXTENSION_VIEW
from trunkline_licensing.views.identity_view import VIEW as IDENTITY_VIEW
from trunkline_licensing.views.party_view import VIEW as PARTY_VIEW
from trunkline_licensing.views.pool_view import VIEW as POOL_VIEW
from trunkline_licensing.views.subscription_view import VIEW as SUBSCRIPTION_VIEW

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def _bulk(node: ServiceContext) -> Callable[[], int]:
    """Bulk assignments in progress go on, chunk after chunk, and hear what numbers answers (L13)."""
    return Runner(node, catalogue(node), timedelta(seconds=node.settings.binding_timeout), node.duties).step


def service() -> Service:
    """Licensing, whole (entry point `trunkline.services`)."""
    answers = AnswersRead()
    return Service(
        name="licensing",
        deciders=(SUBSCRIPTION, PARTY, IDENTITY, POOL, EXTENSION, BULK),
        message_handlers=(
            MessageHandler({parties.TOPIC: parties.CONTRACTS}, party_heard.react),
            MessageHandler({billing.TOPIC: billing.CONTRACTS}, billing_heard.react),
            MessageHandler(
                {name: {name: numbers.CONTRACTS[name]} for name in number_answered.TOPICS}, number_answered.react
            ),
            MessageHandler({numbers.STATE.topic: {numbers.STATE.name: numbers.STATE}}, number_copied.react),
        ),
        published=published,
        private=frozenset(map(stored_name, PRIVATE)),
        says=tuple(CONTRACTS.values()),
        settle=partial(deadline_due.react, answers=answers),
        views=(SUBSCRIPTION_VIEW, PARTY_VIEW, IDENTITY_VIEW, POOL_VIEW, EXTENSION_VIEW, BULK_VIEW),
        followers={"bulk": _bulk, "answers": answers.watch},
        subscribers={bulk_answered.FOLLOWER: bulk_answered.NAMES},
        states=(StateTopic(STATE, EXTENSION_VIEW.name, extension_state),),
        prepare=number_copy.begin_anew_where_empty,
        repairs={"binding": repairing.repair_bindings, "copy": repairing.drop_copies},
        routes=routes,
        tree=DirectoryTree,
        migrations=tuple(read_migrations(files("trunkline_licensing") / "migrations")),
    )
