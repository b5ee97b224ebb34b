"""Another store key, a lost one, and bytes that lie open: whole on both databases, and gone on with wherever it was cut off."""

from __future__ import annotations

import base64
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from atrest import (
    COLUMNS,
    MARK,
    RAW,
    SECRET,
    everything,
    frame,
    lies,
    message,
    opened,
    read_all,
)
from sqlalchemy import select
from stores import open_queued

from labmw.errors import StoreError
from labmw.store import Transaction, open_reader, schema
from labmw.store.copying import backup, export, restore
from labmw.store.encryption import key_file
from labmw.store.encryption.changing import (
    begin_rotation,
    encrypt_some,
    end_rotation,
    give_up,
    newest_key,
    rewrap,
)
from labmw.store.encryption.envelope import Unreadable
from labmw.store.encryption.keyring import Keyring
from labmw.store.queued import QueuedStore
from labmw.store.schema import ENCRYPTED, metadata
from labmw.store.statements import INSERT_FRAME
from labmw.store.statements import keys as stored

AT = "2026-11-26T09:00:00.000000Z"


async def current(store: QueuedStore) -> str:
    (row,) = await store.read(stored.current().statement)
    return str(row.name)


@pytest.mark.parametrize("cut", ["never", "file-written", "begun", "half", "ended"])
async def test_a_rotation_goes_on_wherever_it_was_cut_off(cut: str, shut: QueuedStore, url: str, keys: Path) -> None:
    await shut.run(message(SECRET))
    first, ring = await current(shut), Keyring(keys)

    async def rotate(until: str) -> None:
        rows = await shut.read(select(schema.store_key.c.state))
        if not any(row.state == "retired" for row in rows):
            newest_key(ring, await current(shut), AT)
            if until == "file-written":
                return
            await shut.run(begin_rotation(ring, await current(shut), AT))
        if until == "begun":
            return
        after = 0
        while after or not until:
            _, after = await shut.run(rewrap(ring, after))
            if not after:
                break
        if until == "half":
            await shut.run(rewrap(ring, 0))
            return
        if until:
            while (await shut.run(rewrap(ring, 0)))[1]:
                pass
        ended = await shut.run(end_rotation(AT))
        if until == "ended":
            return
        key_file.write(keys, [one for one in key_file.read(keys) if one.name not in ended and one.name != first])

    if cut != "never":
        await rotate(cut)
        await shut.run(message(b"meanwhile"))  # the daemon goes on, whatever the file says
        ring = Keyring(keys)
    if cut != "ended":
        await rotate("")
    else:
        key_file.write(keys, [key_file.read(keys)[-1]])
    assert [one.name for one in key_file.read(keys)] == [await current(shut)] != [first]
    await shut.run(message(b"after"))
    with open_reader(url, key_file=str(keys)) as reader:
        assert [row.raw for row in reader.read(RAW)] == [SECRET, *([b"meanwhile"] if cut != "never" else []), b"after"]
        assert {row.store_key for row in reader.read(select(schema.data_key))} == {await current(shut)}


async def test_a_store_key_that_is_lost_is_given_up(shut: QueuedStore, url: str, keys: Path) -> None:
    await shut.run(opened())
    await shut.run(message(SECRET))
    await shut.run_rows(INSERT_FRAME, [frame(1, SECRET)])
    lost = await current(shut)
    await shut.stop()
    old = key_file.read(keys)
    key_file.write(keys, [key_file.fresh(AT)])
    command = open_queued(url, key_file=keys)
    await command.start()
    sessions = await command.run(give_up(Keyring(keys), lost, AT))
    assert [one.id for one in sessions] == ["a"]
    with pytest.raises(StoreError, match="changed meanwhile"):
        await command.run(give_up(Keyring(keys), lost, AT))
    await command.stop()
    await shut.start()
    await shut.run(message(b"new"))
    first, second = await shut.read(RAW)
    assert isinstance(first.raw, Unreadable)
    assert second.raw == b"new"
    # It is found after all: put back beside the new one, it opens what it encrypted.
    key_file.write(keys, [*old, *key_file.read(keys)])
    with open_reader(url, key_file=str(keys)) as reader:
        assert [row.raw for row in reader.read(RAW)] == [SECRET, b"new"]


async def test_what_lay_open_is_encrypted_in_its_place(store: QueuedStore, url: str, keys: Path) -> None:
    await store.run(everything())
    assert {lying for place in COLUMNS for lying in lies(url, *place)} == {SECRET}
    command = open_queued(url, key_file=keys)
    await command.start()
    counts = {name: await _all(command, partial(encrypt_some, metadata.tables[name])) for name in ENCRYPTED}
    assert counts == dict.fromkeys(ENCRYPTED, 1) | {"frame": 2, "journal": 2}
    assert [await _all(command, partial(encrypt_some, metadata.tables[name])) for name in ENCRYPTED] == [0] * 7
    assert {*await command.view(read_all())} == {SECRET}
    await command.stop()
    for place in COLUMNS:
        assert all(lying.startswith(MARK) for lying in lies(url, *place)), place


async def _all(store: QueuedStore, step: Any) -> int:
    count, after = 0, 0
    while True:
        done, after = await store.run(step(after))
        if not after:
            return count
        count += done


async def test_a_backup_is_read_with_the_key_file_and_an_export_without(
    shut: QueuedStore, url: str, keys: Path, tmp_path: Path
) -> None:
    await shut.run(message(SECRET))
    backup(url, tmp_path / "b")
    assert SECRET not in (tmp_path / "b").read_bytes()
    other = f"sqlite:///{tmp_path / 'other.db'}"
    restore(tmp_path / "b", other)
    again = open_queued(other, key_file=keys, serves=True)
    await again.start()
    await again.run(_two())
    assert [row.raw for row in await again.read(RAW)] == [SECRET, b"later"]
    await again.stop()
    export(url, tmp_path / "out", key_file=str(keys))
    assert base64.b64encode(SECRET).decode() in (tmp_path / "out" / "message.jsonl").read_text()


def _two() -> Transaction[int]:
    return (yield from message(b"later"))
