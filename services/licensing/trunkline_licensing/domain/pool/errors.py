"""Why licensing may not do what is asked of licenses and extensions: docstrings are sentences, class names codes.

In a row of a bulk assignment the same refusals are the codes of L11, in capitals: `no-base-license` is
`NO_BASE_LICENSE`.
"""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused

# -- units ------------------------------------------------------------------------------------------------------------


class NoBaseLicense(Refused):
    """There is no free Phone System license{where}: an active subscription with a spare unit is needed."""


class NoAddonLicense(Refused):
    """There is no free license of the add-on {license_code}: an active subscription with a spare unit is needed."""


class NotEnoughLicenses(Refused):
    """{wanted} units of {name} ({license_code}) are needed and {left} are free{where}."""


class ReferenceUnknown(Refused):
    """The organization has no Phone System subscription with the reference {value!r}."""


# -- extensions -------------------------------------------------------------------------------------------------------


class ExtensionUnknown(Refused):
    """There is no extension {extension_id} in this organization."""

    status: ClassVar[int] = 404


class ExtFormat(Refused):
    """{value!r} is no extension key: it takes 3 to 5 digits."""

    status: ClassVar[int] = 422


class ExtDuplicate(Refused):
    """The extension key {value} is in use in this organization already, or is named twice."""


class ExtOverflow(Refused):
    """{count} extensions from {start} on would end beyond 99999, the last extension key there is."""

    status: ClassVar[int] = 422


class NameBlank(Refused):
    """The directory name is blank; send null to take it away."""

    status: ClassVar[int] = 422


class NameTooLong(Refused):
    """The directory name has {length} characters; it takes at most 100, and no control, zero-width or \
bidirectional characters."""

    status: ClassVar[int] = 422


class UserUnknown(Refused):
    """There is no person {value} in this organization."""

    status: ClassVar[int] = 422


class UserAssigned(Refused):
    """The person {value} has an extension already, or is named twice: a person has at most one."""


class NumberFormat(Refused):
    """{value!r} is no telephone number: it takes 3 to 15 digits, with or without + before them."""

    status: ClassVar[int] = 422


class NumberDuplicate(Refused):
    """The number {value} is named twice: an extension has a number of its own."""

    status: ClassVar[int] = 422


class AddonUnknown(Refused):
    """There is no add-on license {license_code!r}."""

    status: ClassVar[int] = 422


class AddonPrerequisite(Refused):
    """{name} ({license_code}) needs {missing}."""


class SomeRefused(Refused):
    """Nothing was done, for {count} reasons: see `errors`."""
