"""What of this deployment's settings concerns licenses: its add-ons beside the standard ones, patience (L21, X5)."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from trunkline.service_definition import ServiceContext
from trunkline.settings import AddonSetting
from trunkline_licensing.domain.pool.catalogue import Addon, Catalogue


def catalogue(context: ServiceContext) -> Catalogue:
    """What can be hung on extensions here."""
    return _catalogue(context.settings.addons)


def answer_within(context: ServiceContext) -> timedelta:
    """How long numbers may take to answer a request to bind (X5)."""
    return timedelta(seconds=context.settings.binding_timeout)


@lru_cache(maxsize=8)
def _catalogue(further: tuple[AddonSetting, ...]) -> Catalogue:
    return Catalogue(Addon(addon.code, addon.name, addon.needs) for addon in further)
