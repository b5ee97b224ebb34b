"""Every journey is played once with each database, also where it does not say so itself (`store_url`). What a folder's conftest takes over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import stage
from postgresql_server import NEEDED, PostgresqlServer, store_in


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give both databases to every test that does not choose by itself and is about a store."""
    if "store_url" not in metafunc.fixturenames and not metafunc.definition.get_closest_marker("one_database"):
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stages that are not told keep their store there, each folder its own."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield
        return
    before, found = stage.CHOSEN[0], dict[Path, str]()
    with contextlib.ExitStack() as stack:
        server: PostgresqlServer | None = request.getfixturevalue("postgresql_server")
        if server is None:
            pytest.skip(NEEDED)

        def store_of(folder: Path) -> str:
            if folder not in found:
                found[folder] = stack.enter_context(store_in(server))
            return found[folder]

        stage.CHOSEN[0] = store_of
        yield
        stage.CHOSEN[0] = before
        assert found, "no store of this journey lay in PostgreSQL"
