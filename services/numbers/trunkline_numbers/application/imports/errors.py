"""Why a row of an upload is not taken, and what else can be wrong with one: one sentence each (R3, DOMAIN §9)."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class CellBlank(Refused):
    """The cell is blank."""


class CellNotTrueOrFalse(Refused):
    """{value!r} is neither TRUE nor FALSE."""


class TextUnreadable(Refused):
    """{value!r} is not 1 to 64 characters without control characters."""


class TextInvisible(Refused):
    """{value!r} {what}."""

    code: ClassVar[str] = "text-unreadable"


class DomainUnreadable(Refused):
    """{value!r} is no portal domain."""


class DomainNotYours(Refused):
    """{value!r} is none of your portal domains."""


class LegacyLockNotYours(Refused):
    """Only the platform brings in locks without end."""


class NumberTwiceInFile(Refused):
    """{value!r} is {number}, which line {line} has already."""


class FileWithoutRows(Refused):
    """The file names its columns and has no rows."""

    status: ClassVar[int] = 422


class FormWithoutFile(Refused):
    """The form has {count} files; an upload is one, in the field `file`."""

    status: ClassVar[int] = 422


class FieldNotTaken(Refused):
    """The field {field!r} is not accepted: {why}."""

    status: ClassVar[int] = 422


class FileKindUnsupported(Refused):
    """The content type {given!r} is no upload's: send text/csv, or multipart/form-data with the field `file`."""

    status: ClassVar[int] = 415
