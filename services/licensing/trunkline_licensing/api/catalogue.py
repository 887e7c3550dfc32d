"""The add-ons of this deployment: the standard ones, and those of its settings (L21)."""

from __future__ import annotations

from functools import lru_cache

from trunkline.doors import Node
from trunkline.settings import AddonSetting
from trunkline_licensing.license_codes import Addon, Catalogue


def catalogue(node: Node) -> Catalogue:
    """What can be hung on extensions here."""
    return _catalogue(node.settings.addons)


@lru_cache(maxsize=8)
def _catalogue(further: tuple[AddonSetting, ...]) -> Catalogue:
    return Catalogue(Addon(addon.code, addon.name, addon.needs) for addon in further)
