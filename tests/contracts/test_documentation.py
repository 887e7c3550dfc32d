"""When the pages are read: each link leads somewhere, each decision has its form and its line in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", ".github/*.md", "shared/*.md", "bench/*.md", "deploy/**/*.md", "docs/**/*.md")
    for page in ROOT.glob(pattern)
)
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
LONGEST_DECISION = 40
GUIDES = sorted((ROOT / "docs").glob("*.md"))
_OTHER_WORDS = re.compile(
    r"\b(said|says|heard|hears?|hearing|told|tells?|askers?|doors?|sight|deeds?|dut(?:y|ies)|breath|hurry|parked|horizon|wakes?)\b",
    re.IGNORECASE,
)
"""Words for which the glossary has the field's own."""
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```", re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchor_of(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    return {anchor_of(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def broken_links(page: Path) -> list[str]:
    """The links of a page, within the repository, to files or headings that do not exist."""
    found = []
    for link in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_then_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    """A reader of a clone has nothing else."""
    assert broken_links(page) == []


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_then_a_page_names_its_reader_in_its_first_sentence(page: Path) -> None:
    """Whoever is not meant goes on to the page that is."""
    assert re.match(r"# .+\n\nFor \w", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [ROOT / "README.md", *GUIDES, *DECISIONS], ids=name_of)
def test_then_a_page_has_one_word_for_each_idea(page: Path) -> None:
    """That of the glossary; names in code are what they are."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    prose = re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text)
    assert [match[0] for match in _OTHER_WORDS.finditer(prose)] == []


def test_then_the_architecture_names_every_folder() -> None:
    """Of the shared package and of a service, with one line each."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    folders = {
        f"{folder.name}/"
        for package in (
            "shared/trunkline",
            "services/numbers/trunkline_numbers",
            "services/licensing/trunkline_licensing",
        )
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").exists()
    }
    named = {
        name for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    assert folders - named == set()


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_then_a_decision_has_a_number_a_status_and_its_sections(page: Path) -> None:
    """Context, decision and consequences, on at most forty lines."""
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {int(page.name[:4])}\. .+\n\nStatus: (accepted|superseded|proposed)", text)
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert {"Context", "Decision", "Consequences"} <= set(sections)
    assert set(sections) <= {"Context", "Decision", "Consequences", "Tried", "Measured"}
    assert len(text.splitlines()) <= LONGEST_DECISION


def test_then_the_index_lists_every_decision_by_its_title() -> None:
    """In the order of their numbers, each number once."""
    titles = {page: page.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2] for page in DECISIONS}
    rows = [f"| [{int(page.name[:4])}]({page.name}) | {title} |" for page, title in titles.items()]
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[\d+\].*$", index, re.MULTILINE) == rows
    assert len({page.name[:4] for page in DECISIONS}) == len(DECISIONS)
