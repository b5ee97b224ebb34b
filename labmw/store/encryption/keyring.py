"""Which keys does this process have at hand? The store keys of its key file, and the opened keys of what it wrote or read last."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from labmw.errors import StoreError
from labmw.store.encryption import key_file
from labmw.store.encryption.key_file import StoreKey
from labmw.store.transaction import Row

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEPT: Final = 4096  # opened keys in memory, some 200 bytes each
_NONCE: Final = 12


class DataKey(NamedTuple):
    """The key of one message, or of one session of a line."""

    number: int
    cipher: AESGCM


class Keyring:
    """Reads the key file when it is needed first, and again when a key is asked for that it does not know (it may have been rotated)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._opened: OrderedDict[int, DataKey] = OrderedDict()

    @cached_property
    def _keys(self) -> Mapping[str, StoreKey]:
        return {one.name: one for one in key_file.read(self.file)}

    def reload(self) -> None:
        """Forget what the file said."""
        self.__dict__.pop("_keys", None)

    @property
    def current(self) -> StoreKey:
        """The newest key of the file; raises StoreError."""
        return list(self._keys.values())[-1]

    def named(self, name: str) -> StoreKey | None:
        """The key of this name, None when the file has it no longer, or never had."""
        if name not in self._keys:
            self.reload()
        return self._keys.get(name)

    def make(self, number: int, store_key: StoreKey) -> tuple[DataKey, Mapping[str, Any]]:
        """A new key, and the row of `data_key` in which it is kept wrapped."""
        secret = os.urandom(key_file.SIZE)
        return self.keep(number, secret), {"id": number, **wrapped(number, secret, store_key)}

    def keep(self, number: int, secret: bytes) -> DataKey:
        """Remember an opened key."""
        key = self._opened[number] = DataKey(number, _cipher(secret))
        if len(self._opened) > KEPT:
            self._opened.popitem(last=False)
        return key

    def known(self, number: int) -> DataKey | None:
        """A key that was opened a moment ago."""
        return self._opened.get(number)

    def open(self, row: Row) -> DataKey | None:
        """The key in a row of `data_key`; None when its store key is not in the file. Raises StoreError when it is damaged."""
        store_key = self.named(row.store_key)
        return None if store_key is None else self.keep(row.id, unwrapped(row, store_key))


def wrapped(number: int, secret: bytes, store_key: StoreKey) -> Mapping[str, Any]:
    """A key as the store keeps it: under the store key, and only in its own row."""
    nonce = os.urandom(_NONCE)
    return {
        "site": "",
        "store_key": store_key.name,
        "wrapped": nonce + _cipher(store_key.secret).encrypt(nonce, secret, _place(number, store_key)),
    }


def unwrapped(row: Row, store_key: StoreKey) -> bytes:
    """The secret of a row of `data_key`; raises StoreError when the row was changed."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - loaded only where something is encrypted

    try:
        return _cipher(store_key.secret).decrypt(row.wrapped[:_NONCE], row.wrapped[_NONCE:], _place(row.id, store_key))
    except (InvalidTag, ValueError) as error:
        raise StoreError(
            f"key {row.id} of the store is not what was written; the store was damaged or changed: restore the last backup"
        ) from error


def _place(number: int, store_key: StoreKey) -> bytes:
    return b"%d %s" % (number, store_key.name.encode())


def _cipher(secret: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - takes 70 ms to load

    return AESGCM(secret)
