"""Is what is wrong with a store said in both languages, the English as the error itself says it?"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import asyncpg
import pytest

from labmw.errors import StoreError
from labmw.phrases import codes, said, say
from labmw.store import address, copying, failure, revision
from labmw.store.postgresql import failure as postgresql

SHOP = "postgresql://labmw:geheim@192.0.2.9/shop"


def of_sqlite(code: int) -> StoreError:
    error = sqlite3.OperationalError("it said so")
    error.sqlite_errorcode = code
    return failure.explain(error, Path("/srv/labmw.db"))


def of_postgresql(state: str) -> StoreError:
    kinds = [one for one in vars(asyncpg).values() if str(getattr(one, "sqlstate", None) or "").startswith(state)]
    return postgresql.explain(kinds[0]("it said so"), str(address.server_of(SHOP)))


EVERY = [
    *(of_sqlite(code) for code in failure._STORAGE),
    *(of_postgresql(state) for state in postgresql._TROUBLE),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.code)
def test_what_a_database_says_has_its_words(error: StoreError) -> None:
    assert error.code in codes()
    english = said(error, "en").replace(" @ ", " at ")
    assert english == str(error)
    french = said(error, "fr")
    assert "it said so" in french and "…" not in french.replace("CREATE DATABASE …", "")
    assert "geheim" not in french + english


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "sqlite://", "sqlite:///a.db?mode=ro", "postgresql://h", "postgresql://h/x?ssl=maybe", "::"]
)
def test_an_address_that_cannot_be_is_told_in_french(url: str) -> None:
    with pytest.raises(StoreError) as wrong:
        address.server_of(url) if url.startswith("postgresql") else address.sqlite_file(url)
    assert wrong.value.code in codes()
    assert "…" not in said(wrong.value, "fr")


def test_a_backup_that_cannot_be_is_told_in_french(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/labmw.db"
    with pytest.raises(StoreError) as absent:
        copying.backup(url, tmp_path / "b")
    revision.migrate(url)
    copying.backup(url, tmp_path / "b")
    with pytest.raises(StoreError) as there:
        copying.backup(url, tmp_path / "b")
    (tmp_path / "b").write_bytes(b"cut")
    with pytest.raises(StoreError) as damaged:
        copying.restore(tmp_path / "b", f"sqlite:///{tmp_path}/other.db")
    told = [said(one.value, "fr") for one in (absent, there, damaged)]
    assert [
        re.search(word, text) is not None
        for word, text in zip(("pas de base", "existe déjà", "abîmée"), told, strict=True)
    ] == [True] * 3


def test_an_error_inside_a_sentence_is_said_in_its_language() -> None:
    error = of_sqlite(sqlite3.SQLITE_FULL)
    assert "est plein" in say("store-unreadable", "fr", problem=error)
    assert "is full" in say("store-unreadable", "en", problem=error)
