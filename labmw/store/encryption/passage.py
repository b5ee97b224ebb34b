"""How do bytes pass into the store encrypted and out of it again? Around every transaction, so that nobody who reads or writes has to think of it.

A transaction is a generator of steps (0002): this is one around it, which encrypts the bytes of the steps that go in, opens those of the rows that come
back, and asks for the keys it needs in between. Both databases, the daemon and every command pass here.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import Insert, LargeBinary, Table, Update
from sqlalchemy.sql.base import Executable

from labmw.errors import StoreError
from labmw.store.encryption import envelope
from labmw.store.encryption.envelope import Unreadable, marked
from labmw.store.encryption.key_file import StoreKey
from labmw.store.encryption.keyring import DataKey, Keyring
from labmw.store.schema import ENCRYPTED, frame, journal, metadata, store_key
from labmw.store.statements import keys as stored
from labmw.store.statements.writing import insert
from labmw.store.transaction import Row, Step, T, Transaction, Values

_OF_SESSIONS: Final = (frame, journal)
"""What is kept of a line before there is a message has a key for each session; everything else has one of its own."""

_BYTES: Final = frozenset(
    column.name for table in metadata.tables.values() for column in table.c if isinstance(column.type, LargeBinary)
)
STOCK: Final = 256  # keys made in advance, so that a message waits for none
BATCH: Final = 64
SESSIONS: Final = 4096


class Passage:
    """The way into one store and out of it. `file` is the key file, None where there is none; `serves`: keys are made in advance.

    Used by the writing thread, and for its stock by the event loop; a reader has one of its own.
    """

    def __init__(self, file: Path | None, *, serves: bool = False) -> None:
        self._keyring = Keyring(file) if file is not None else None
        self._serves = serves
        self._stock: deque[DataKey] = deque()
        self._stocks = False  # keys were made in advance, and are to be again
        self._sessions: OrderedDict[tuple[str, str], DataKey] = OrderedDict()
        self._store_key: StoreKey | None = None  # the one that the store uses, as far as we know
        self._refused = ""  # why nothing may be written that would have to be encrypted
        self._open = file is None  # nothing is encrypted, and nothing has to be

    # --- opening and closing a store ------------------------------------------------------------------------------------------------

    def begin(self) -> Transaction[Sequence[DataKey]]:
        """See that the key file fits the store, and make the first keys; raises StoreError where who serves could not read its own bytes.

        Returns what `stocked` is to be told once it is on the disk.
        """
        rows = yield stored.current()
        needed = rows[0].name if rows else ""
        if self._keyring is None:
            if needed:
                self._refuse(
                    f"its bytes are encrypted under the store key {needed}, and no key file is named; set store.key_file"
                )
            return ()
        if self._keyring.named(needed) is None and needed:
            self._refuse(
                f"its bytes are encrypted under the store key {needed}, which is not in {self._keyring.file}; put the right "
                "file there, or if it is lost for good give it up with `labmw store key new --lost`"
            )
            return ()
        if not self._serves:
            return ()
        if not needed:
            yield from register(self._keyring, None)
        return (yield from self._make(STOCK - len(self._stock)))

    def _refuse(self, why: str) -> None:
        self._refused, self._open = f"the store cannot be written: {why}", False
        if self._serves:
            raise StoreError(self._refused)

    @property
    def low(self) -> bool:
        """Whether more keys should be made in advance."""
        return self._stocks and len(self._stock) <= STOCK - BATCH

    @property
    def stock(self) -> int:
        """How many keys lie ready."""
        return len(self._stock)

    def more(self) -> Transaction[Sequence[DataKey]]:
        """Make some keys in advance."""
        return (yield from self._make(BATCH))

    def stocked(self, made: Sequence[DataKey]) -> None:
        """Keys are on the disk: from now on they may be used."""
        self._stock.extend(made)
        self._stocks = self._stocks or bool(made)

    def end(self) -> Transaction[None]:
        """Destroy the keys that were made in advance and never used; from now on none are made in advance."""
        self._stocks = False  # at once: this very transaction must not have more of them made
        return self._end()

    def _end(self) -> Transaction[None]:
        left = [key.number for key in self._stock]
        self._stock.clear()
        if left:
            yield stored.destroy(left)

    # --- a transaction --------------------------------------------------------------------------------------------------------------

    def around(self, script: Transaction[T]) -> Transaction[T]:
        """The same transaction, with its bytes encrypted on their way in and opened on their way out."""
        try:
            step = next(script)
            while True:
                if (table := _writes_bytes(step.statement)) is not None:
                    step = yield from self._inward(step, table)
                rows = yield step
                if rows and (places := _byte_places(type(rows[0]))):
                    rows = yield from self._outward(rows, places)
                step = script.send(rows)
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            script.close()

    def rows(self, statement: Executable, rows: Sequence[Values]) -> Sequence[Values] | None:
        """Rows for one insert as they are to be kept, if that can be said without asking the store; None: it takes a transaction."""
        if (table := _writes_bytes(statement)) is None:
            return rows
        if self._refused or (self._keyring is not None and len(self._stock) < len(rows)):
            return None
        script = self._inward(Step(statement, rows), table)
        try:
            next(script)
        except StopIteration as end:
            done: Step = end.value
            assert not isinstance(done.parameters, Mapping)
            return done.parameters
        script.close()  # the writing thread has taken the last key meanwhile
        return None

    # --- in -------------------------------------------------------------------------------------------------------------------------

    def _inward(self, step: Step, table: Table) -> Transaction[Step]:
        keys = ENCRYPTED[table.name]
        if self._open and not _any_marked(step.parameters):  # without a key bytes go in as they are
            return step
        if isinstance(step.statement, Update):
            return (yield from self._changed(step, keys))
        many = not isinstance(step.parameters, Mapping)
        rows: Sequence[Values] = step.parameters if many else [step.parameters]  # type: ignore[assignment, list-item]
        kept = []
        of_sessions: dict[tuple[str, str], DataKey] = {}
        for given in rows:
            row = given
            for place, names in keys.items():
                if not _holds_bytes(row, names):
                    continue
                if (keyring := self._may_encrypt()) is None:
                    row = _plain(row, names)
                    continue
                if table in _OF_SESSIONS:
                    key = yield from self._of_session(keyring, row, of_sessions)
                else:
                    key = yield from self._fresh(keyring)
                row = _encrypted(row, names, key, place)
            kept.append(row)
        return Step(step.statement, kept if many else kept[0])

    def _changed(self, step: Step, keys: Mapping[str, Sequence[str]]) -> Transaction[Step]:
        """Bytes that are written anew get a key of their own: whoever writes `new_payload` names `new_payload_key` too, and destroys the old one."""
        row = step.parameters
        assert isinstance(row, Mapping)
        for place, columns in keys.items():
            names = [f"new_{name}" for name in columns]
            if not _holds_bytes(row, names):
                continue
            if (keyring := self._may_encrypt()) is None:
                row = _plain(row, names)
                continue
            if f"new_{place}" not in row:
                raise StoreError("bytes are written anew without their key; this is a fault in labmw, please report it")
            row = _encrypted(row, names, (yield from self._fresh(keyring)), f"new_{place}")
        return Step(step.statement, row)

    def _may_encrypt(self) -> Keyring | None:
        if self._refused:
            raise StoreError(self._refused)
        return self._keyring

    def _fresh(self, keyring: Keyring) -> Transaction[DataKey]:
        """A key that nothing is encrypted under yet: of the stock, else made in this very transaction."""
        with suppress(IndexError):
            return self._stock.popleft()
        made = yield from self._make(1)
        return made[0]

    def _of_session(self, keyring: Keyring, row: Values, here: dict[tuple[str, str], DataKey]) -> Transaction[DataKey]:
        """The key of a session. One of the stock is remembered; one that this transaction makes only for as long as it lasts, for it may be taken back."""
        name = (row["site"], row.get("session", ""))
        known = self._sessions.get(name) or here.get(name)
        if known is not None:
            return known
        try:
            key = self._sessions[name] = self._stock.popleft()
        except IndexError:
            key = here[name] = yield from self._fresh(keyring)
        while len(self._sessions) > SESSIONS:
            with suppress(KeyError):
                self._sessions.popitem(last=False)
        return key

    def _make(self, count: int) -> Transaction[Sequence[DataKey]]:
        keyring = self._keyring
        assert keyring is not None
        using = self._store_key
        rows = (yield stored.allocate(using.name, count)) if using is not None else []
        if not rows:  # we have not asked yet, or it was rotated meanwhile
            found = yield stored.current()
            if not found:  # the first bytes that are encrypted here
                yield from register(keyring, None)
            name = found[0].name if found else keyring.current.name
            using = self._store_key = keyring.named(name)
            if using is None:
                raise StoreError(f"the store key {name} is not in {keyring.file}; put the right file there")
            rows = yield stored.allocate(name, count)
        assert using is not None
        last = rows[0].given
        made = [keyring.make(number, using) for number in range(last - count + 1, last + 1)]
        if made:
            yield stored.keep([row for _, row in made])
        return [key for key, _ in made]

    # --- out ------------------------------------------------------------------------------------------------------------------------

    def _outward(self, rows: list[Row], places: Sequence[int]) -> Transaction[list[Row]]:
        values = [row[place] for row in rows for place in places if marked(row[place])]
        if not values:
            return rows
        numbers = dict.fromkeys(number for value in values if (number := envelope.number_of(value)) is not None)
        opened: dict[int, DataKey | Unreadable] = {}
        if self._keyring is None:
            opened |= dict.fromkeys(numbers, Unreadable("bytes-no-key-file"))
        else:
            opened |= {number: key for number in numbers if (key := self._keyring.known(number)) is not None}
            missing = [number for number in numbers if number not in opened]
            for start in range(0, len(missing), 500):
                for row in (yield stored.among(missing[start : start + 500])):
                    opened[row.id] = self._keyring.open(row) or Unreadable("bytes-key-lost")
        return [_opened(row, places, opened) for row in rows]


def shut(rows: Sequence[Row]) -> bool:
    """Whether these rows hold bytes that have to be opened."""
    if not rows:
        return False
    places = _byte_places(type(rows[0]))
    return any(marked(row[place]) for row in rows for place in places)


def register(keyring: Keyring, before: Row | None) -> Transaction[None]:
    """From now on this store encrypts under the newest key of the file; `before`: the store key that was used until now."""
    key = keyring.current
    if before is None:
        given, open_until = 0, (yield stored.last_message())[0].id
    else:
        given, open_until = before.given, before.open_until
    row = {"name": key.name, "state": "current", "made_at": key.made_at, "given": given, "open_until": open_until}
    yield insert(store_key, site="", **row)


def _opened(row: Row, places: Sequence[int], keys: Mapping[int, DataKey | Unreadable]) -> Row:
    values = list(row)
    for place in places:
        value = values[place]
        if not marked(value):
            continue
        number = envelope.number_of(value)
        if number is None:
            values[place] = envelope.bare(value)
        else:
            key = keys.get(number, _DESTROYED)
            values[place] = key if isinstance(key, Unreadable) else envelope.decrypt(value, key.cipher)
    return type(row)(values)


_DESTROYED: Final = Unreadable("bytes-key-destroyed")


def _any_marked(parameters: Values | Sequence[Values]) -> bool:
    rows = (parameters,) if isinstance(parameters, Mapping) else parameters
    return any(marked(value) for row in rows for value in row.values())


_WRITING: Final = (Insert, Update)


def _writes_bytes(statement: Executable) -> Table | None:
    if isinstance(statement, _WRITING):
        table = statement.table
        if isinstance(table, Table) and table.name in ENCRYPTED:
            return table
    return None


@lru_cache(maxsize=1024)
def _byte_places(of: type[Row]) -> tuple[int, ...]:
    """By the class, which each statement has one of: it costs less to find than its columns."""
    return tuple(place for place, name in enumerate(of.columns) if name in _BYTES)


def _given(row: Values, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        value = row.get(name)
        if isinstance(value, Unreadable):
            raise StoreError(
                f"bytes that cannot be read ({value.why}) cannot be written anew; this is a fault in labmw, please report it"
            )
        if isinstance(value, bytes) and value:
            yield name, value


def _holds_bytes(row: Values, names: Sequence[str]) -> bool:
    return any(True for _ in _given(row, names))


def _plain(row: Values, names: Sequence[str]) -> Values:
    if not any(marked(value) for _, value in _given(row, names)):
        return row
    return {**row, **{name: envelope.plain(value) for name, value in _given(row, names)}}


def _encrypted(row: Values, names: Sequence[str], key: DataKey, place: str) -> Values:
    bytes_ = {name: envelope.encrypt(value, key.number, key.cipher) for name, value in _given(row, names)}
    return {**row, **bytes_, place: key.number}
