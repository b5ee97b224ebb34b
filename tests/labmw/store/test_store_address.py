"""Where is the store: addresses that are understood, and the sentences for those that are not."""

from pathlib import Path

import pytest

from labmw.errors import StoreError
from labmw.store import open_store, sqlite_file


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///labmw.db", "labmw.db"),
        ("sqlite:////var/lib/labmw/labmw.db", "/var/lib/labmw/labmw.db"),
        ("sqlite:///a folder/100%.db", "a folder/100%.db"),
        ("sqlite:///what%3F.db", "what?.db"),
    ],
)
def test_a_file(url: str, file: str) -> None:
    assert sqlite_file(url) == Path(file)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "three slashes"),
        ("sqlite:///:memory:", "outlive"),
        ("sqlite://host/labmw.db", "three slashes"),
        ("sqlite:///labmw.db?mode=ro", "remove them"),
        ("postgresql+asyncpg://labmw@db/labmw", "sqlite:///labmw.db"),
        ("mysql://db/labmw", "sqlite:///labmw.db"),
        ("sqlite+aiosqlite:///labmw.db", "sqlite:///labmw.db"),
        ("labmw.db", "sqlite:///labmw.db"),
        ("", "sqlite:///labmw.db"),
        ("://", "sqlite:///labmw.db"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        open_store(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("postgresql+asyncpg://labmw:secret@db/labmw")
    assert "secret" not in str(caught.value)
