"""Why a bulk assignment, or a file for it, is refused as a whole (L6, L9, L11)."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class BulkAssignmentUnknown(Refused):
    """There is no bulk assignment {key} in this organization."""

    status: ClassVar[int] = 404


class BulkAssignmentIsDraft(Refused):
    """The bulk assignment {name!r} is a draft, to be edited, assigned, duplicated or deleted, not for {what!r}."""


class BulkAssignmentInProgress(Refused):
    """The bulk assignment {name!r} runs since {since}, to be looked at or duplicated, not for {what!r}."""


class BulkAssignmentIsCompleted(Refused):
    """The bulk assignment {name!r} is completed since {since}, to be reported on or duplicated, not for {what!r}."""


class RightLost(Refused):
    """Who began this bulk assignment may not go on with it: {why}."""

    status: ClassVar[int] = 403


class NoUsersYet(Refused):
    """The bulk assignment {name!r} has no users: add a file of them before it is assigned."""


class FileAddedBefore(Refused):
    """The file {file!r} was added before, as {before!r}: none of its users is added again."""


class FileWithoutUsers(Refused):
    """The file {file!r} has a header and no user below it."""

    status: ClassVar[int] = 422


class TooManyUsers(Refused):
    """The file {file!r} would make it {total:,} users, and {limit:,} are taken: line {line} is the first too many."""

    status: ClassVar[int] = 422


class MixedIdentities(Refused):
    """Line {line} of {file!r} names its user by {found}, {value!r}, where {others}: one file names all by one kind."""

    status: ClassVar[int] = 422
