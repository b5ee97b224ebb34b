"""The journeys of LAW and of the LIS are played once with each database; the others say so themselves (`store_url`). Some ask to be played with a key, too (`at_rest`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stage

BOTH = ("test_law_", "test_lis_")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test of these files both databases."""
    if metafunc.module.__name__.rpartition(".")[2].startswith(BOTH):
        metafunc.fixturenames.insert(0, "database")
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stages that are not told keep their store there."""
    stage.CHOSEN[0] = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    yield
    stage.CHOSEN[0] = ""


@pytest.fixture(params=["open", "encrypted"])
def at_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """How bytes lie in the store of a stage that is not told: the journeys through which all kinds of bytes pass are played both ways."""
    before = stage.KEY_FILE[0]
    stage.KEY_FILE[0] = "store.key" if request.param == "encrypted" else before
    yield
    stage.KEY_FILE[0] = before
