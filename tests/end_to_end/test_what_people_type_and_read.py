"""Parties are typed by name, instants are read beside how far they are, and ids beside names (O1)."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell, until_numbers_knows
from trunkline.cli.client.api_client import ApiClient, operator_token
from trunkline.cli.client.named_parties import with_names
from trunkline.cli.main import main
from trunkline.cli.terminal.options import SERVICES
from trunkline.cli.terminal.output import distance
from trunkline.settings import load_settings

ADDRESSES = ("--owner-email", "o@p.example", "--support-email", "s@p.example")
ROOT = Path(__file__).parents[2]
FIRST, SECOND = "aaaa1111-0000-4000-8000-000000000001", "aaaa2222-0000-4000-8000-000000000002"


def partner(shell: Shell, name: str) -> str:
    made = shell.json("party", "register", "partner", "--name", name, *ADDRESSES)
    return until_numbers_knows(shell, made["partner_id"])


def organization(shell: Shell, name: str, *more: str) -> str:
    of = ("--name", name, "--billing-email", "b@o.example", *more)
    return until_numbers_knows(shell, shell.json("party", "register", "organization", *of)["organization_id"])


def test_then_a_party_is_named_by_name_or_by_how_its_id_begins(shell: Shell) -> None:
    """O1: whatever the case of the name; the whole UUID as before."""
    above = partner(shell, "Meridian Telecom")
    bakery = organization(shell, "Harbour Bakery", "--partner", "meridian telecom")
    assert shell.json("party", "show", bakery)["partner_id"] == above
    begin = bakery[:13]
    for typed in ("Harbour Bakery", "harbour bakery", begin, begin.upper(), bakery):
        assert shell.json("party", "show", typed)["organization_id"] == bakery
        assert shell.json("license", "overview", "--organization", typed) is not None
        made = shell.json("bulk", "create", "--organization", typed, "--name", typed)
        assert made["organization_id"] == bakery
    number = "+6531590001"
    shell.json(
        "number", "add", number, "--vendor", "V", "--country", "SG", "--sku", "S", "--holder", "Meridian Telecom"
    )
    shell.json("number", "allocate", number, "--to", "Harbour Bakery", "--json")
    assert shell.json("number", "search", "--holder", "Harbour Bakery")["items"][0]["number"] == number
    assert shell.json("party", "change", "organization", begin, "--name", "Harbour Cake")["name"] == "Harbour Cake"


def test_then_what_is_ambiguous_is_listed(shell: Shell) -> None:
    """O1: by name, by beginning of the id, and over both kinds; what nobody has, with what is like it."""
    for key in (FIRST, SECOND):
        organization(shell, "Twin", "--id", key)
    for typed in ("twin", "aaaa"):
        refused = shell("license", "overview", "--organization", typed)
        assert refused.code == 1
        assert f"Twin ({FIRST})" in refused.err
        assert f"Twin ({SECOND})" in refused.err
    assert shell.json("license", "overview", "--organization", "aaaa1")
    refused = shell("license", "overview", "--organization", "win")
    assert refused.code == 1
    assert "no organization is called so" in refused.err
    assert f"Similar: Twin ({FIRST})" in refused.err
    unknown = shell("number", "reserve", "+6531590002", "--for", "Nobody", "--remark", "x")
    assert unknown.code == 1
    assert "no organization or partner is called so" in unknown.err
    bulk = shell("bulk", "show", str(uuid4()))
    assert bulk.code == 1
    assert "There is no bulk assignment" in bulk.err


def test_then_instants_and_ids_are_read_by_people(shell: Shell) -> None:
    """O1, O6: by the clock of the services, which a sandbox has moved; names beside ids."""
    holder = partner(shell, "Ocean Voice")
    number = "+6531590003"
    shell.json("number", "add", number, "--vendor", "V", "--country", "SG", "--sku", "S", "--holder", holder)
    before = shell.json("clock", "show")["numbers"]["now"]
    shell.json("clock", "advance", "3d")
    shell.json("number", "lock", number, "--remark", "crackles")
    shown = shell.text("number", "show", number)
    assert f"Ocean Voice ({holder})" in shown
    assert "(now)" in shown or "second" in shown
    assert "3 days ago)" in shell.text("number", "show", number, "--as-of", before)
    assert "locked" not in shell.text("number", "history", number, "--as-of", before)
    assert "locked" in shell.text("number", "history", number)
    for command in ("show", "history", "held-by"):
        assert shell("number", command, number, "--as-of", before).code == 0
        assert "--as-of" in shell.text("number", command, "--help")
        assert "lies in the future" in shell("number", command, number, "--as-of", "2900-01-01").err


def test_then_tables_have_names_beside_ids_and_distances_beside_instants(shell: Shell) -> None:
    """O1: in lists as in what is shown of one thing; by the services' clock."""
    holder = partner(shell, "Lantern Voice")
    customer = organization(shell, "Quay Books", "--partner", holder)
    numbers = ["+6531590011", "+6531590012"]
    shell.json("number", "add", *numbers, "--vendor", "V", "--country", "SG", "--sku", "S", "--holder", holder)
    shell.json("number", "reserve", *numbers, "--for", customer, "--remark", "r")
    shell.json("clock", "advance", "2d")
    for words in (("search", "--holder", holder), ("lookup", *numbers)):
        rows = [line for line in shell.text("number", *words).splitlines() if line.startswith("+")]
        assert len(rows) == 2
        for row in rows:
            assert f"Quay Books ({customer})" in row
            assert f"Lantern Voice ({holder})" in row
            assert "(2 days ago)" in row
    assert "(in " in shell.text("number", "search", "--holder", holder)
    assert "(2 days ago)" in shell.text("number", "history", numbers[0])
    assert f"Lantern Voice ({holder})" in shell.text("party", "list", "organizations")
    assert " ago)" in shell.text("audit")


def test_then_many_parties_are_asked_for_at_once(shell: Shell) -> None:
    """O1: a table of many owners costs a request for each kind of party, and what nobody may see keeps its id."""
    known = [organization(shell, f"Stall {n}") for n in range(22)]
    remote = ApiClient(dict.fromkeys(SERVICES, os.environ["TRUNKLINE_URL"]), operator_token(load_settings()))
    stranger = str(uuid4())
    found = with_names(remote, [*known, stranger, None])
    assert found == {None: None, stranger: stranger} | {key: f"Stall {n} ({key})" for n, key in enumerate(known)}


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(seconds=0.3), "now"),
        (timedelta(seconds=-1), "1 second ago"),
        (timedelta(minutes=59, seconds=59), "in 59 minutes"),
        (timedelta(hours=-25), "1 day ago"),
        (timedelta(days=1_200), "in 1,200 days"),
    ],
)
def test_then_a_distance_is_told_in_its_largest_unit(ahead: timedelta, said: str) -> None:
    """O1: roughly; the instant itself stands beside it."""
    assert distance(ahead) == said


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_then_nothing_works_in_silence(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: what may take more than a second is announced on a terminal, and nowhere else."""
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("Country Code,Phone Number,Voice,SMS,Fax\nSG,+6531590009,TRUE,FALSE,FALSE\n")
    upload = ("number", "upload", str(numbers), "--dry-run", "--vendor", "V", "--sku", "S")
    assert "Previewing" not in shell(*upload).err
    monkeypatch.setenv("TRUNKLINE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    for name in ("LICENSING", "NUMBERS"):
        monkeypatch.setenv(f"TRUNKLINE_{name}_DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    for words, said in {
        upload: "Previewing numbers.csv",
        ("bulk", "preflight", str(uuid4())): "Looking at each row",
        ("topics", "create"): "Asking the broker for its topics",
        ("migrate",): "Looking at the databases",
        ("up",): "Starting: databases, messages, HTTP",
    }.items():
        terminal = Terminal()
        with monkeypatch.context() as patched, suppress(SystemExit):
            patched.setattr(sys, "stderr", terminal)
            main(words)
        assert said in terminal.getvalue(), words


@pytest.mark.parametrize(("target", "last"), [("venv", "touch "), ("kafka-up", "deploy.local_servers.servers up")])
def test_then_targets_that_take_long_say_so_first(target: str, last: str) -> None:
    """O1: what `make` is about to do stands before the command that does it; nothing is run here."""
    make = ["make", "--dry-run", "--always-make", target]
    lines = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    said = next(place for place, line in enumerate(lines) if line.startswith(f'echo "{target}: '))
    uow = next(place for place, line in enumerate(lines) if last in line)
    assert said < uow
    assert not [line for line in lines[:said] if "pip" in line and target == "venv"]
