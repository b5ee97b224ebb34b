"""What do encrypted bytes look like in a column, and how are they told from bytes that came so over the wire?

    8 bytes   mark: 00 "labmw" 1A and the version, 1 encrypted, 0 as they came
    8 bytes   number of the key, in `data_key`, big-endian
   12 bytes   nonce, random
    n bytes   AES-256-GCM, with the first 16 bytes as associated data
   16 bytes   its tag

Version 0 is nothing but the mark before bytes that begin with the mark themselves: whoever sends such bytes to a store without a key gets them back as sent.
Empty bytes stay empty: that something is empty is no secret, and says "taken out" (decision 0033).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from labmw.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MARK: Final = b"\x00labmw\x1a"
_ENCRYPTED: Final = _MARK + b"\x01"
_AS_SENT: Final = _MARK + b"\x00"
_HEAD, _NONCE, _TAG = 16, 12, 16
OVERHEAD: Final = _HEAD + _NONCE + _TAG


class Unreadable(bytes):
    """Stands where bytes are that nobody can read: empty, and `why` is a code of the catalogue."""

    why: str

    def __new__(cls, why: str) -> Unreadable:
        """Say why."""
        made = super().__new__(cls)
        made.why = why
        return made


def readable(value: bytes) -> bytes:
    """The bytes, for whoever works with them instead of showing them; raises StoreError when nobody can read them."""
    if isinstance(value, Unreadable):
        raise StoreError(
            f"bytes of the store cannot be read ({value.why}); see `labmw check` for the key that is missing"
        )
    return value


def marked(value: object) -> bool:
    """Whether this value needs a look before it is used."""
    return isinstance(value, bytes) and value.startswith(_MARK)


def plain(value: bytes) -> bytes:
    """How bytes lie in a store without a key."""
    return _AS_SENT + value if value.startswith(_MARK) else value


def encrypt(value: bytes, number: int, cipher: AESGCM) -> bytes:
    """How bytes lie in a store with one. `number` is that of the key behind `cipher`."""
    if not value:
        return value
    head = _ENCRYPTED + number.to_bytes(8, "big")
    nonce = os.urandom(_NONCE)
    return head + nonce + cipher.encrypt(nonce, value, head)


def number_of(value: bytes) -> int | None:
    """The number of the key that opens marked bytes; None where they need none."""
    if value.startswith(_ENCRYPTED) and len(value) > OVERHEAD:
        return int.from_bytes(value[len(_ENCRYPTED) : _HEAD], "big")
    return None


def bare(value: bytes) -> bytes:
    """Marked bytes that need no key."""
    return value[len(_AS_SENT) :] if value.startswith(_AS_SENT) else Unreadable("bytes-damaged")


def decrypt(value: bytes, cipher: AESGCM) -> bytes:
    """Marked bytes that need a key, with it; Unreadable when they are not what was written."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - loaded only where something is encrypted

    head, nonce = value[:_HEAD], value[_HEAD : _HEAD + _NONCE]
    try:
        return cipher.decrypt(nonce, value[_HEAD + _NONCE :], head)
    except InvalidTag:
        return Unreadable("bytes-damaged")
