"""Does every import go down between files too? Two files that import each other, for types or inside a function, are one file with two names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("labmw", "drivers", "protocols", "rules", "simulators")


def modules() -> dict[str, Path]:
    """Every file of the packages by its name as a module; an `__init__.py` has its package's."""
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported(tree: ast.AST, known: Set[str]) -> Iterator[str]:
    """The modules among `known` that are imported anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                deeper = f"{node.module}.{one.name}"
                yield deeper if deeper in known else node.module


def circle(files: Mapping[str, str]) -> list[str]:
    """The first circle among files, given as text by their module names; empty where there is none."""
    known = files.keys()
    graph = {
        name: {one for one in imported(ast.parse(text), known) if one in known and one != name}
        for name, text in files.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_two_files_need_each_other() -> None:
    assert circle({name: file.read_text(encoding="utf-8") for name, file in modules().items()}) == []


@pytest.mark.parametrize(
    "text", ["from a.two import x", "import a.two", "from a import two", "def f():\n    from a.two import x"]
)
def test_a_circle_is_seen(text: str) -> None:
    assert circle({"a.one": text, "a.two": "from a.one import y"})
    assert not circle({"a.one": text, "a.two": ""})
