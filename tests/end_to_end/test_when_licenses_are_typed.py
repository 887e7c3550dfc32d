"""When licenses and extensions are handled on the command line: every screen of theirs is a command (O1, L1-L20)."""

from __future__ import annotations

import csv
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell, event, up


@pytest.fixture(scope="module")
def service(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`trunkline up`, with one add-on more than the product has: a line of configuration (L21)."""
    urls = databases.create(), databases.create()
    environment = pytest.MonkeyPatch()
    environment.setenv("TRUNKLINE_ADDONS", "wallboard=Wallboard needs license_center")
    with up(tmp_path_factory.mktemp("home"), *urls) as said:
        yield said
    environment.undo()
    for url in urls:
        databases.drop(url)


@pytest.fixture
def org(shell: Shell) -> tuple[str, str]:
    """A new organization, as an option."""
    given = ("--name", "Harbour", "--billing-email", "billing@harbour.example")
    return "--organization", str(shell.json("party", "register", "organization", *given)["organization_id"])


@pytest.fixture
def buy(shell: Shell, org: tuple[str, str], tmp_path: Path) -> Any:
    """Start subscriptions for some units of licenses."""

    def start(reference: str | None = None, **quantities: int) -> None:
        more = {} if reference is None else {"reference": reference}
        for code, quantity in quantities.items():
            facts = {"product": "license", "license_code": code, "quantity": quantity, **more}
            bill(shell, org, tmp_path, "started", str(uuid4()), **facts)

    return start


def bill(shell: Shell, org: tuple[str, str], folder: Path, kind: str, subscription: str, **facts: Any) -> None:
    """Publish one event of billing's."""
    told = event(kind, subscription, org[1], datetime.now(UTC), **facts)
    file = folder / "billed.jsonl"
    file.write_text(json.dumps(told) + "\n", "utf-8")
    shell.json("billing", "publish", str(file))


def person(shell: Shell, org: tuple[str, str], name: str) -> str:
    given = ("--name", name, "--email", f"{uuid4().hex[:6]}@harbour.example", "--role", "member")
    return str(shell.json("party", "register", "identity", *org, *given)["identity_id"])


def test_then_extensions_are_made_assigned_changed_and_deleted(shell: Shell, org: Any, buy: Any) -> None:
    """L1, L2, L3, L15, §10.11: by key or by UUID, in one step or two; what is freed is said."""
    buy(phone_system=3, device_web_rtc=1, team_chat=2)
    ada, ben = person(shell, org, "Ada"), person(shell, org, "Ben")
    dry = shell("extension", "provision", "2", "101", *org, "--dry-run")
    assert dry.code == 0
    assert shell("extension", "list", *org).out == "No extensions.\n"
    made = shell.json("extension", "provision", "2", "101", *org, "--user", ada)["extensions"]
    assert [x["ext_key"] for x in made] == ["101", "102"]
    assert "Ben" in shell("extension", "assign", "102", ben, *org).out
    done = shell(
        "extension", "change", "101", *org, "--key", "200", "--name", "Front desk", "--addon", "device_web_rtc"
    )
    assert "freed" in done.out
    assert "ext_key 101" in done.out
    assert "Web Phone" in shell("extension", "show", "200", *org).out
    many = shell("extension", "change", "200", "102", *org, "--add", "team_chat")
    assert many.out.count("Team Chat") == 2
    refused = shell("extension", "change", "102", *org, "--addon", "device_web_rtc")
    assert (refused.code, "no free license" in refused.err) == (1, True)
    conflict = shell("extension", "provision", "2", "102", *org)
    assert conflict.code == 1
    assert "102" in conflict.err
    assert "2 units of Phone System" in conflict.err
    gone = shell.json("extension", "delete", made[0]["extension_id"], *org)
    assert gone["freed"]["licenses"] == ["phone_system", "device_web_rtc", "team_chat"]
    assert shell("extension", "show", "200", *org).code == 1
    assert shell.json("extension", "list", *org, "--search", "ben")["total"] == 1
    assert shell("extension", "change", "102", *org).code == 2
    assert shell("extension", "change", "102", *org, "--key", "103", "--add", "team_chat").code == 2


def test_then_the_overview_tells_what_is_bought_and_who_uses_it(shell: Shell, org: Any, buy: Any) -> None:
    """L20: by license, and by unit; L19: numbers that serve nobody."""
    assert shell("license", "overview", *org).out == "No licenses.\n"
    buy(phone_system=1_500, team_chat=2)
    shell.json("extension", "provision", "2", "101", *org, "--addon", "team_chat")
    lines = shell("license", "overview", *org).out.splitlines()
    assert re.fullmatch(r"Phone System +phone_system +1,500 +2 +1,498 +0", lines[2])
    units = shell.json("license", "overview", *org, "--extension", "102")["items"]
    assert [u["license_code"] for u in units] == ["phone_system", "team_chat"]
    assert shell("license", "overview", *org, "--suspended").out == "No unit is in use.\n"
    assert shell("license", "available-numbers", *org).out == "No number is free.\n"


def test_then_the_reports_have_their_exact_names(shell: Shell, org: Any, buy: Any, tmp_path: Path) -> None:
    """L18, L19: as the service names them, in the folder given."""
    buy(phone_system=2)
    shell.json("extension", "provision", "2", "101", *org)
    told = shell.json("extension", "export", *org, "--out", str(tmp_path))
    file = Path(told["file"])
    assert told["rows"] == 2
    assert re.fullmatch(rf"{org[1]}_\d{{8}}T\d{{6}}Z_license_phonesystem_provisioned_extension\.csv", file.name)
    with file.open(newline="", encoding="utf-8") as lines:
        assert [row[0] for row in csv.reader(lines)] == ["Ext Key", "101", "102"]
    told = shell.json("license", "available-numbers", *org, "--export", "--out", str(tmp_path))
    assert Path(told["file"]).name.endswith("_license_phonesystem_available_number.csv")
    assert shell("extension", "export", *org, "--out", str(tmp_path / "none" / "file.csv")).code == 2


def test_then_a_new_addon_code_is_a_line_of_configuration(shell: Shell, org: Any, buy: Any) -> None:
    """L21, L17: bought, hung and refused like the nine, with its own prerequisite named."""
    buy(phone_system=1, wallboard=1, license_center=1, device_ip_phone=1)
    alone = shell("extension", "provision", "1", "101", *org, "--addon", "wallboard")
    assert alone.code == 1
    assert "Wallboard (wallboard) needs Contact Center (license_center)" in alone.err
    codes = [part for code in ("wallboard", "license_center", "device_ip_phone") for part in ("--addon", code)]
    (made,) = shell.json("extension", "provision", "1", "101", *org, *codes)["extensions"]
    assert "Wallboard" in [addon["name"] for addon in made["addons"]]


def test_then_a_dry_run_tells_and_does_nothing(shell: Shell, org: Any, buy: Any) -> None:
    """O1, L15: of every change; what would be freed, too."""
    buy(phone_system=2, team_chat=1)
    ada = person(shell, org, "Ada")
    shell.json("extension", "provision", "1", "101", *org, "--addon", "team_chat")
    before = shell.json("extension", "show", "101", *org)
    for command in (
        ("assign", "101", ada),
        ("change", "101", "--key", "200", "--no-addons"),
        ("change", "101", "--remove", "team_chat"),
        ("delete", "101"),
    ):
        told = shell.json("extension", *command, *org, "--dry-run")
        assert told.get("extension", told) != before
    assert shell.json("extension", "delete", "101", *org, "--dry-run")["freed"]["ext_key"] == "101"
    assert shell.json("extension", "show", "101", *org) == before


def test_then_what_is_wrong_is_a_sentence_and_an_exit_code(shell: Shell, org: Any, buy: Any) -> None:
    """§9, O1, L1, L15: 1 where the service refuses, with every conflict; 2 where the command itself makes no sense."""
    buy(phone_system=3)
    shell.json("extension", "provision", "2", "101", *org)
    for code, sentence, command in (
        (1, "no extension with the key 999", ("show", "999")),
        (1, "There is no extension", ("show", str(uuid4()))),
        (1, "3 to 5 digits", ("provision", "1", "12")),
        (1, "99999", ("provision", "2", "99999")),
        (1, "101", ("change", "102", "--key", "101")),
        (1, "at most 100", ("change", "102", "--name", "x" * 101)),
        (1, "nonsense", ("change", "102", "--addon", "nonsense")),
        (1, "no telephone number", ("change", "102", "--number", "12")),
        (1, "no person", ("assign", "102", str(uuid4()))),
        (2, "", ("provision", "0", "101")),
        (2, "", ("change", "101", "102", "--key", "103")),
    ):
        done = shell("extension", *command, *org)
        assert (done.code, sentence in " ".join(done.err.split())) == (code, True), (command, done)
        told = shell("extension", *command, *org, "--json")
        assert told.code == code
        assert code == 2 or told.json
    both = shell("extension", "provision", "3", "101", *org)
    assert both.code == 1
    assert [both.err.count(key) > 0 for key in ("101", "102", "3 units")] == [True] * 3


def test_then_numbers_come_onto_extensions_and_leave_them(shell: Shell, org: Any, buy: Any, tmp_path: Path) -> None:
    """L15, L16, L19, L21, X5: asked for, bound, shown, no license_number taken; given back it is offered again."""
    number, subscription = f"+6531{uuid4().int % 1_000_000:06}", str(uuid4())
    buy(phone_system=2, license_number=1)
    shell.json("number", "add", number, "--country", "SG", "--vendor", "v", "--sku", "DID")
    bill(shell, org, tmp_path, "started", subscription, product="number", number=number, sku="DID")
    free = ("license", "available-numbers", *org)
    until(lambda: number in shell.text(*free))
    assert shell.json(*free)["items"][0]["subscription_id"] == subscription
    shell.json("extension", "provision", "2", "101", *org)
    asked = shell.json("extension", "change", "101", *org, "--number", number)["extension"]["number"]
    assert (asked["number"], asked["status"] in ("requested", "bound")) == (number, True)
    until(lambda: shell.json("extension", "show", "101", *org)["number"]["status"] == "bound")
    assert number in shell.text("extension", "list", *org, "--number", number)
    until(lambda: shell.text(*free) == "No number is free.\n")
    (unused,) = shell.json("license", "overview", *org, "--license", "license_number")["items"]
    assert (unused["allocated"], unused["free"]) == (0, 1)
    shell.json("extension", "change", "102", *org, "--number", number)
    until(lambda: "refused: " in shell.text("extension", "show", "102", *org))
    assert f"number {number}" in shell.text("extension", "change", "101", *org, "--number", "")
    until(lambda: number in shell.text(*free))
    assert shell.json("number", "show", number)["state"] == "assigned"


def test_then_suspended_licenses_and_roles_are_shown(shell: Shell, org: Any, buy: Any, tmp_path: Path) -> None:
    """S5, L4, L17, L20, P5: a lapsed subscription, a reference, and what somebody is in the contact center."""
    subscription = str(uuid4())
    facts = {"product": "license", "license_code": "phone_system", "quantity": 2}
    bill(shell, org, tmp_path, "started", subscription, **facts)
    buy("PO7", phone_system=1)
    buy(license_center=1, device_ip_phone=1)
    ada = person(shell, org, "Ada")
    codes = ("--addon", "license_center", "--addon", "device_ip_phone")
    shell.json("extension", "provision", "1", "101", *org, "--user", ada, *codes)
    (referred,) = shell.json("extension", "provision", "1", "102", *org, "--reference", "PO7")["extensions"]
    assert referred["subscription_id"] != subscription
    assert shell("extension", "provision", "1", "103", *org, "--reference", "PO8").code == 1
    assert re.search(r"contact center +Agent", shell.text("extension", "show", "101", *org))
    assert "Agent" in shell.text("license", "overview", *org, "--user", "ada", "--license", "license_center")
    refused = shell("extension", "change", "101", *org, "--remove", "device_ip_phone")
    assert (refused.code, "IP Phone (device_ip_phone)" in " ".join(refused.err.split())) == (1, True)
    bill(shell, org, tmp_path, "expired", subscription)
    assert "suspended" in shell.text("extension", "show", "101", *org)
    assert "101" in shell.text("license", "overview", *org, "--suspended")
    assert [x["ext_key"] for x in shell.json("extension", "list", *org, "--suspended")["items"]] == ["101"]
    assert [x["ext_key"] for x in shell.json("extension", "list", *org, "--unassigned")["items"]] == ["102"]
    (base,) = shell.json("license", "overview", *org, "--license", "phone_system")["items"]
    assert [base[name] for name in ("purchased", "allocated", "free", "suspended")] == [1, 2, 0, 1]
    bill(shell, org, tmp_path, "reactivated", subscription)
    assert shell.text("license", "overview", *org, "--suspended") == "No unit is in use.\n"


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it is so."""
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(condition)
