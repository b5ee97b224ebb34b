"""Is every file as the house wants it? One question per file, the field's names, nothing unfinished, and the project speaks of itself alone."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from labmw import SOFTWARE_VERSION

ROOT = Path(__file__).parents[2]
PACKAGES = ("labmw", "drivers", "protocols", "rules", "simulators")
HERE = Path(__file__).resolve()

LONG = {
    "protocols/astm/datalink.py": "one machine and its actions; they share its state, and the table is a file of its own",
    "labmw/store/schema.py": "one schema; who looks for a table looks in one place",
}
"""Files that are longer than LIMIT, and why. Tests are not measured: their cases are read one at a time."""
LIMIT = 400

NOT_THE_FIELDS = {"manager", "handler", "helper", "helpers", "util", "utils", "base", "service"}
SKIPPED = {".venv", ".venv-peers", ".git", "build", "dist", "htmlcov", "__pycache__"}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".csv",
    ".yml",
    ".yaml",
    ".svg",
    ".sh",
    ".c",
    ".service",
    ".rules",
    ".lock",
    ".txt",
    ".wire",
}


def python(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
    )


def texts() -> Iterator[Path]:
    """Every text file of the project, whether or not it is under version control yet."""
    for path in sorted(ROOT.iterdir()):
        if path.name in SKIPPED or (path.name.startswith(".") and path.name != ".ci"):
            continue
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not SKIPPED & set(file.parts) and (file.suffix in TEXT or not file.suffix):
                yield file


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- version --------------------------------------------------------------------------------------------------------------


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == SOFTWARE_VERSION
    assert re.search(
        rf"(?m)^## \[{re.escape(SOFTWARE_VERSION)}\] - ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    )
    assert f"labmw:{SOFTWARE_VERSION}" in (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")


# --- each file ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", python(*PACKAGES), ids=place)
def test_the_first_line_says_what_the_file_answers(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")), clean=False)
    assert said, "begin with a docstring whose first line says which question the file answers"
    assert said.splitlines()[0].strip(), "the first line of the docstring is empty"
    assert path.read_text(encoding="utf-8").startswith(('"""', 'r"""')), "the docstring comes first"


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_long_without_a_reason() -> None:
    long = {place(path) for path in python(*PACKAGES) if lines(path) > LIMIT}
    assert long - LONG.keys() == set(), "cut them, or say in LONG why not"


def test_the_reasons_are_still_needed() -> None:
    assert [name for name in LONG if lines(ROOT / name) < 0.8 * LIMIT] == [], (
        "these are short now: take them out of LONG"
    )


def named(path: Path) -> Iterator[str]:
    """The module's name and those of its classes, taken apart into words."""
    yield from path.stem.lower().split("_")
    yield path.parent.name.lower()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield from (word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", node.name))


@pytest.mark.parametrize("path", python(*PACKAGES), ids=place)
def test_names_are_the_fields(path: Path) -> None:
    assert NOT_THE_FIELDS.isdisjoint(named(path))


def test_the_check_of_names_can_fail(tmp_path: Path) -> None:
    file = tmp_path / "frames.py"
    file.write_text("class FrameHandler: ...\nclass _Database: ...\n", encoding="utf-8")
    assert NOT_THE_FIELDS & set(named(file)) == {"handler"}


# --- nothing unfinished, nothing of anybody's machine -----------------------------------------------------------------------

# Put together here, so that this file does not find itself.
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"]
MACHINES = [
    "/wo" + "rk/",
    "/ro" + "ot/",
    "/ho" + "me/",
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js",
    "docker" + ".io",
    "ghcr" + ".io",
    "quay" + ".io",
]
SOURCES = ["index" + "-url", "extra-" + "index", "find-" + "links", "trusted-" + "host"]


@pytest.mark.parametrize("path", python(*PACKAGES), ids=place)
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in UNFINISHED if word in text] == []


def test_no_file_knows_a_machine_or_a_registry() -> None:
    found = []
    for path in texts():
        if path.resolve() == HERE:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{place(path)}: {word}" for word in (*MACHINES, *SOURCES) if word in text]
    assert found == []


def test_only_the_place_of_the_corpus_is_outside_the_project() -> None:
    outside = re.compile(r"""["']shared["']|\.\./shared""")
    for path in texts():
        if path.resolve() != HERE and outside.search(text := path.read_text(encoding="utf-8", errors="replace")):
            assert all("LABMW_CORPUS" in line for line in text.splitlines() if outside.search(line)), place(path)


def test_the_search_sees_the_project() -> None:
    seen = {place(path) for path in texts()}
    assert {"Makefile", "README.md", ".ci/run", "labmw/app.py", "deploy/Containerfile", "requirements.lock"} <= seen
