"""Is everything that may happen to a sub-order told in words? Every event of the tables, and every literal that `note` keeps, has its phrase."""

from __future__ import annotations

import ast
from pathlib import Path

from labmw.phrases import codes
from protocols.hl7.ilw_states import Event, State

LABMW = Path(__file__).parents[2] / "labmw"


def noted() -> set[str]:
    found: set[str] = set()
    for folder in ("lab", "delivery"):
        for file in (LABMW / folder).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "note" and len(node.args) > 1:
                    said = node.args[1]
                    kept = [said.body, said.orelse] if isinstance(said, ast.IfExp) else [said]
                    found |= {one.value for one in kept if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_every_event_has_its_words() -> None:
    there = set(codes())
    events = {event.value for event in Event} | noted()
    assert {"created", "document-cut", "replaces", "packed"} <= events
    assert not {f"interlab-event-{event}" for event in events} - there
    assert not {f"interlab-state-{state.value}" for state in State} - there
