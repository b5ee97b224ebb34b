"""Where is the store: addresses that are understood, and the sentences for those that are not."""

from pathlib import Path

import pytest

from labmw.errors import StoreError
from labmw.store import is_postgresql, open_store, place_of, sqlite_file
from labmw.store.address import Server, server_of


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
        ("postgresql+psycopg://labmw@db/labmw", "asyncpg"),
        ("postgresql+asyncpg://labmw@db", "names no database"),
        ("postgresql+asyncpg://labmw@db/labmw?pool=5", "remove"),
        ("postgresql+asyncpg://labmw@db/labmw?ssl=perhaps", "verify-full"),
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


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql+asyncpg://labmw:secret@db:5433/lab", Server("lab", "db", 5433, "labmw", "secret")),
        ("postgresql:///lab", Server("lab")),
        ("postgresql+asyncpg://labmw@/lab?host=/run/postgresql", Server("lab", "/run/postgresql", None, "labmw")),
        ("postgresql+asyncpg://db/lab?ssl=verify-full", Server("lab", "db", ssl="verify-full")),
    ],
)
def test_a_database(url: str, server: Server) -> None:
    assert server_of(url) == server
    assert is_postgresql(url)
    assert "secret" not in f"{server!r} {place_of(url)}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://labmw:secret@db/labmw?pool=5",
        "postgresql+psycopg://labmw:secret@db/labmw",
        "postgresql+asyncpg://labmw:secret@db:port/labmw",
        "mysql://labmw:secret@db/labmw",
    ],
)
def test_a_password_is_not_repeated(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
