"""The composition root of numbers: what it owns, what it reacts to, what it says."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from trunkline.contracts import licensing as licensing_contracts
from trunkline.contracts import numbers as numbers_contracts
from trunkline.contracts.contract import Contract
from trunkline.eventstore.log_subscriber import LogSubscriber
from trunkline.eventstore.recorded_event import stored_name
from trunkline.eventstore.schema import read_migrations
from trunkline.mail.outbox import MailSender
from trunkline.mail.transports import open_post_office
from trunkline.messaging.compacted_topics.feed import CompactedTopic
from trunkline.messaging.message_handler import MessageHandler
from trunkline.service_definition import ServiceDefinition
from trunkline_numbers.api.routes import routes
from trunkline_numbers.application.imports.run import Uploads
from trunkline_numbers.application.visibility import DirectoryTree
from trunkline_numbers.domain.extension import EXTENSION
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.domain.person_replica import PERSON
from trunkline_numbers.domain.policy import POLICY
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.domain.upload import UPLOAD
from trunkline_numbers.message_handlers import binding_requests, party_events, person_events, subscription_events
from trunkline_numbers.projections.listing import VIEW as LISTING_VIEW
from trunkline_numbers.projections.number import VIEW as NUMBER_VIEW
from trunkline_numbers.projections.party import VIEW as PARTY_VIEW
from trunkline_numbers.projections.subscription import VIEW as SUBSCRIPTION_VIEW
from trunkline_numbers.publishing import PRIVATE, number_state, published
from trunkline_numbers.reactors import deadlines, notice_mails

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext

SUBSCRIPTION_TOPICS = tuple(name for name in licensing_contracts.CONTRACTS if name.startswith("Subscription"))
BINDING_TOPICS = ("NumberBindingRequested", "NumberUnbindingRequested")
PERSON_TOPICS = tuple(name for name in licensing_contracts.CONTRACTS if name.startswith("Identity"))
PARTY_TOPICS = tuple(
    name for name in licensing_contracts.CONTRACTS if name.startswith(("Platform", "Partner", "Organization"))
)


def _topics(names: tuple[str, ...]) -> dict[str, dict[str, Contract]]:
    return {name: {name: licensing_contracts.CONTRACTS[name]} for name in names}


def _notices(context: ServiceContext) -> Callable[[], int]:
    """Notices that are due become mails (N5, N6)."""
    follower = LogSubscriber(
        context.store,
        context.clock,
        notice_mails.FOLLOWER,
        notice_mails.NAMES,
        notice_mails.handle,
        context.leader_election,
    )
    return follower.step


def _mail(context: ServiceContext) -> Callable[[], int]:
    """Mails are handed in, over SMTP or into the home's mailbox."""
    settings = context.settings
    office = open_post_office(settings.smtp_url, settings.mail_from, settings.home / "mailbox")
    return MailSender(context.store, context.clock, office, context.leader_election, notice_mails.judge).step


def _uploads(context: ServiceContext) -> Callable[[], int]:
    """Uploads run, chunk after chunk (R3)."""
    return Uploads(context.store, context.clock, context.leader_election).step


def service() -> ServiceDefinition:
    """Numbers as a service."""
    folder = files("trunkline_numbers") / "migrations"
    return ServiceDefinition(
        name="numbers",
        deciders=(NUMBER, SUBSCRIPTION, EXTENSION, PARTY, PERSON, POLICY, UPLOAD),
        message_handlers=(
            MessageHandler(_topics(PARTY_TOPICS), party_events.handle),
            MessageHandler(_topics(PERSON_TOPICS), person_events.handle),
            MessageHandler(_topics(SUBSCRIPTION_TOPICS), subscription_events.handle),
            MessageHandler(_topics(BINDING_TOPICS), binding_requests.handle),
        ),
        published=published,
        private=frozenset(map(stored_name, PRIVATE)),
        publishes=tuple(numbers_contracts.CONTRACTS.values()),
        settle=deadlines.handle,
        views=(NUMBER_VIEW, LISTING_VIEW, SUBSCRIPTION_VIEW, PARTY_VIEW),
        followers={"notices": _notices, "mail": _mail, "uploads": _uploads},
        subscribers={notice_mails.FOLLOWER: notice_mails.NAMES},
        states=(CompactedTopic(numbers_contracts.STATE, NUMBER_VIEW.name, number_state),),
        routes=routes,
        tree=DirectoryTree,
        migrations=tuple(read_migrations(folder)) if folder.is_dir() else (),
    )
