"""How does a store come to another store key, give up one that is lost, and encrypt what lies open? In bounded steps that go on after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Table

from labmw.errors import StoreError
from labmw.store.encryption import key_file
from labmw.store.encryption.envelope import Unreadable
from labmw.store.encryption.key_file import StoreKey
from labmw.store.encryption.keyring import Keyring, unwrapped, wrapped
from labmw.store.encryption.passage import register
from labmw.store.encryption.shredding import write_anew
from labmw.store.schema import ENCRYPTED, frame, journal
from labmw.store.statements import keys as stored
from labmw.store.statements.retention import remove
from labmw.store.statements.wire import close_session
from labmw.store.statements.writing import insert_rows
from labmw.store.transaction import Row, Transaction

CHUNK: Final = 500

# --- another store key: file with both, the store says which, every key is wrapped anew, file with the new one alone ------------------------------


def newest_key(keyring: Keyring, needed: str, made_at: str) -> StoreKey:
    """The key that is to follow `needed`: one that a rotation cut off has left in the file, else a new one, on the disk before it is used."""
    if keyring.named(needed) is None:
        raise StoreError(
            f"the store key {needed} is not in {keyring.file}; put the right file there: without it no key can be wrapped anew"
        )
    if keyring.current.name != needed:
        return keyring.current
    made = key_file.fresh(made_at)
    key_file.write(keyring.file, [*key_file.read(keyring.file), made])
    keyring.reload()
    return made


def begin_rotation(keyring: Keyring, needed: str, at: str) -> Transaction[bool]:
    """From here on new keys are wrapped under the newest store key of the file; False when somebody else has done so meanwhile."""
    rows = yield stored.current()
    if not rows or rows[0].name != needed:
        return False
    yield stored.retire("retired", at)
    yield from register(keyring, rows[0])
    return True


def rewrap(keyring: Keyring, after: int) -> Transaction[tuple[int, int]]:
    """Wrap some keys anew under the newest store key; returns how many, and the number to go on after (0 and 0: none is left).

    A key under a store key that nobody has is left as it is: it was lost before.
    """
    newest = keyring.current
    rows = yield stored.under_others(newest.name, after, most=CHUNK)
    count = 0
    for row in rows:
        old = keyring.named(row.store_key)
        if old is not None:
            again = wrapped(row.id, unwrapped(row, old), newest)["wrapped"]
            yield stored.rewrap(row.id, newest.name, again)
            count += 1
    return count, rows[-1].id if rows else 0


def end_rotation(at: str) -> Transaction[list[str]]:
    """Every key is under the new one: the old ones are done with. The writer empties its log, in which they still stand wrapped."""
    ended = yield stored.end_retired(at)
    yield stored.forgotten()
    return [row.name for row in ended]


# --- a store key that is lost ------------------------------------------------------------------------------------------------------------


def give_up(keyring: Keyring, lost: str, at: str) -> Transaction[Sequence[Row]]:
    """Go on with the newest store key of the file; returns the sessions whose frames had become no message yet and never will.

    What the lost one encrypted stays, unreadable: should its file be found after all, its key can be put back into the key file.
    """
    rows = yield stored.current()
    if not rows or rows[0].name != lost:
        raise StoreError("the store key was changed meanwhile; look at `labmw check` again")
    sessions = yield stored.open_under(lost)
    for one in sessions:
        yield close_session(one.site, one.id, at=at, why="key-lost")
    yield stored.unwrite_under(lost)
    yield stored.retire("lost", at)
    yield from register(keyring, rows[0])
    return sessions


# --- what lies open ----------------------------------------------------------------------------------------------------------------------


def encrypt_some(table: Table, after: int) -> Transaction[tuple[int, int]]:
    """Encrypt some rows that lie open: of lines under keys of their sessions, others each under a key of its own.

    Returns how many, and the number to go on after (0 and 0: none is left).
    """
    rows = yield stored.not_encrypted(table, after, most=CHUNK)
    assert not any(isinstance(value, Unreadable) for row in rows for value in row)
    if rows and table in (frame, journal):
        yield remove(table, [row.id for row in rows])
        yield insert_rows(table, [row.mapping() for row in rows])
    elif rows:
        for row in rows:
            for place, names in ENCRYPTED[table.name].items():
                if getattr(row, place) is None:
                    yield from write_anew(table, row, **{name: getattr(row, name) for name in names})
    if rows:
        yield stored.forgotten()
    return len(rows), rows[-1].id if rows else 0


def all_encrypted() -> Transaction[None]:
    """Note that nothing lies open any more."""
    yield stored.nothing_open()
