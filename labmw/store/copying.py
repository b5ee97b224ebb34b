"""How does a whole store get into a file, and from there into any other store? A backup is itself a store in one SQLite file.

So a backup of either database can be looked at with every command, restored into either, and is how a laboratory moves from one to the other.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Final

from sqlalchemy import Table, and_, bindparam, func, literal, or_, select
from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store import migrate, open_reader, open_store, require, revision_of
from labmw.store.address import is_postgresql, place_of, sqlite_file
from labmw.store.aside import ask
from labmw.store.connection import open_for_reading
from labmw.store.encryption.envelope import Unreadable
from labmw.store.failure import explain
from labmw.store.schema import data_key, metadata, store_key
from labmw.store.statements import insert_rows
from labmw.store.transaction import Row, Step, Transaction

CHUNK: Final = 2000  # rows that are in memory at once


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: how many rows of each table."""

    rows: dict[str, int]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def backup(url: str, file: Path) -> Copied:
    """Write a store, served or not, to a new file as it is at one moment; raises StoreError. A checksum is laid beside it."""
    require(url)
    if file.exists():
        raise StoreError(
            f"{file} exists already; a backup never overwrites another: give a new name",
            "store-error-backup-there",
            file=file,
        )
    partial = file.with_name(file.name + ".partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # it holds patients
        if is_postgresql(url):
            _from_database(url, partial)
        else:
            _from_file(sqlite_file(url), partial)
        copied = _counted(f"sqlite:///{partial}")
        _flush(partial)
        checksum_file(file).write_text(f"{_digest(partial)}  {file.name}\n", encoding="ascii")
        partial.rename(file)
        _flush(file.parent)
    except OSError as error:
        raise StoreError(
            f"the backup {file} cannot be written ({error}); check the folder and its space",
            "store-error-backup-unwritable",
            file=file,
            said=error,
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return copied


def restore(file: Path, url: str) -> Copied:
    """Make a new store of a backup; raises StoreError when the backup is damaged, or the store exists already. All or nothing."""
    verify_checksum(file)
    source = f"sqlite:///{file}"
    if revision_of(source) is None:
        raise StoreError(
            f"there is no backup at {file}; give the file that `labmw store backup` has written",
            "store-error-no-backup",
            file=file,
        )
    if not is_postgresql(url):
        return _into_file(file, sqlite_file(url))
    if revision_of(url) is not None and _counted(url).total:
        raise StoreError(
            f"{place_of(url)} holds something already; restore into a database without tables",
            "store-error-not-empty",
            place=place_of(url),
        )
    require(source)
    migrate(url)
    _fill(source, url)
    return _counted(url)


def export(url: str, folder: Path, *, key_file: str = "") -> Copied:
    """Write every row as one line of JSON, a file per table, bytes in base64 and no longer encrypted: for reading without labmw. Raises StoreError."""
    written: dict[str, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise StoreError(
                f"{folder} is not empty; export into a new folder", "store-error-folder-not-empty", folder=folder
            )
        with open_reader(url, key_file=key_file) as reader:
            reader.view(_exported(folder, written))
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error}); check the folder and its space",
            "store-error-unwritable",
            place=folder,
            said=error,
        ) from error
    return Copied(written)


def checksum_file(file: Path) -> Path:
    """Where the checksum of a backup is, in the form of sha256sum."""
    return file.with_name(file.name + ".sha256")


def verify_checksum(file: Path) -> None:
    """Raise StoreError when a backup is not as it was written."""
    try:
        said = checksum_file(file).read_text(encoding="ascii").split()
        found = _digest(file)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the backup {file} cannot be checked ({error}); keep the backup and its .sha256 file together",
            "store-error-unchecked",
            file=file,
            said=error,
        ) from error
    if said[:1] != [found]:
        raise StoreError(
            f"the backup {file} is damaged: it is not what was written; take another one",
            "store-error-backup-damaged",
            file=file,
        )


def _exported(folder: Path, written: dict[str, int]) -> Transaction[None]:
    for table in metadata.sorted_tables:
        if table in (store_key, data_key):
            continue
        with (folder / f"{table.name}.jsonl").open("x", encoding="utf-8") as out:
            written[table.name] = yield from _lines(table, out)


def _lines(table: Table, out: IO[str]) -> Transaction[int]:
    count = 0
    last: Row | None = None
    while rows := (yield _page(table, last)):
        for row in rows:
            plain = {name: _as_json(value) for name, value in row.mapping().items()}
            out.write(json.dumps(plain, ensure_ascii=False) + "\n")
        count += len(rows)
        last = rows[-1]
    return count


def _as_json(value: object) -> object:
    if isinstance(value, Unreadable):
        return {"unreadable": value.why}
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _from_file(source: Path, target: Path) -> None:
    try:
        quiet = not source.with_name(source.name + "-wal").exists()
        with (
            closing(open_for_reading(source, 30.0, quiet=quiet)) as ours,
            closing(sqlite3.connect(target, isolation_level=None)) as theirs,
        ):
            ours.backup(theirs)
    except sqlite3.Error as error:
        raise explain(error, source) from error


def _from_database(url: str, target: Path) -> None:
    place = f"sqlite:///{target}"
    migrate(place)
    _fill(url, place)


def _into_file(file: Path, target: Path) -> Copied:
    if target.exists() and target.stat().st_size:
        raise StoreError(
            f"{target} exists already; move it aside, with its -wal and -shm, or restore elsewhere",
            "store-error-target-there",
            target=target,
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.unlink(missing_ok=True)
        _from_file(file, partial)
        migrate(f"sqlite:///{partial}")  # a backup of an older labmw
        copied = _counted(f"sqlite:///{partial}")
        _flush(partial)
        partial.rename(target)
        _flush(target.parent)
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written ({error}); check the folder and its space",
            "store-error-unwritable",
            place=target,
            said=error,
        ) from error
    return copied


def _fill(source: str, target: str) -> None:
    """Copy everything that a store holds at one moment into an empty one, in one transaction."""
    chunks: Queue[tuple[Table, list[Row]] | BaseException | None] = Queue(maxsize=4)

    def read() -> None:
        try:
            with open_reader(source, as_it_lies=True) as reader:
                reader.view(_read(chunks))
            chunks.put(None)
        except BaseException as error:
            chunks.put(error)

    async def write() -> None:
        store = open_store(target, serves=True, as_it_lies=True)
        await store.start()
        try:
            await store.run(_write(chunks, numbered=is_postgresql(target)))
        finally:
            await store.stop()

    reading = threading.Thread(target=read, name="labmw-store-copy")
    reading.start()
    try:
        ask(write())
    finally:
        while reading.is_alive():  # writing has failed: let the reader come to its end
            with contextlib.suppress(Empty):
                chunks.get(timeout=0.05)
        reading.join()


def _read(chunks: Queue[tuple[Table, list[Row]] | BaseException | None]) -> Transaction[None]:
    for table in metadata.sorted_tables:
        last: Row | None = None
        while rows := (yield _page(table, last)):
            chunks.put((table, rows))
            last = rows[-1]


def _write(chunks: Queue[tuple[Table, list[Row]] | BaseException | None], *, numbered: bool) -> Transaction[None]:
    while (chunk := chunks.get()) is not None:
        if isinstance(chunk, BaseException):
            raise chunk
        table, rows = chunk
        yield insert_rows(table, [row.mapping() for row in rows])
    if numbered:  # PostgreSQL counts on from where it was, whatever numbers the rows brought
        for table in metadata.sorted_tables:
            if table.autoincrement_column is not None:
                number = table.autoincrement_column
                sequence = func.pg_get_serial_sequence(literal(f'"{table.name}"'), literal(number.name))
                highest = select(func.max(number)).scalar_subquery()
                yield Step(select(func.setval(sequence, func.coalesce(highest, 1), highest.is_not(None))))


@cache
def _pages(table: Table) -> tuple[Executable, Executable]:
    """The first rows of a table, and those after a row, in the order of its primary key."""
    keys = list(table.primary_key.columns)
    first = select(table).order_by(*keys).limit(CHUNK)
    after = [
        and_(
            *(same == bindparam(f"after_{same.name}", type_=same.type) for same in keys[:place]),
            key > bindparam(f"after_{key.name}", type_=key.type),
        )
        for place, key in enumerate(keys)
    ]
    return first, first.where(or_(*after))


def _page(table: Table, last: Row | None) -> Step:
    first, following = _pages(table)
    if last is None:
        return Step(first)
    return Step(following, {f"after_{key.name}": getattr(last, key.name) for key in table.primary_key.columns})


def _counted(url: str) -> Copied:
    with open_reader(url) as reader:
        return Copied(reader.view(_counts()))


def _counts() -> Transaction[dict[str, int]]:
    found: dict[str, int] = {}
    for table in metadata.sorted_tables:
        rows = yield Step(select(func.count().label("n")).select_from(table))
        found[table.name] = rows[0].n
    return found


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
