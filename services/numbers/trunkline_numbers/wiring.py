"""The composition root of numbers: what it owns, what it reacts to, what it says."""

from __future__ import annotations

from functools import partial
from importlib.resources import files

from trunkline.contracts import licensing as heard
from trunkline.contracts import numbers as said
from trunkline.contracts.contract import Contract
from trunkline.migrate import read_migrations
from trunkline.service import Hearing, Service
from trunkline_numbers.number import NUMBER
from trunkline_numbers.party import PARTY
from trunkline_numbers.policy import DEFAULT, Policy
from trunkline_numbers.published import published
from trunkline_numbers.reactions import deadline_due, party_changed, subscription_changed
from trunkline_numbers.subscription import SUBSCRIPTION

SUBSCRIPTION_TOPICS = tuple(name for name in heard.CONTRACTS if name.startswith("Subscription"))
PARTY_TOPICS = tuple(name for name in heard.CONTRACTS if name.startswith(("Platform", "Partner", "Organization")))


def _topics(names: tuple[str, ...]) -> dict[str, dict[str, Contract]]:
    return {name: {name: heard.CONTRACTS[name]} for name in names}


def service(policy: Policy = DEFAULT) -> Service:
    """Numbers as a service.

    Args:
        policy: the periods in force (N15).
    """
    folder = files("trunkline_numbers") / "migrations"
    return Service(
        name="numbers",
        deciders=(NUMBER, SUBSCRIPTION, PARTY),
        hearings=(
            Hearing(_topics(PARTY_TOPICS), partial(party_changed.react, policy=policy)),
            Hearing(_topics(SUBSCRIPTION_TOPICS), partial(subscription_changed.react, policy=policy)),
        ),
        published=published,
        says=tuple(said.CONTRACTS.values()),
        settle=partial(deadline_due.react, policy=policy),
        migrations=tuple(read_migrations(folder)) if folder.is_dir() else (),
    )
