"""When a file of people cannot be taken: it is refused whole in one sentence (L9, §9)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.http.bulk import HEADER, Office
from tests.http.world import World, created, problem

ROW = "101,Ada,,"
A, B = "652d2f57-6e3b-4170-8bf9-4f1e98c88b56", "7bccb66a-61bc-4bc0-85e6-7fd5e4b1708e"
UUID_HEADER = "Ext Key,Identity UUID,Number"

BAD: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "file-empty", "empty"),
    "header only": (f"{HEADER}\n".encode(), "file-without-users", "no user"),
    "utf-16": (f"{HEADER}\n{ROW}".encode("utf-16"), "not-utf8", "UTF-16"),
    "latin-1": (f"{HEADER}\n101,Zoë,,".encode("latin-1"), "not-utf8", ""),
    "nul": (f"{HEADER}\n101,A\x00a,,".encode(), "nul-byte", "NUL"),
    "semicolons": (f"{HEADER}\n{ROW}".replace(",", ";").encode(), "delimiter-wrong", "semicolons"),
    "missing column": (b"Ext Key,User's Name\n101,Ada", "column-missing", "Number"),
    "unknown column": (f"{HEADER},Shoe Size\n{ROW},44".encode(), "column-unknown", "Shoe Size"),
    "column twice": (b"Ext Key,User's Name,Number,ext key\n101,Ada,,102", "column-twice", "ext key"),
    "both kinds of header": (f"{HEADER},Identity UUID\n{ROW},{A}".encode(), "column-unknown", "Identity UUID"),
    "quote open": (f'{HEADER}\n101,"Ada,,'.encode(), "quote-open", "line 2"),
    "row too long": (f"{HEADER}\n101,Ada,,,x".encode(), "row-too-long", "Line 2"),
    "uuid among names": (f"{HEADER}\n{ROW}\n102,{A},,".encode(), "mixed-identities", "Line 3"),
    "name among uuids": (f"{UUID_HEADER}\n101,{A},\n102,Ada,".encode(), "mixed-identities", "Line 3"),
    "mixed in the third": (f"Ext Key,Number,User\n101,,Ada\n102,,{A}".encode(), "mixed-identities", "Line 3"),
}

GOOD: dict[str, bytes] = {
    "another order": b"Number,Ext Key,User's Name\n,101,Ada",
    "capitals and spaces": b" EXT KEY ,user's  NAME,NUMBER\n101,Ada,",
    "bom": b"\xef\xbb\xbf" + f"{HEADER}\n{ROW}".encode(),
    "crlf mixed": b"Ext Key,User's Name,Number\r\n101,Ada,\n\r102,Bob,\r",
    "trailing commas": b"Ext Key,User's Name,Number,,\n101,Ada,,,\n",
    "quoted newline": b'Ext Key,User\'s Name,Number\n101,"Ada\nLovelace",\n',
    "no reference column": b"Ext Key,User's Name,Number\n101,Ada,",
    "uuid": f"{UUID_HEADER}\n101,{A},\n102,{B.upper()},".encode(),
    "typographic apostrophe": "Ext Key,User’s Name,Number\n101,Ada,".encode(),
}


@pytest.mark.parametrize("name", BAD)
async def test_then_the_whole_file_is_refused(world: World, name: str) -> None:
    """L9, L11, §9: by a code of its own, saying what and where; no row of it is there."""
    content, code, said = BAD[name]
    of = Office(world)
    one = await of.draft(name=name)
    told = problem(await of.send(one, content), 422, code)
    assert said in told["detail"], told["detail"]
    shown = created(await of.admin.get(one))
    assert (shown["total"], shown["files"]) == (0, [])


@pytest.mark.parametrize("name", GOOD)
async def test_then_what_only_looks_odd_is_taken(world: World, name: str) -> None:
    """L7, §9, §10.1: case, order, spaces, line ends, a byte order mark; no column for references."""
    of = Office(world)
    one = await of.draft(name=name)
    assert created(await of.send(one, GOOD[name]))["total"] >= 1
    first = created(await of.admin.get(f"{one}/users"))["items"][0]
    assert first["ext_key"] == "101"


async def test_then_five_megabytes_are_taken_and_one_byte_more_is_not(world: World) -> None:
    """L9: 5 × 1,048,576 bytes; refused before it is parsed, so that what is in it does not matter."""
    of = Office(world)
    one = await of.draft()
    most = 5 * 1_048_576
    padded = f"{HEADER}\n{ROW}\n".encode()
    told = problem(await of.send(one, b"\x00" * (most + 1)), 413, "file-too-large")
    assert "5,242,880" in told["detail"]
    problem(await of.send(one, b"\x00" * (most + 200_000)), 413)
    assert created(await of.send(one, padded + b"\n" * (most - len(padded))))["total"] == 1


async def test_then_the_15001st_row_over_several_files_is_refused(world: World) -> None:
    """L9: the file that has it is refused whole, naming the line; one that just fits is taken."""
    of = Office(world)
    one = await of.draft()
    many = [f"{n % 90_000 + 10_000},Person {n}," for n in range(15_001)]

    def file(first: int, last: int) -> bytes:
        return "\n".join(("Ext Key,User's Name,Number", *many[first:last])).encode()

    created(await of.send(one, file(0, 9_000)))
    told = problem(await of.send(one, file(9_000, 15_001)), 422, "too-many-users")
    assert "line 6002" in told["detail"]
    assert created(await of.admin.get(one))["total"] == 9_000
    assert created(await of.send(one, file(9_000, 15_000)))["total"] == 15_000
    problem(await of.send(one, b"Ext Key,User's Name,Number\n999,Zoe,"), 422, "too-many-users")


async def test_then_a_file_uploaded_twice_is_refused_the_second_time(world: World) -> None:
    """L7: the very bytes, under any name; the same people in another file fail by row."""
    of = Office(world)
    await of.hire("Ada")
    await of.buy()
    one = await of.draft(ROW)
    problem(await of.add(one, ROW), 409, "file-added-before")
    created(await of.add(one, ROW, ""))
    await of.assign(one)
    assert await of.codes(one) == [None, "EXT_DUPLICATE"]


async def test_then_a_form_is_taken_too(world: World) -> None:
    """L7: as browsers send it; with the file's own name."""
    of = Office(world)
    one = await of.draft()
    files: Any = {"file": ("people.csv", f"{HEADER}\n{ROW}".encode(), "text/csv")}
    made = created(await of.admin("POST", f"{one}/users", files=files))
    assert made["files"] == [{"name": "people.csv", "rows": 1, "identified_by": "name"}]
    problem(await of.admin("POST", f"{one}/users", files={"a": ("a", b"x"), "b": ("b", b"y")}), 422, "form-unreadable")


async def test_then_mutated_files_have_an_answer_and_no_partial_effect(world: World) -> None:
    """§9, L9: bytes changed, cut, doubled at random: never a 5xx; the total is of files that were taken."""
    of = Office(world)
    one = await of.draft()
    draw = random.Random(5)
    seeds = [content for content, _, _ in BAD.values()] + list(GOOD.values())
    total = 0
    for _ in range(250):
        content = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 6)):
            place = draw.randrange(len(content) + 1)
            match draw.randrange(4):
                case 0:
                    content[place:place] = draw.randbytes(draw.randint(1, 3))
                case 1:
                    del content[place : place + draw.randint(1, 5)]
                case 2:
                    content[place : place + 1] = draw.choice([b",", b'"', b"\r", b"\n", b"\x00", b"\xff", b"'", b";"])
                case _:
                    content += content[place:]
        answer = await of.send(one, bytes(content))
        assert answer.status_code < 500, (bytes(content), answer.text)
        if answer.is_success:
            total = answer.json()["total"]
        else:
            assert answer.json()["detail"]
    shown = created(await of.admin.get(one))
    assert shown["total"] == total == sum(file["rows"] for file in shown["files"])
    foreseen = created(await of.admin.get(f"{one}/preflight")) if total else {"total": 0}
    assert foreseen["total"] == total
