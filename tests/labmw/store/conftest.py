"""A fresh store for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores import open_queued

from labmw.store import migrate
from labmw.store.queued import QueuedStore


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An up-to-date store, to be copied: making one takes longer than most tests."""
    file = tmp_path_factory.mktemp("store") / "empty.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def file(empty_store: Path, tmp_path: Path) -> Path:
    """The file of this test's store."""
    return Path(shutil.copy(empty_store, tmp_path / "labmw.db"))


@pytest.fixture
def sqlite_url(file: Path) -> str:
    """The address of this test's store in a file."""
    return f"sqlite:///{file}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of this test's store: the test runs once with each database."""
    address: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgresql")
    return address


@pytest.fixture
async def store(url: str) -> AsyncIterator[QueuedStore]:
    """This test's store, started."""
    store = open_queued(url)
    await store.start()
    yield store
    await store.stop()
