"""Bytes go in encrypted and come out as they were, on both databases; what lies in the store says nothing of them."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from atrest import (
    COLUMNS,
    FRAMES,
    JOURNAL,
    MARK,
    RAW,
    SECRET,
    everything,
    frame,
    lies,
    message,
    opened,
    piece,
    read_all,
)
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    BindParameter,
    CompoundSelect,
    Insert,
    LargeBinary,
    Select,
    Update,
    bindparam,
    func,
    select,
    update,
)
from stores import open_queued

from labmw.errors import StoreError
from labmw.store import Row, Step, Transaction, open_reader, schema, statements
from labmw.store.encryption import envelope, key_file
from labmw.store.encryption.envelope import OVERHEAD, Unreadable, readable
from labmw.store.encryption.keyring import Keyring
from labmw.store.encryption.passage import BATCH, STOCK, Passage
from labmw.store.queued import QueuedStore
from labmw.store.schema import ENCRYPTED
from labmw.store.statements import INSERT_FRAME, INSERT_JOURNAL, insert_rows
from labmw.store.statements import keys as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import ask, row_type

BYTES = {column for _, column in COLUMNS} | {"wrapped"}


def keys_left(url: str) -> list[int]:
    with open_reader(url) as reader:
        return [row.id for row in reader.read(select(schema.data_key.c.id).order_by(schema.data_key.c.id))]


async def test_everything_comes_out_as_it_went_in(shut: QueuedStore, url: str, keys: Path) -> None:
    await shut.run(opened())
    number = await shut.run(message(SECRET, b"MSA|AA"))
    await shut.run_rows(INSERT_FRAME, [frame(1, SECRET), frame(2, b"", "a")])
    await shut.run_rows(INSERT_JOURNAL, [piece(SECRET), piece(SECRET, "b"), piece(b"\x05")])

    def both() -> Transaction[tuple[list[Row], list[Row]]]:
        return (yield Step(RAW)), (yield Step(FRAMES))

    written, frames = await shut.run(both())  # in a transaction of the writer
    assert [tuple(row) for row in written] == [(number, SECRET, b"MSA|AA")]
    assert [row.text for row in frames] == [SECRET, b""]
    assert [row.data for row in await shut.read(JOURNAL)] == [SECRET, SECRET, b"\x05"]  # beside it
    with open_reader(url, key_file=str(keys)) as reader:  # another process
        assert reader.read(RAW)[0].raw == SECRET
        assert [row.text for row in reader.look(lambda: ask(Step(FRAMES)))] == [SECRET, b""]
    for table, column in (("message", "raw"), ("frame", "text"), ("journal", "data")):
        (first, *_) = lies(url, table, column)
        assert first.startswith(MARK)
        assert len(first) == len(SECRET) + OVERHEAD
        assert SECRET[:20] not in first


async def test_every_column_that_holds_bytes_is_encrypted_and_read(shut: QueuedStore, url: str, keys: Path) -> None:
    held = {
        (table.name, column.name)
        for table in schema.metadata.tables.values()
        for column in table.c
        if isinstance(column.type, LargeBinary)
    }
    assert held == {*COLUMNS, ("data_key", "wrapped")}
    await shut.run(everything())
    for place in COLUMNS:
        assert all(lying.startswith(MARK) and SECRET not in lying for lying in lies(url, *place)), place
    assert {*await shut.view(read_all())} == {SECRET}
    with open_reader(url, key_file=str(keys)) as reader:
        assert {*reader.look(read_all)} == {SECRET}


def statements_known() -> Iterator[tuple[str, Any]]:
    """Every statement that a module of the store keeps ready."""
    for module in pkgutil.iter_modules(statements.__path__, f"{statements.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Select | CompoundSelect | Insert | Update):
                yield f"{module.name}.{name}", value


def brings_past(statement: Any) -> bool:
    """Whether a statement writes bytes under another parameter, or reads them under another name, than the passage knows."""
    if isinstance(statement, Update):
        values: Any = vars(statement)["_values"] or {}
        given = {
            getattr(column, "name", column): value.key
            for column, value in values.items()
            if isinstance(value, BindParameter) and not value.unique  # a constant has a name of its own
        }
        for key, names in ENCRYPTED.get(getattr(statement.table, "name", ""), {}).items():
            for name in {*names} & {*given}:
                if (given[name], given.get(key)) != (f"new_{name}", f"new_{key}"):
                    return True
    returns = (
        statement.selected_columns
        if isinstance(statement, Select | CompoundSelect)
        else vars(statement).get("_returning", ())
    )
    columns = [column for one in returns for column in getattr(one, "c", (one,))]
    return any(isinstance(one.type, LargeBinary) and one.name not in BYTES for one in columns)


def test_no_statement_brings_bytes_past_the_passage() -> None:
    known = dict(statements_known())
    assert len(known) > 100
    assert [place for place, statement in known.items() if brings_past(statement)] == []


@pytest.mark.parametrize(
    "statement",
    [
        update(schema.outbox).values(payload=bindparam("bytes")),
        update(schema.outbox).values(payload=bindparam("new_payload")),
        select(schema.message.c.raw.label("content")),
    ],
)
def test_a_statement_that_would_is_noticed(statement: Any) -> None:
    assert brings_past(statement)


async def test_a_message_and_a_session_have_keys_of_their_own(shut: QueuedStore) -> None:
    await shut.run(opened())
    for raw in (b"one", b"two"):
        await shut.run(message(raw))
    await shut.run_rows(INSERT_JOURNAL, [piece(b"1"), piece(b"2"), piece(b"3", "b")])
    await shut.run_rows(INSERT_FRAME, [frame(1, b"x"), frame(1, b"y", "b")])

    async def under(table: Any) -> list[int]:
        return [row.data_key for row in await shut.read(select(table.c.data_key).order_by(table.c.id))]

    messages, pieces, frames = [await under(table) for table in (schema.message, schema.journal, schema.frame)]
    assert len(set(messages)) == 2
    assert pieces[0] == pieces[1] != pieces[2]
    assert frames == [pieces[0], pieces[2]]
    assert not {*messages} & {*pieces}


async def test_who_writes_beside_the_daemon_needs_no_stock(shut: QueuedStore, url: str, keys: Path) -> None:
    command = open_queued(url, key_file=keys)
    await command.start()
    await command.run(opened())
    await command.run(message(SECRET))
    await command.run_rows(INSERT_JOURNAL, [piece(SECRET), piece(SECRET), piece(SECRET, "b")])
    await command.stop()
    assert (await shut.read(RAW))[0].raw == SECRET
    assert [row.data for row in await shut.read(JOURNAL)] == [SECRET] * 3
    assert len(keys_left(url)) == STOCK + 3


async def test_a_key_that_is_destroyed_leaves_bytes_that_nobody_reads(shut: QueuedStore, url: str, keys: Path) -> None:
    await shut.run(message(SECRET))
    await shut.run(message(b"another"))
    (kept, _) = lies(url, "message", "raw")
    ((number, *_), *_) = await shut.read(select(schema.message.c.data_key).order_by(schema.message.c.id))

    def forget() -> Transaction[None]:
        yield stored.destroy([number])
        yield stored.forgotten()

    await shut.run(forget())
    with open_reader(url, key_file=str(keys)) as reader:
        first, second = reader.read(RAW)
    assert second.raw == b"another"
    assert (first.raw, first.raw.why) == (b"", "bytes-key-destroyed")
    with pytest.raises(StoreError, match="bytes-key-destroyed"):
        readable(first.raw)
    assert lies(url, "message", "raw")[0] == kept  # it is not that the bytes were gone: a copy of them says no more


async def test_bytes_written_anew_get_another_key(shut: QueuedStore, url: str) -> None:
    number = await shut.run(message(SECRET))
    (before,) = await shut.read(select(schema.message.c.data_key))

    def rewrite() -> Transaction[None]:
        yield change(schema.message, number, raw=b"purged", reply=None, data_key=None)
        yield stored.destroy([before.data_key])

    await shut.run(rewrite())
    (after,) = await shut.read(select(schema.message.c.data_key, schema.message.c.raw))
    assert after.raw == b"purged"
    assert after.data_key not in (None, before.data_key)
    assert lies(url, "message", "raw")[0].startswith(MARK)

    def without() -> Transaction[None]:
        yield change(schema.message, number, raw=b"under which key?")

    with pytest.raises(StoreError, match="without their key"):
        await shut.run(without())

    def unreadable() -> Transaction[None]:
        yield change(schema.message, number, raw=Unreadable("bytes-damaged"), data_key=None)

    with pytest.raises(StoreError, match="cannot be written anew"):
        await shut.run(unreadable())


# --- a transaction that is taken back takes its keys with it ------------------------------------------------------------------------


async def test_what_fails_leaves_no_session_under_a_key_that_is_not_there(url: str, keys: Path) -> None:
    """A key made inside a transaction must not be remembered: with the transaction it is taken back."""
    store = open_queued(url, key_file=keys)  # without a stock, every key is made where it is used
    await store.start()
    await store.run(opened())

    def fails() -> Transaction[None]:
        yield Step(INSERT_JOURNAL, [piece(b"taken back")])
        raise RuntimeError("and all of it")

    with pytest.raises(RuntimeError):
        await store.run(fails())
    await store.run_rows(INSERT_JOURNAL, [piece(SECRET)])
    assert [row.data for row in await store.read(JOURNAL)] == [SECRET]
    await store.stop()


async def test_a_key_that_is_remembered_too_early_would_lose_a_session(url: str, keys: Path) -> None:
    """The variant that breaks it."""
    store = open_queued(url, key_file=keys)
    await store.start()
    await store.run(opened())
    passage = store._passage
    assert passage is not None
    of_session = passage._of_session

    def remembers(keyring: Keyring, row: Any, here: Any) -> Any:
        key = yield from of_session(keyring, row, here)
        passage._sessions[row["site"], row["session"]] = key
        return key

    passage._of_session = remembers  # type: ignore[method-assign]

    def fails() -> Transaction[None]:
        yield Step(INSERT_JOURNAL, [piece(b"taken back")])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.run(fails())
    await store.run_rows(INSERT_JOURNAL, [piece(SECRET)])
    with open_reader(url, key_file=str(keys)) as reader:
        assert [row.data for row in reader.read(JOURNAL)] == [b""]
    await store.stop()


# --- the stock -----------------------------------------------------------------------------------------------------------------------


async def test_keys_are_made_in_advance_and_those_unused_are_destroyed(url: str, keys: Path) -> None:
    store = open_queued(url, key_file=keys, serves=True)
    await store.start()
    assert len(keys_left(url)) == STOCK
    await asyncio.gather(*(store.run(message(b"%d" % number)) for number in range(STOCK + BATCH)))
    assert [row.raw for row in await store.read(RAW)] == [b"%d" % number for number in range(STOCK + BATCH)]
    await store.stop()
    used = [row.data_key for row in _read(url, select(schema.message.c.data_key))]
    assert len(set(used)) == STOCK + BATCH
    assert keys_left(url) == sorted(used)
    again = open_queued(url, key_file=keys, serves=True)
    await again.start()
    assert min(set(keys_left(url)) - set(used)) > max(used)  # no number is given twice
    await again.stop()


def _read(url: str, statement: Any) -> list[Row]:
    with open_reader(url) as reader:
        return reader.read(statement)


# --- a store without a key, and one whose key is not at hand ---------------------------------------------------------------------


@pytest.mark.parametrize("sent", [MARK, MARK + b"\x00", MARK + b"\x01", MARK + b"\x01" + b"x" * 60, MARK * 3])
async def test_bytes_that_look_encrypted_come_out_as_sent(sent: bytes, store: QueuedStore) -> None:
    """A hostile analyzer sends what our own bytes begin with, to a store without a key."""
    await store.run(opened())
    await store.run(message(sent, sent))
    await store.run_rows(INSERT_JOURNAL, [piece(sent)])
    ((_, raw, reply),) = await store.read(RAW)
    assert raw == reply == sent
    assert [row.data for row in await store.read(JOURNAL)] == [sent]


async def test_without_a_key_bytes_lie_as_they_came(store: QueuedStore, url: str) -> None:
    await store.run(message(SECRET))
    assert lies(url, "message", "raw") == [SECRET]
    assert keys_left(url) == []


async def test_an_older_store_keeps_what_lies_open_and_encrypts_what_comes(
    store: QueuedStore, url: str, keys: Path
) -> None:
    await store.run(message(SECRET))
    await store.stop()
    with_key = open_queued(url, key_file=keys, serves=True)
    await with_key.start()
    await with_key.run(message(b"new"))
    assert [row.raw for row in await with_key.read(RAW)] == [SECRET, b"new"]
    old, new = lies(url, "message", "raw")
    assert old == SECRET
    assert new.startswith(MARK)
    (first,) = {row.id for row in await with_key.read(select(schema.message)) if row.raw == SECRET}
    assert [row.open_until for row in await with_key.read(select(schema.store_key))] == [first]
    await with_key.stop()
    await store.start()


async def test_without_its_key_file_the_daemon_does_not_start_and_nothing_is_written_open(
    shut: QueuedStore, url: str, keys: Path, tmp_path: Path
) -> None:
    await shut.run(message(SECRET))
    await shut.stop()
    other = tmp_path / "other.key"
    key_file.write(other, [key_file.fresh("t")])
    for file, says in ((None, "set store.key_file"), (other, "give it up with `labmw store key new --lost`")):
        with pytest.raises(StoreError, match=says):
            await open_queued(url, key_file=file, serves=True).start()
        command = open_queued(url, key_file=file)
        await command.start()
        with pytest.raises(StoreError, match="cannot be written"):
            await command.run(message(b"open"))
        with pytest.raises(StoreError, match="cannot be written"):
            await command.run_rows(INSERT_JOURNAL, [piece(b"open")])
        await command.run(opened())  # everything else goes on
        ((_, raw, _),) = await command.read(RAW)
        assert isinstance(raw, Unreadable)
        assert raw.why == ("bytes-key-lost" if file else "bytes-no-key-file")
        await command.stop()
    await shut.start()
    assert (await shut.read(RAW))[0].raw == SECRET


async def test_a_bit_that_was_flipped_is_noticed(shut: QueuedStore, url: str, keys: Path, file: Path) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("needs a store that is a file: its bytes are flipped")
    await shut.run(message(SECRET))
    await shut.stop()
    with sqlite3.connect(file) as database:
        (raw,) = database.execute("SELECT raw FROM message").fetchone()
        for place in (9, 20, 40, len(raw) - 1):
            database.execute("UPDATE message SET raw = ?", (raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :],))
            database.commit()
            with open_reader(url, key_file=str(keys)) as reader:
                found = reader.read(RAW)[0].raw
                assert isinstance(found, Unreadable)
                assert found.why in ("bytes-damaged", "bytes-key-destroyed")
        database.execute("UPDATE message SET raw = ?", (raw,))
        database.execute("UPDATE data_key SET wrapped = zeroblob(60)")
    with open_reader(url, key_file=str(keys)) as reader, pytest.raises(StoreError, match="not what was written"):
        reader.read(RAW)
    await shut.start()


@given(value=st.binary(max_size=200) | st.binary(max_size=40).map(lambda rest: MARK + rest))
def test_any_bytes_go_through(value: bytes) -> None:
    ring = Keyring(Path("nowhere"))
    key = ring.keep(2**62 + 1, os.urandom(32))
    kept = envelope.encrypt(value, key.number, key.cipher)
    if value:
        assert envelope.number_of(kept) == key.number
        assert envelope.decrypt(kept, key.cipher) == value
        assert isinstance(envelope.decrypt(kept, ring.keep(1, os.urandom(32)).cipher), Unreadable)
    else:
        assert kept == b""
    open_ = envelope.plain(value)
    assert (envelope.bare(open_) if envelope.marked(open_) else open_) == value


@given(value=st.binary(max_size=60).map(lambda rest: MARK + rest))
def test_whatever_lies_in_a_store_is_read_or_said_to_be_unreadable(value: bytes) -> None:
    """Bytes that somebody has put there: never an exception that nobody expects."""
    script = Passage(None).around(ask(Step(RAW)))
    next(script)
    kind = row_type(("raw",))
    with pytest.raises(StopIteration) as end:
        script.send([kind((value,))])
    (row,) = end.value.value
    assert isinstance(row[0], bytes)
    assert not envelope.marked(row[0]) or value.startswith(MARK + b"\x00")


async def test_what_is_searched_by_is_not_encrypted(shut: QueuedStore) -> None:
    await shut.run(message(SECRET))
    rows = await shut.read(select(func.count().label("n")).where(schema.message.c.digest == "d"))
    assert rows[0].n == 1


async def test_many_rows_in_one_statement(shut: QueuedStore) -> None:
    await shut.run(opened())
    many = [piece(b"%d" % number, "ab"[number % 2]) for number in range(3000)]

    def script() -> Transaction[None]:
        yield insert_rows(schema.journal, many)

    await shut.run(script())
    assert [row.data for row in await shut.read(JOURNAL)] == [row["data"] for row in many]
