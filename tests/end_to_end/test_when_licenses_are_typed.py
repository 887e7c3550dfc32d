"""When licenses and extensions are handled on the command line: every screen of theirs is a command (O1, L1-L20)."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell, up


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
def shell(capsys: pytest.CaptureFixture[str], service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("TRUNKLINE_HOME", service["home"])
    monkeypatch.setenv("TRUNKLINE_URL", service["url"])
    return Shell(capsys)


@pytest.fixture
def org(shell: Shell) -> tuple[str, str]:
    """A new organization, as an option."""
    given = ("--name", "Harbour", "--billing-email", "billing@harbour.example")
    return "--organization", str(shell.json("party", "register", "organization", *given)["organization_id"])


@pytest.fixture
def buy(shell: Shell, org: tuple[str, str], tmp_path: Path) -> Any:
    """Start subscriptions for some units of licenses."""

    def start(**quantities: int) -> None:
        lines = []
        for code, quantity in quantities.items():
            subscription = str(uuid4())
            data = {"product": "license", "license_code": code, "quantity": quantity}
            data |= {"subscription_id": subscription, "organization_id": org[1]}
            told = {"specversion": "1.0", "id": str(uuid4()), "source": "/billing", "subject": subscription}
            told |= {"type": "billing.subscription.started", "time": "2026-01-01T00:00:00Z", "data": data}
            lines.append(json.dumps(told) + "\n")
        file = tmp_path / "bought.jsonl"
        file.write_text("".join(lines), "utf-8")
        shell.json("billing", "publish", str(file))

    return start


def person(shell: Shell, org: tuple[str, str], name: str) -> str:
    given = ("--name", name, "--email", f"{uuid4().hex[:6]}@harbour.example", "--role", "member")
    return str(shell.json("party", "register", "identity", *org, *given)["identity_id"])


def test_then_extensions_are_made_assigned_changed_and_deleted(shell: Shell, org: Any, buy: Any) -> None:
    """L1, L2, L3, L15: by key or by UUID; what is freed is said."""
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
