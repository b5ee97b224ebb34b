"""How does a file beside the store get a key that the store keeps? The archive's pieces each have one, which goes with them."""

from __future__ import annotations

from labmw.errors import StoreError
from labmw.store.encryption import envelope
from labmw.store.encryption.envelope import Unreadable, marked
from labmw.store.encryption.keyring import DataKey, Keyring
from labmw.store.encryption.passage import register
from labmw.store.statements import keys as stored
from labmw.store.transaction import Row, Transaction


def make(ring: Keyring, count: int) -> Transaction[list[DataKey]]:
    """Keys that nothing is encrypted under yet, wrapped under the store key that is in use; raises StoreError when it is not in the file."""
    rows = yield stored.current()
    if not rows:
        yield from register(ring, None)
        rows = yield stored.current()
    using = ring.named(rows[0].name)
    if using is None:
        raise StoreError(f"the store key {rows[0].name} is not in {ring.file}; put the right file there")
    last = (yield stored.allocate(using.name, count))[0].given
    made = [ring.make(number, using) for number in range(last - count + 1, last + 1)]
    yield stored.keep([row for _, row in made])
    return [key for key, _ in made]


def sealed(content: bytes, key: DataKey) -> bytes:
    """A file as it lies."""
    return envelope.encrypt(content, key.number, key.cipher)


def opened(ring: Keyring | None, number: int, rows: list[Row], data: bytes) -> bytes:
    """What is in a file that lies under the key of this number (`rows`: what the store has of it); raises StoreError."""
    if ring is None:
        raise StoreError("a piece of the archive is encrypted, and no key file is named; set store.key_file")
    key = ring.known(number) or (ring.open(rows[0]) if rows else None)
    if key is None:
        raise StoreError(
            f"the key {number} of a piece of the archive is not there any more, or its store key is not in {ring.file}; put the right file there"
        )
    found = envelope.decrypt(data, key.cipher) if marked(data) and envelope.number_of(data) == number else b""
    if isinstance(found, Unreadable) or not found:
        raise StoreError("a piece of the archive is not what was encrypted; put its copy in its place")
    return found
