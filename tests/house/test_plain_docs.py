"""Does docs/plain-links.md say what the tables and settings of the plain links say?"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from labmw.config import Link
from labmw.line.registry import Registry
from protocols.plain.diagram import mermaid
from protocols.plain.links import LINKS
from protocols.plain.tolerance import PLAIN, PlainTolerances

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plain-links.md").read_text(encoding="utf-8")


def holds(page: str, block: str) -> None:
    assert block in page, f"the page must hold this block:\n\n{block}"


def docstrings_of_fields(source: str, name: str) -> dict[str, str]:
    """The text under each field of a class."""
    [body] = [node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


@pytest.mark.parametrize("name", sorted(LINKS))
def test_the_drawing_of_each_link_is_its_table(name: str) -> None:
    link = LINKS[name]
    [section] = re.findall(rf'(?ms)^## [^\n]*`protocol = "{name}"`\n(.*?)(?=^## |\Z)', PAGE)
    holds(section, f"```mermaid\n{mermaid(link.table)}```\n")
    holds(section, f"wait {link.patience:g} s for an answer" if link.answers else "It waits for no answer.")


def settings_table() -> str:
    """Name, links, usual value, and what is said of it in the code."""
    source = (ROOT / "protocols" / "plain" / "tolerance.py").read_text(encoding="utf-8")
    said = docstrings_of_fields(source, "PlainTolerances")
    lines = ["| setting | links | usual | what it is for |", "|---|---|---|---|"]
    for field in fields(PlainTolerances):
        links = ", ".join(f"`{name}`" for name, link in LINKS.items() if field.name in link.uses)
        usual = getattr(PLAIN, field.name)
        shown = f"`{str(usual).lower() if isinstance(usual, bool) else usual}`" if usual != "" else "the link's"
        lines.append(f"| `{field.name}` | {links} | {shown} | {said[field.name]} |")
    return "\n".join(lines) + "\n"


def test_every_setting_is_on_the_page_as_the_code_has_it() -> None:
    holds(PAGE, settings_table())
    assert frozenset().union(*(link.uses for link in LINKS.values())) == {
        field.name for field in fields(PlainTolerances)
    }


def test_the_example_is_a_configuration() -> None:
    [example] = re.findall(r"(?s)```toml\n(.*?)```", PAGE)
    registry = Registry.find()
    for table in tomllib.loads(example)["link"]:
        link = msgspec.convert(table, Link)
        assert link.protocol in LINKS
        assert registry.named(link.driver).protocol == link.protocol
        PLAIN.changed(link.tolerances, LINKS[link.protocol].uses, link.protocol)


def test_the_drivers_it_names_exist() -> None:
    known = Registry.find().drivers
    named = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", PAGE))
    assert named <= set(known)
    assert {"biomerieux-vidas", "biomerieux-vitek2", "snibe-maglumi", "any-plain"} <= named
