"""A key file for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores import open_queued

from labmw.store.encryption import key_file
from labmw.store.queued import QueuedStore

AT = "2026-11-26T08:00:00.000000Z"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A key file with one key."""
    file = tmp_path / "store.key"
    key_file.write(file, [key_file.fresh(AT)], new=True)
    return file


@pytest.fixture
async def shut(url: str, keys: Path) -> AsyncIterator[QueuedStore]:
    """A store that encrypts, started as the daemon starts it."""
    store = open_queued(url, key_file=keys, serves=True)
    await store.start()
    yield store
    await store.stop()
