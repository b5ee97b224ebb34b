"""Is every scenario of docs/hl7-scenarios.md played by a test that names it, and does no test name one that is not there?"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTED = re.findall(r"\*\*(\d+\.\d+)\*\*", (ROOT / "docs" / "hl7-scenarios.md").read_text(encoding="utf-8"))
NAMED = re.compile(
    r"# Scenarios? ((?:\d+\.\d+(?: to \d+\.\d+)?(?:, )?)+)\.\n(?:@.*\n|    .*\n|\)\n)*(?:async )?def test_"
)
"""Above a test: `# Scenarios 3.1, 5.1 to 5.4.`, before or behind its decorators."""


def named(text: str) -> list[str]:
    """The numbers that a file of tests names."""
    found: list[str] = []
    for said in NAMED.findall(text):
        for one in said.split(", "):
            first, _, last = one.partition(" to ")
            chapter, start = first.split(".")
            end = (last or first).split(".")[1]
            found += [f"{chapter}.{n}" for n in range(int(start), int(end) + 1)]
    return found


def test_each_number_stands_once_in_the_list() -> None:
    assert [number for number, count in Counter(LISTED).items() if count > 1] == []
    assert len(LISTED) > 100


def test_every_scenario_is_played_and_every_number_exists() -> None:
    files = [path for folder in ("journeys", "labmw", "protocols", "interop") for path in (ROOT / "tests" / folder).rglob("test_*.py")]  # fmt: skip
    played = {number for path in files for number in named(path.read_text(encoding="utf-8"))}
    assert sorted(set(LISTED) - played) == [], "no test names these"
    assert sorted(played - set(LISTED)) == [], "docs/hl7-scenarios.md does not list these"


def test_a_comment_that_belongs_to_no_test_does_not_count() -> None:
    text = "# Scenarios 3.1, 5.1 to 5.3.\nasync def test_x() -> None:\n# Scenario 9.9.\nX = 1\n# Scenario 4.1.\n@mark\ndef test_y():"
    assert named(text) == ["3.1", "5.1", "5.2", "5.3", "4.1"]
