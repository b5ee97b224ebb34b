"""Does the page about other laboratories say what the code says? The drawing of the states, the choices, the commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from labmw.cli.interlab import app
from protocols.hl7.ilw_states import REQUESTER, mermaid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "interlab.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "deploy" / "labmw.toml").read_text(encoding="utf-8")


def test_the_drawing_of_the_states_is_the_table() -> None:
    assert f"```mermaid\n{mermaid(REQUESTER)}```\n" in PAGE, mermaid(REQUESTER)


@pytest.mark.parametrize("table", ["Partner", "Route", "Choices", "Exchange", "Sftp"])
def test_every_key_is_explained(table: str) -> None:
    file = "sftp/settings.py" if table == "Sftp" else "partner.py"
    tree = ast.parse((ROOT / "labmw" / file).read_text(encoding="utf-8"))
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == table]
    names = [
        line.target.id for line in found.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
    block = DEPLOY[DEPLOY.index("[[partners]]") : DEPLOY.index("[orders]")]
    assert [name for name in names if not re.search(rf"\b{name}\b", block)] == []


def test_every_command_is_on_the_page() -> None:
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    assert {"partners", "orders", "show", "send", "cancel", "ship", "receive", "late", "reconcile", "demo"} == set(
        names
    )
    assert [name for name in names if name not in ("demo", "cancel") and f"interlab {name}" not in PAGE] == []
