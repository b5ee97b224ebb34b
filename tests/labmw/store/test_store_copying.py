"""Backups of both databases: whole, of one moment, restored into either, and refused when they are not what was written."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select
from stores import open_queued

from labmw.errors import StoreError
from labmw.store import Transaction, is_postgresql, open_reader, schema
from labmw.store.copying import CHUNK, backup, checksum_file, export, restore
from labmw.store.queued import QueuedStore
from labmw.store.statements import insert, insert_rows


def filled() -> Transaction[None]:
    """A little of everything that differs between databases: keys of two columns, bytes, texts with every character, gaps in the numbers."""
    yield insert(schema.session, id="b", site="s", link="l", opened_at="t")
    yield insert(schema.session, id="a", site="s", link="l", opened_at="t", closed_at="t2")
    yield insert(schema.frame, site="s", link="l", session="a", seq=1, number=1, text=bytes(range(256)), at="t")
    yield insert_rows(schema.journal, [journal(number) for number in range(2 * CHUNK + 3)])
    rows = yield insert(
        schema.message, site="s", link="l", direction=">", protocol="astm", received_at="t", raw=b"H\x00", digest="d"
    )
    message = rows[0].id
    row = {"site": "s", "message": message, "link": "l", "received_at": "t", "state": "delivered"}
    for number in (65536 * message, 65536 * message + 7):
        yield insert(schema.result, id=number, key=f"k{number}", identity=f"i{number}", value="é 'x' \n☃", **row)


def journal(number: int) -> dict[str, Any]:
    return {"site": "s", "link": "l", "at": "t", "direction": ">", "data": b"%d" % number}


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    def read() -> Transaction[dict[str, list[tuple[Any, ...]]]]:
        found = {}
        for table in schema.metadata.sorted_tables:
            from labmw.store import Step

            rows = yield Step(select(table).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
        return found

    with open_reader(url) as reader:
        return reader.view(read())


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a backup is restored: a file that is not there yet, or another database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'restored' / 'other.db'}"
    server = request.getfixturevalue("postgresql_server")
    if server is None:
        pytest.skip("needs PostgreSQL 15 or newer")
    name = server.make()
    request.addfinalizer(lambda: server.drop(name))
    address: str = server.url(name)
    return address


async def test_a_backup_of_a_store_that_is_served_is_restored_whole_into_either(
    store: QueuedStore, url: str, other: str, tmp_path: Path
) -> None:
    await store.run(filled())
    copied = backup(url, tmp_path / "b")
    assert copied.rows["journal"] == 2 * CHUNK + 3
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    await store.run(filled_further())  # after the backup: not in it
    restored = restore(tmp_path / "b", other)
    assert restored == copied
    was, there = everything(url), everything(other)
    assert there == {name: [row for row in rows if b"later" not in row] for name, rows in was.items()}
    assert everything(f"sqlite:///{tmp_path / 'b'}") == there  # a backup can be looked at as it is
    # And it goes on: numbers after those that are there.
    again = open_queued(other)
    await again.start()
    highest = there["journal"][-1][0]
    assert (await again.run(one_more())) > highest
    await again.stop()


def filled_further() -> Transaction[None]:
    yield insert(schema.journal, **journal(0) | {"data": b"later"})


def one_more() -> Transaction[int]:
    rows = yield insert(schema.journal, **journal(0))
    number: int = rows[0].id
    return number


async def test_nothing_is_overwritten(store: QueuedStore, url: str, other: str, tmp_path: Path) -> None:
    await store.run(filled())
    backup(url, tmp_path / "b")
    with pytest.raises(StoreError, match="never overwrites"):
        backup(url, tmp_path / "b")
    restore(tmp_path / "b", other)
    with pytest.raises(StoreError, match=r"exists already|holds something already"):
        restore(tmp_path / "b", other)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".partial")] == []  # noqa: PTH208


async def test_a_backup_that_is_not_what_was_written_is_refused(store: QueuedStore, url: str, tmp_path: Path) -> None:
    await store.run(filled())
    file = tmp_path / "b"
    backup(url, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    new = f"sqlite:///{tmp_path / 'new.db'}"
    with pytest.raises(StoreError, match="is damaged"):
        restore(file, new)
    file.write_bytes(whole)
    checksum_file(file).unlink()
    with pytest.raises(StoreError, match=r"keep the backup and its \.sha256 file together"):
        restore(file, new)
    with pytest.raises(StoreError, match="cannot be checked"):
        restore(tmp_path / "nothing", new)


def test_without_its_checksum_a_flipped_bit_would_pass(sqlite_url: str, tmp_path: Path) -> None:
    """The variant without it: SQLite's own check sees a torn page, not another value."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database, database:
        database.execute(
            "INSERT INTO journal (site, link, at, direction, data) VALUES ('s','l','t','>', x'AAAAAAAAAAAA')"
        )
    file = tmp_path / "b"
    backup(sqlite_url, file)
    file.write_bytes(file.read_bytes().replace(b"\xaa" * 6, b"\xaa\xaa\xab\xaa\xaa\xaa"))
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with pytest.raises(StoreError, match="is damaged"):
        restore(file, f"sqlite:///{tmp_path / 'new.db'}")


async def test_an_export_is_read_without_labmw(store: QueuedStore, url: str, tmp_path: Path) -> None:
    await store.run(filled())
    copied = export(url, tmp_path / "out")
    names = {path.stem for path in (tmp_path / "out").iterdir()}
    assert names == {table.name for table in tables()} - {"store_key", "data_key"} == copied.rows.keys()
    lines = [json.loads(line) for line in (tmp_path / "out" / "result.jsonl").read_text().splitlines()]
    assert [line["value"] for line in lines] == ["é 'x' \n☃"] * 2
    assert len((tmp_path / "out" / "journal.jsonl").read_text().splitlines()) == 2 * CHUNK + 3
    with pytest.raises(StoreError, match="not empty"):
        export(url, tmp_path / "out")


def tables() -> list[Table]:
    return list(schema.metadata.sorted_tables)


def test_a_folder_that_cannot_be_written(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for attempt in (backup, export):
        with pytest.raises(StoreError, match="cannot be written"):
            attempt(url, tmp_path / "file" / "b")


def test_both_kinds_were_tried(url: str) -> None:
    assert is_postgresql(url) == ("postgresql" in os.environ["PYTEST_CURRENT_TEST"])
