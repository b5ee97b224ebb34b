"""The drawing of the link shows the table, all of it."""

import re
import runpy
import sys

import pytest

from protocols.astm.diagram import mermaid
from protocols.astm.table import TABLE, Input, State


def test_every_transition_is_drawn() -> None:
    lines = mermaid().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> NEUTRAL"]
    drawn = set()
    for line in lines[2:]:
        match = re.fullmatch(r"    (\w+) --> (\w+): (.+)", line)
        assert match
        for label in match[3].split("<br>"):
            happened, action = label.split(" / ")
            drawn.add((match[1], happened.replace(" ", "_").upper(), action.replace(" ", "_"), match[2]))
    assert drawn == {
        (state.name, happened.name, action, following.name)
        for (state, happened), (action, following) in TABLE.items()
        if happened is not Input.HANG_UP
    }
    assert {state.name for state in State} <= {word for line in lines for word in line.replace(":", "").split()}


def test_as_a_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "protocols.astm.diagram")
    runpy.run_module("protocols.astm.diagram", run_name="__main__")
    assert capsys.readouterr().out == mermaid()
