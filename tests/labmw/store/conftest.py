"""A fresh store for each test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage import empty
from stores import open_queued

from labmw.store.queued import QueuedStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of this test's store."""
    return Path(shutil.copy(empty(), tmp_path / "labmw.db"))


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
