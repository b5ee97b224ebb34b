"""Journeys are played with each database; some ask to be played with a key, too (`at_rest`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stage
from both_databases import database, pytest_generate_tests

__all__ = ["database", "pytest_generate_tests"]


@pytest.fixture(params=["open", "encrypted"])
def at_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """How bytes lie in the store of a stage that is not told: the journeys through which all kinds of bytes pass are played both ways."""
    before = stage.KEY_FILE[0]
    stage.KEY_FILE[0] = "store.key" if request.param == "encrypted" else before
    yield
    stage.KEY_FILE[0] = before
