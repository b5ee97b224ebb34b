"""Reading a store that is served, one that is not, and one that begins to be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from labmw.errors import StoreError
from labmw.store import Reader, SqliteStore, Step, Transaction, read_sync, schema
from labmw.store.statements import INSERT_JOURNAL

COUNT = select(func.count().label("n")).select_from(schema.journal)
ROW = {"site": "s", "link": "l", "at": "t", "direction": ">", "data": b"x"}


def beside(file: Path) -> set[str]:
    return {path.name for path in file.parent.iterdir()}


def count() -> Transaction[int]:
    rows = yield Step(COUNT)
    number: int = rows[0].n
    return number


def test_a_store_nobody_serves_is_read_without_a_trace(url: str, file: Path) -> None:
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert read_sync(url, COUNT)[0].n == 0
    with Reader(url) as reader:
        assert reader.view(count()) == 0
        assert beside(file) == {"labmw.db"}
    assert beside(file) == {"labmw.db"}
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


async def test_a_store_that_is_served_is_read_up_to_the_last_commit(url: str, file: Path) -> None:
    store = SqliteStore(url)
    await store.start()
    with Reader(url) as reader:
        for number in range(1, 4):
            await store.run_rows(INSERT_JOURNAL, [ROW])
            assert reader.read(COUNT)[0].n == number
            assert read_sync(url, COUNT)[0].n == number
        files = beside(file)
    assert beside(file) == files
    await store.stop()
    assert read_sync(url, COUNT)[0].n == 3


async def test_a_reader_that_was_there_before_the_writer(url: str) -> None:
    reader = Reader(url)
    assert reader.read(COUNT)[0].n == 0
    store = SqliteStore(url)
    await store.start()
    await store.run_rows(INSERT_JOURNAL, [ROW])
    assert reader.read(COUNT)[0].n == 1
    await store.run_rows(INSERT_JOURNAL, [ROW] * 5000)
    await store.stop()
    assert reader.read(COUNT)[0].n == 5001
    reader.close()


def test_a_store_written_while_it_was_read_as_it_lay_is_read_again(url: str, file: Path) -> None:
    def disturbed(times: int) -> Transaction[int]:
        rows = yield Step(COUNT)
        for _ in range(times):
            with closing(sqlite3.connect(file)) as other, other:
                other.execute(
                    "INSERT INTO journal (site, link, at, direction, data) VALUES ('s', 'l', 't', '>', x'00')"
                )
        number: int = rows[0].n
        return number

    with Reader(url) as reader:
        with pytest.raises(StoreError, match="ask again"):
            reader.view(disturbed(1))
        assert reader.view(count()) == 1
        assert reader.view(disturbed(0)) == 1


def test_a_question_is_asked_again_when_the_store_came_into_use(url: str, file: Path) -> None:
    asked = 0

    def disturbed() -> Transaction[int]:
        nonlocal asked
        asked += 1
        rows = yield Step(COUNT)
        if asked == 1:
            with closing(sqlite3.connect(file)) as other, other:
                other.execute(
                    "INSERT INTO journal (site, link, at, direction, data) VALUES ('s', 'l', 't', '>', x'00')"
                )
        number: int = rows[0].n
        return number

    with Reader(url) as reader:
        assert reader.look(disturbed) == 1
    assert asked == 2


def test_after_a_kill_the_log_is_read_too(url: str, file: Path, tmp_path: Path) -> None:
    """A killed process leaves its last commits in the -wal file; a reader must see them."""
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("INSERT INTO journal (site, link, at, direction, data) VALUES ('s', 'l', 't', '>', x'00')")
        writer.commit()
        left = tmp_path / "left"
        left.mkdir()
        for path in file.parent.iterdir():
            if path.is_file():
                (left / path.name).write_bytes(path.read_bytes())
    assert (left / "labmw.db-wal").stat().st_size > 0
    assert read_sync(f"sqlite:///{left / 'labmw.db'}", COUNT)[0].n == 1


def test_a_reader_cannot_write(url: str, file: Path) -> None:
    before = file.read_bytes()
    with Reader(url) as reader, pytest.raises(StoreError):
        reader.read(insert(schema.journal), ROW)
    assert file.read_bytes() == before


def test_a_damaged_store_says_so(url: str, file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(StoreError, match=r"is damaged.*restore the last backup"), Reader(url) as reader:
        reader.read(select(schema.result))
