"""A fresh store for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from labmw.store import SqliteStore, migrate


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
def url(file: Path) -> str:
    """The address of this test's store."""
    return f"sqlite:///{file}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqliteStore]:
    """This test's store, started."""
    store = SqliteStore(url)
    await store.start()
    yield store
    await store.stop()
