"""When a policy is shown, checked and applied on the command line (N15, O1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.shell import Shell


def written(folder: Path, text: str, name: str = "policy.toml") -> str:
    """A file with this text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_then_it_goes_from_show_to_check_to_apply_to_history(shell: Shell, tmp_path: Path) -> None:
    """N15: the document that is shown is where the next one begins; who, when and why are told afterwards."""
    assert "never: the built-in one" in shell.text("policy", "show")
    shown = shell.text("policy", "show", "--document", "toml")
    file = written(tmp_path, shown.replace("expired_days = 56", "expired_days = 60").replace("[q", "# SG\n[q"))
    assert "expired days 56 60" in " ".join(shell.text("policy", "check", file).split())
    assert shell.json("policy", "show")["version"] == 0
    assert shell.json("policy", "apply", file, "--dry-run")["outcome"] == "applied"
    assert "Version 1 is in force" in shell.text("policy", "apply", file, "--remark", "as agreed")
    stale = shell("policy", "apply", file)
    assert stale.code == 1
    assert "version 0" in stale.err
    assert "version 1 is in force" in stale.err
    told = shell.text("policy", "history")
    assert "as agreed" in told
    assert "expired days: 56 → 60" in told
    assert [v["version"] for v in shell.json("policy", "history")["items"]] == [1, 0]


def test_then_what_is_shown_is_what_can_be_applied(shell: Shell, tmp_path: Path) -> None:
    """N15: TOML and JSON alike, with every kind of value."""
    text = (
        'golden_only_from_reserved = true\nvoice_carrier = "A \\"B\\" – ü"\n[quarantine_days]\nSG = 30\n"001" = 5\n'
        '[[special_periods]]\nproperty = "ported_in"\ncause = "expired"\ndays = 90\n'
    )
    shell.json("policy", "apply", written(tmp_path, text))
    now = shell.json("policy", "show")
    assert now["policy"]["quarantine_days"] == {"SG": 30, "001": 5}
    for form in ("toml", "json"):
        again = written(tmp_path, shell.text("policy", "show", "--document", form), f"again.{form}")
        assert shell.json("policy", "apply", again)["outcome"] == "in force already"
    shown = shell.text("policy", "show")
    assert "SG 30, 001 5" in shown
    assert "ported-in expired 90" in shown


@pytest.mark.parametrize(
    ("text", "name", "code", "told"),
    [
        ("lock_days = -3", "p.toml", 1, "lock days is -3"),
        ("lok_days = 3", "p.toml", 1, "lok days is 3; there is no such field"),
        ("[quarantine_days]\nXX = 3", "p.toml", 1, "quarantine days is 'XX'"),
        ("lock_days = ", "p.toml", 2, "is not TOML: Invalid value (at end of document)"),
        ("a = 1\nb = 2 c", "p.toml", 2, "(at line 2, column 7)"),
        ('{"lock_days": }', "p.json", 2, "line 1 column 15"),
        ("[1]", "p.json", 2, "holds no policy"),
    ],
)
def test_then_a_wrong_file_is_refused_with_its_place(
    shell: Shell, tmp_path: Path, text: str, name: str, code: int, told: str
) -> None:
    """N15, §9: unknown keys, negative days, unknown countries, and what is no document at all."""
    done = shell("policy", "check", written(tmp_path, text, name))
    assert done.code == code
    assert told in done.err
    assert done.out == ""


def test_then_a_file_that_cannot_be_read_ends_with_2(shell: Shell, tmp_path: Path) -> None:
    """§9: not there; not UTF-8."""
    gone = shell("policy", "apply", str(tmp_path / "none.toml"))
    assert gone.code == 2
    assert "cannot be read" in gone.err
    (tmp_path / "latin.toml").write_bytes(b'voice_carrier = "\xfc"')
    latin = shell("policy", "apply", str(tmp_path / "latin.toml"))
    assert latin.code == 2
    assert "is not UTF-8: byte 18" in latin.err
