"""The journeys of LAW and of the LIS are played once with each database; the others say so themselves (`store_url`)."""

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
