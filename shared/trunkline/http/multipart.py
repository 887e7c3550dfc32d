"""Files in forms: `multipart/form-data` (RFC 7578), read strictly and whole; the body is in memory already."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import ClassVar, Final

from trunkline.errors import Refused

MEDIA_TYPE: Final = "multipart/form-data"
_MOST_PARTS: Final = 50


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
        body: whole.
        content_type: the header, with the boundary.

    Raises:
        FormUnreadable: saying what is wrong with it.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise FormUnreadable(why="its content type names no boundary of 1 to 70 characters")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not parts:
        raise FormUnreadable(why="the boundary that its content type names is nowhere in it")
    if not parts[-1].startswith(b"--"):
        raise FormUnreadable(why="it ends before its last boundary")
    if len(parts) - 1 > _MOST_PARTS:
        raise FormUnreadable(why=f"it has {len(parts) - 1:,} fields, and {_MOST_PARTS} are the most")
    return [_part(piece) for piece in parts[:-1]]


def _part(piece: bytes) -> Part:
    line, separator, rest = piece.partition(b"\r\n")
    if line.strip(b" \t") or not separator:
        raise FormUnreadable(why="a boundary is followed by something else than the end of its line")
    head, separator, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
    if not separator:
        raise FormUnreadable(why="a field has no empty line after its headers")
    # What browsers send is UTF-8, without a word about it.
    headers = HeaderParser().parsestr(head.decode("utf-8", "replace").lstrip("\r\n") + "\r\n\r\n")
    if headers.get_content_disposition() != "form-data":
        raise FormUnreadable(why="a field is not described as form-data")
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise FormUnreadable(why="a field has no name")
    given = headers.get_filename()
    return Part(name, content, None if given is None else _plain(given))


def _plain(file_name: str) -> str:
    """A file's own name, without the folders that some browsers tell, and without what cannot be shown."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:200]
