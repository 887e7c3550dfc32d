"""What can be licensed: the base license, and the add-ons with what each of them needs (L17, L21).

The nine add-ons of the product are here; further ones are configuration (`TRUNKLINE_ADDONS`), not code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from trunkline_licensing.domain.pool.errors import AddonPrerequisite, AddonUnknown

BASE: Final = "phone_system"
BASE_NAME: Final = "Phone System"


class Addon(msgspec.Struct, frozen=True):
    """A license that hangs on an extension.

    Attributes:
        code: what events, files and requests call it.
        name: what people call it.
        needs: the other add-ons it needs beside it: one out of each group.
    """

    code: str
    name: str
    needs: tuple[tuple[str, ...], ...] = ()


DEVICES: Final = ("device_ip_phone", "device_mobile_app", "device_desktop_app", "device_web_rtc")
CONTACT_CENTER: Final = "license_center"

STANDARD: Final = (
    Addon("call_recording", "Call Recording"),
    Addon("device_desktop_app", "Desktop"),
    Addon("license_dnc_checking_enabled", "DNC"),
    Addon("device_ip_phone", "IP Phone"),
    Addon("device_mobile_app", "Mobile"),
    Addon("device_web_rtc", "Web Phone"),
    Addon("license_number", "Number"),
    Addon("team_chat", "Team Chat"),
    Addon(CONTACT_CENTER, "Contact Center", (DEVICES,)),
)


class Catalogue:
    """The add-ons of one deployment, by code, in their order."""

    def __init__(self, further: Iterable[Addon] = ()) -> None:
        """The standard ones and some further ones; one with the code of a standard one takes its place."""
        self.addons: Mapping[str, Addon] = {addon.code: addon for addon in (*STANDARD, *further)}

    def name(self, code: str) -> str:
        """What people call a license; its code where this deployment does not know it any more."""
        if code == BASE:
            return BASE_NAME
        addon = self.addons.get(code)
        return code if addon is None else addon.name

    def missing(self, code: str, present: Collection[str]) -> str | None:
        """What an add-on needs and lacks among the codes present, for people to read; None: nothing (L17)."""
        addon = self.addons.get(code)
        groups = () if addon is None else (g for g in addon.needs if not set(g) & set(present))
        lacking = [" or ".join(f"{self.name(c)} ({c})" for c in group) for group in groups]
        return " and ".join(lacking) or None

    def check(self, codes: Collection[str], before: Collection[str] = ()) -> None:
        """Refuse a set of add-ons of one extension that cannot be together.

        Args:
            codes: all that it is to have.
            before: all that it had; what one of these lacked then, it may go on lacking.

        Raises:
            AddonUnknown: naming the first code that there is not (L21).
            AddonPrerequisite: naming what the first of them lacks (L17).
        """
        for code in codes:
            if code not in self.addons and code not in before:
                raise AddonUnknown(license_code=code, value=code)
        for code in codes:
            missing = self.missing(code, codes)
            if missing is not None and not (code in before and self.missing(code, before)):
                raise AddonPrerequisite(name=self.name(code), license_code=code, missing=missing, value=code)
