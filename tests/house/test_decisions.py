"""Can the decisions be read in order? Each number once, one page each, with the same four headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "labmw" / "decisions").glob("*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "Reversals"]


def test_each_number_is_given_once() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers[0] == 1
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_each_is_one_page_of_the_same_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)
    assert text.startswith(f"# {path.name[:4]} "), "the title begins with the number"
    assert re.search(r"(?m)^20\d\d-\d\d · (accepted|reversed)", text), "a date and a state under the title"
    assert re.findall(r"(?m)^## (.+)$", text) == HEADINGS
    assert len(text) < 6000, "one page"


def test_decisions_that_code_and_pages_name_exist() -> None:
    known = {path.name[:4] for path in DECISIONS}
    files = [
        path
        for folder in ("labmw", "protocols", "rules", "drivers", "simulators", "docs", "deploy")
        for path in (ROOT / folder).rglob("*")
    ]
    for path in files:
        if path.suffix in (".py", ".md"):
            for number in re.findall(r"[Dd]ecision (\d{4})\b", path.read_text(encoding="utf-8")):
                assert number in known, f"{path.relative_to(ROOT)} names decision {number}"
