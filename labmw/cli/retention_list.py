"""How does a command read the LIS's list of last activities, or end with what is wrong with it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labmw.cli.options import fail
from labmw.cli.writing import UNUSABLE
from labmw.phrases import Language, say

if TYPE_CHECKING:
    from labmw.lab.retention import Activities


def list_of(file: Path, tongue: Language) -> Activities:
    """The list in a file."""
    from labmw.lab.retention import UnusableList, read_activities

    try:
        return read_activities(file.read_bytes())
    except OSError as problem:
        fail(say("retention-list-unreadable", tongue, file=file, problem=problem), UNUSABLE)
    except UnusableList as problem:
        fail(say("retention-list", tongue, file=file, line=problem.line, text=problem.text), UNUSABLE)
