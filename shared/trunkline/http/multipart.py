"""Files in forms: `multipart/form-data` (RFC 7578), read by python-multipart; the body is in memory already.

Starlette's `request.form()` uses the same parser, but takes a form that was cut off for a complete one, replaces what
is not UTF-8, and writes files beyond 1 MB to disk (decision 89).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from trunkline.errors import Refused

MEDIA_TYPE: Final = "multipart/form-data"
_MOST_PARTS: Final = 50
_LONGEST_BOUNDARY: Final = 70


class FormUnreadable(Refused):
    """The form cannot be read: {why}."""

    status: ClassVar[int] = 422


@dataclass(frozen=True)
class Part:
    """One field of a form. `file_name` is None where it is no file."""

    name: str
    content: bytes
    file_name: str | None = None

    @property
    def text(self) -> str:
        """The content as text.

        Raises:
            FormUnreadable: it is not UTF-8.
        """
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            raise FormUnreadable(why=f"the field {self.name[:60]!r} is not UTF-8") from None


def read_form(body: bytes, content_type: str) -> list[Part]:
    """The parts of a form, in order.

    Args:
        body: from its first boundary to its last.
        content_type: the header, with the boundary.

    Raises:
        FormUnreadable: naming what is wrong with it.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        raise FormUnreadable(why="its content type names no boundary of 1 to 70 characters")
    if b"--" + boundary not in body:
        raise FormUnreadable(why="the boundary that its content type names is nowhere in it")
    found: list[Field | File] = []
    ends: list[bool] = []
    config = {"MAX_MEMORY_FILE_SIZE": len(body)}
    parser = FormParser(MEDIA_TYPE, found.append, found.append, partial(ends.append, True), boundary, config=config)
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        # The parser's own message quotes bytes of the body.
        raise FormUnreadable(why="a field in it has no name, or its headers or boundaries are malformed") from None
    if not ends:
        raise FormUnreadable(why="it ends before its last boundary")
    if len(found) > _MOST_PARTS:
        raise FormUnreadable(why=f"it has {len(found):,} fields, and {_MOST_PARTS} are the most")
    return [_part(each) for each in found]


def _part(found: Field | File) -> Part:
    # What browsers send is UTF-8, without a header that names it.
    name = (found.field_name or b"").decode("utf-8", "replace")
    if not name:
        raise FormUnreadable(why="a field has no name")
    if isinstance(found, Field):
        return Part(name, found.value or b"")
    found.file_object.seek(0)
    return Part(name, found.file_object.read(), _plain((found.file_name or b"").decode("utf-8", "replace")))


def _plain(file_name: str) -> str:
    """A file's own name, without the folders that some browsers send, and without what cannot be shown."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:200]
