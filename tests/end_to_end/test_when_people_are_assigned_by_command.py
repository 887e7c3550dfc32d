"""When a bulk assignment is made, filled, foreseen, assigned, watched and reported on by command (L5-L14, O1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from tests.end_to_end.shell import Shell, event


def office(shell: Shell, folder: Path, *people: str) -> str:
    """An organization with people and five licenses; its UUID."""
    made = shell.json("party", "register", "organization", "--name", "Acme", "--billing-email", "b@acme.example")
    org = str(made["organization_id"])
    for name in people:
        person = ("--name", name, "--email", "p@acme.example", "--role", "member")
        shell.json("party", "register", "identity", "--organization", org, *person)
    units = {"product": "license", "license_code": "phone_system", "quantity": 5}
    bought = event("started", str(uuid4()), org, datetime(2026, 1, 1, tzinfo=UTC), **units)
    file = folder / "bought.jsonl"
    file.write_text(json.dumps(bought) + "\n")
    shell.json("billing", "publish", str(file))
    return org


def test_then_it_goes_from_a_sample_to_a_report(shell: Shell, tmp_path: Path) -> None:
    """L5, L6, L7, L10, L13, L14: each step is one command, its id alone is enough; the sample is used as it is."""
    org = office(shell, tmp_path, "Ada", "Bob")
    of = ("--organization", org)
    made = shell.json("bulk", "create", *of, "--name", "Tower 2")
    key = made["bulk_id"]
    assert "Annex" in shell.text("bulk", "edit", key, "--name", "Annex")
    sample = tmp_path / "people.csv"
    assert "Written to" in shell.text("bulk", "sample", "name", *of, "--out", str(sample))
    assert shell.json("bulk", "add-users", key, str(sample), *of, "--dry-run")["total"] == 2
    assert shell.json("bulk", "show", key)["total"] == 0
    assert "people.csv (2)" in shell.text("bulk", "add-users", key, str(sample))
    assert "Ada" in shell.text("bulk", "users", key)
    assert "2 of 2 rows would succeed" in shell.text("bulk", "preflight", key)
    assert shell.json("bulk", "assign", key)["status"] in ("in_progress", "completed")
    assert "2 of 2 succeeded, 0 failed" in shell.text("bulk", "watch", key)
    report = shell.json("bulk", "report", key, *of)
    assert [row["outcome"] for row in report["items"]] == ["succeeded", "succeeded"]
    out = tmp_path / "report.csv"
    shell.text("bulk", "report", key, *of, "--csv", str(out))
    assert len(out.read_text().splitlines()) == 3
    assert "Copy of Annex" in shell.text("bulk", "duplicate", key)
    assert shell.json("bulk", "list", *of, "--search", "annex")["total"] == 2
    refused = shell("bulk", "delete", key, *of)
    assert refused.code == 1
    assert "is completed since" in refused.err


def test_then_what_fails_is_told_and_the_exit_code_says_partly(shell: Shell, tmp_path: Path) -> None:
    """L10, L11, O1: 3 where some rows fail, before and after."""
    org = office(shell, tmp_path, "Ada")
    of = ("--organization", org)
    key = shell.json("bulk", "create", *of, "--name", "Mixed")["bulk_id"]
    draft = shell("bulk", "watch", key, *of)
    assert draft.code == 1
    file = tmp_path / "mixed.csv"
    file.write_text("Ext Key,User's Name,Number\n101,Ada,\n10,Ada,\n102,Zoe,\n")
    shell.json("bulk", "add-users", key, str(file), *of)
    foreseen = shell("bulk", "preflight", key, *of)
    assert foreseen.code == 3
    assert "EXT_FORMAT" in foreseen.out
    assert shell("bulk", "assign", key, *of, "--watch").code == 3
    failed = shell.json("bulk", "report", key, *of, "--outcome", "failed")
    assert [row["code"] for row in failed["items"]] == ["EXT_FORMAT", "USER_UNKNOWN"]
    assert "USER_UNKNOWN" in shell.text("bulk", "report", key, *of, "--code", "USER_UNKNOWN")


def test_then_wrong_usage_and_bad_files_are_a_sentence(shell: Shell, tmp_path: Path) -> None:
    """§9, L9: before anything is sent where that can be told; from the service otherwise."""
    org = office(shell, tmp_path)
    of = ("--organization", org)
    key = shell.json("bulk", "create", *of, "--name", "Bad", "--addon", "team_chat")["bulk_id"]
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * (5 * 1_048_576 + 1))
    assert "5,242,880 are the most" in shell("bulk", "add-users", key, str(large), *of).err
    assert shell("bulk", "add-users", key, str(tmp_path / "nothing.csv"), *of).code == 2
    latin = tmp_path / "latin.csv"
    latin.write_bytes("Ext Key,User's Name,Number\n101,Zoë,\n".encode("latin-1"))
    refused = shell("bulk", "add-users", key, str(latin), *of)
    assert refused.code == 1
    assert "not UTF-8" in refused.err
    assert shell("bulk", "edit", key, *of).code == 2
    assert shell("bulk", "edit", key, *of, "--addon", "team_chat", "--no-addons").code == 2
    assert shell("bulk", "assign", key, *of).code == 1
    assert shell.json("bulk", "delete", key, *of)["deleted"] is True
    assert shell("bulk", "show", key, *of).code == 1
