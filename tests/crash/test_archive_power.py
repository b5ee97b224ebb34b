"""The power goes right after a patient was moved into the archive: the files are there, under their names; two variants that do not flush are found out."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_database
sys.path.insert(0, str(Path(__file__).parents[2]))
play = importlib.import_module("tests.torture.archive_power")


def test_what_has_left_the_store_is_on_the_disk() -> None:
    found = play.archive(("moved",))
    if found.skip:
        pytest.skip(found.skip)
    assert (found.acknowledged, found.lost, found.faults) == (2, 0, 0)


@pytest.mark.parametrize("step", play.VARIANTS)
def test_what_is_not_flushed_is_lost(step: str) -> None:
    found = play.careless(step)
    if found.skip:
        pytest.skip(found.skip)
    assert found.lost == 1 and found.well
