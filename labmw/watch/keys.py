"""Are bytes at rest encrypted, and can what is encrypted be read? What `labmw check` and `labmw status` say of the keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labmw.config import Config
from labmw.errors import StoreError
from labmw.store import open_reader, revision_of
from labmw.store.encryption import key_file
from labmw.store.encryption.keyring import Keyring
from labmw.store.schema import REVISION
from labmw.store.statements import keys as stored
from labmw.store.transaction import Row, Transaction
from labmw.watch.finding import Finding, error, good, warning


@dataclass(frozen=True, slots=True)
class _Known:
    current: Row | None
    rotating: bool
    newest: Row | None


def keys(config: Config) -> Iterator[Finding]:
    """Say how bytes are kept; that they are not encrypted is no fault. Raises StoreError when the store cannot be read."""
    file, known = config.store.key_file, _known(config.store.url)
    current = known.current.name if known.current is not None else ""
    if not file:
        yield (error("store.key_file", "keys-missing", name=current) if current else good("store.key_file", "keys-off"))
        return
    ring = Keyring(Path(file))
    try:
        if current and ring.named(current) is None:
            yield error("store.key_file", "keys-missing", name=current)
            return
        if known.newest is not None:
            ring.open(known.newest)
        name = current or key_file.read(Path(file))[-1].name
    except StoreError as problem:
        yield error("store.key_file", "keys-wrong", problem=problem)
        return
    yield good("store.key_file", "keys-good" if current else "keys-soon", name=name, file=file)
    if known.rotating:
        yield warning("store.key_file", "keys-rotating")
    if known.current is not None and known.current.open_until:
        yield warning("store.key_file", "keys-some-open")


def _known(url: str) -> _Known:
    if revision_of(url) != REVISION:
        return _Known(None, rotating=False, newest=None)
    with open_reader(url) as reader:
        return reader.look(_look)


def _look() -> Transaction[_Known]:
    known = yield stored.store_keys()
    current = next((row for row in known if row.state == "current"), None)
    newest = yield stored.newest()
    rotating = any(row.state == "retired" for row in known)
    return _Known(current, rotating=rotating, newest=newest[0] if newest else None)
