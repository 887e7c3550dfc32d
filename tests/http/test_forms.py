"""When a form with a file is read (R1, §9): complete, in order, or refused with the reason."""

from __future__ import annotations

from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.http.multipart import FormUnreadable, Part, read_form

CONTENT_TYPE = "multipart/form-data; boundary=b"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\nx,y\r\n1,2'
FIELD = b'Content-Disposition: form-data; name="vendor"\r\n\r\nCarrier'
NAMES = st.text(st.characters(categories=["L", "N"], include_characters=" -_.,;='☃"), min_size=1, max_size=40)


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def test_then_files_and_fields_are_read_in_their_order() -> None:
    """R1: bytes as they are, also where they look like a boundary."""
    looks_like_one = b'Content-Disposition: form-data; name="remark"\r\n\r\n--b is no boundary\r\n--bx\r\n'
    assert read_form(form(FILE, FIELD, looks_like_one), CONTENT_TYPE) == [
        Part("file", b"x,y\r\n1,2", "a.csv"),
        Part("vendor", b"Carrier"),
        Part("remark", b"--b is no boundary\r\n--bx\r\n"),
    ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (r"C:\\lists\\a.csv", "a.csv"),
        ("/home/ada/a.csv", "a.csv"),
        ("Zürich ☃.csv", "Zürich ☃.csv"),
        ("a\x00b\x1b.csv", "ab.csv"),
        ("x" * 300, "x" * 200),
        ("", ""),
    ],
)
def test_then_a_file_name_has_no_folders_and_nothing_that_cannot_be_shown(sent: str, shown: str) -> None:
    """R1: some browsers send the folders too."""
    part = f'Content-Disposition: form-data; name="file"; filename="{sent}"\r\n\r\nx'.encode()
    [read] = read_form(form(part), CONTENT_TYPE)
    assert read.file_name == shown


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"--b",
        b"--b\r\n\r\n--b--",
        form(FILE, FIELD, end=b""),
        form(FILE, FIELD)[:-3],
        form(FILE)[:40],
        form(b"x"),
        form(b'Content-Disposition: form-data; name="a"'),
        form(b"Content-Disposition: form-data\r\n\r\nx"),
        form(b'Content-Disposition: form-data; name=""\r\n\r\nx'),
        form(FILE).replace(b"\r\n", b"\n"),
        form(*[FIELD] * 51),
    ],
)
def test_then_a_form_that_is_cut_off_or_malformed_is_refused(body: bytes) -> None:
    """§9: a form that ends early is no shorter form."""
    with pytest.raises(FormUnreadable) as refused:
        read_form(body, CONTENT_TYPE)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("parameters", ["", "; boundary=", f"; boundary={'x' * 71}", "; boundary=ä"])
def test_then_a_content_type_needs_a_boundary(parameters: str) -> None:
    """§9: of 1 to 70 characters."""
    with pytest.raises(FormUnreadable, match="no boundary"):
        read_form(form(FILE), f"multipart/form-data{parameters}")


def test_then_a_field_that_is_not_utf8_is_named() -> None:
    """§9: it is neither guessed nor mended."""
    [part] = read_form(form(b'Content-Disposition: form-data; name="sku"\r\n\r\n\xff'), CONTENT_TYPE)
    with pytest.raises(FormUnreadable, match="'sku' is not UTF-8"):
        _ = part.text


@given(st.binary(max_size=3000), NAMES, st.dictionaries(NAMES, st.text(max_size=50), max_size=5))
def test_then_a_form_of_any_client_comes_out_as_it_went_in(content: bytes, name: str, fields: dict[str, str]) -> None:
    """R1: as httpx writes it."""
    request = httpx.Request("POST", "http://test", data=fields, files={"file": (name, content)})
    parts = read_form(request.read(), request.headers["Content-Type"])
    assert [(part.name, part.text) for part in parts[:-1]] == list(fields.items())
    assert (parts[-1].content, parts[-1].file_name) == (content, name)


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 20))
def test_then_any_bytes_are_a_form_or_refused(junk: bytes, at: int, gone: int) -> None:
    """§9: never another error."""
    whole = form(FILE, FIELD)
    for body in (junk, whole[:at] + junk + whole[at + gone :]):
        with suppress(FormUnreadable):
            read_form(body, CONTENT_TYPE)
