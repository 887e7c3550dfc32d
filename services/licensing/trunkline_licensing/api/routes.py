"""All doors of licensing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter

from trunkline_licensing.api import (
    billing_events,
    license_exports,
    licenses,
    reconciliation,
    subscriptions,
    waiting_facts,
)
from trunkline_licensing.api.bulk_assignments import report, runs, templates, users
from trunkline_licensing.api.extensions import changes, provisioning
from trunkline_licensing.api.extensions import routes as extensions
from trunkline_licensing.api.parties import identities, organizations, partners, platform

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext


def routes(context: ServiceContext) -> Sequence[APIRouter]:
    """The routers that the composition root names."""
    parties = (platform, partners, organizations, identities)
    bulk = (users, templates, runs, report)
    lines = (licenses, license_exports, provisioning, changes, extensions)
    return [
        noun.router(context)
        for noun in (billing_events, subscriptions, *parties, *lines, *bulk, reconciliation, waiting_facts)
    ]
