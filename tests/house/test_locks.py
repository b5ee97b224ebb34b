"""Are the locked files complete? A hash on every line, no address of an index, and what pyproject asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ASKED = {
    "requirements.lock": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]],
    "requirements-test.lock": PROJECT["dependency-groups"]["test"],
}
LOCKS = [ROOT / name for name in ASKED]
ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[a-z0-9,_-]+\])?==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


def entries(text: str) -> dict[str, Version]:
    """What a lock pins; raises AssertionError for a line that is not a pin with hashes."""
    logical = re.sub(r"\s*\\\n\s*", " ", text)
    found: dict[str, Version] = {}
    for line in logical.splitlines():
        if line.strip() and not line.startswith("#"):
            match = ENTRY.fullmatch(line.strip())
            assert match, f"not a pin with hashes: {line[:80]}"
            found[canonicalize_name(match["name"])] = Version(match["version"])
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_has_its_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert entries(text)
    assert "://" not in text
    assert not re.search(r"(?m)^\s*-(?!-hash=)", text), "an option; a lock holds pins alone"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_it_satisfies_what_the_project_asks_for(lock: Path) -> None:
    pinned = entries(lock.read_text(encoding="utf-8"))
    for text in ASKED[lock.name]:
        asked = Requirement(text)
        version = pinned.get(canonicalize_name(asked.name))
        assert version is not None, f"{asked.name} is not in {lock.name}"
        assert asked.specifier.contains(version, prereleases=True), f"{asked} is not satisfied by {version}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_an_extra_that_is_asked_for_is_pinned_with_it(lock: Path) -> None:
    """An older pip looks at `coverage[toml]` apart from a pin of `coverage`, takes the newest release, and finds no hash for it."""
    text = lock.read_text(encoding="utf-8")
    for asked in (Requirement(one) for one in ASKED[lock.name]):
        for extra in asked.extras:
            assert re.search(rf"(?m)^{asked.name}\[[^]]*\b{extra}\b[^]]*\]==", text), f"{asked.name}[{extra}]"


def test_both_locks_agree() -> None:
    """They are installed into one environment, one after the other."""
    run, test = (entries(lock.read_text(encoding="utf-8")) for lock in LOCKS)
    assert {name: (run[name], test[name]) for name in run.keys() & test.keys() if run[name] != test[name]} == {}


@pytest.mark.parametrize("line", ["rich==14.0", "rich>=14 --hash=sha256:" + "0" * 64, "--hash=sha256:" + "0" * 64])
def test_a_line_that_is_not_a_pin_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError, match="not a pin"):
        entries(line + "\n")
