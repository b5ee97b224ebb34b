"""Where are the store keys, and may this file be trusted with them? One file that only labmw's user can read, the newest key last.

A store key opens every key of a message. It is never in the store, in a backup of it, or in a log.

Where the service manager hands over a credential of the same name (systemd's LoadCredential=, systemd.exec(5)), that copy is read instead: the file itself
then belongs to root alone. The copy is never written.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from labmw.errors import StoreError

SIZE: Final = 32  # bytes: AES-256
_MOST: Final = 65536  # bytes of a key file; a rotation leaves two keys in it for as long as it lasts

_HEAD: Final = """\
# Store keys of labmw. Whoever has this file and the store can read what analyzers have sent; without it nobody can, ever again.
# Keep a copy apart from the store and from its backups, and give it to nobody who has those. `labmw store key rotate` changes it.
"""


@dataclass(frozen=True, slots=True)
class StoreKey:
    """One key: `name` is made from the secret, so that the store can say which it needs without knowing it."""

    name: str
    made_at: str
    secret: bytes = field(repr=False)


def fresh(made_at: str) -> StoreKey:
    """A new key."""
    secret = secrets.token_bytes(SIZE)
    return StoreKey(name_of(secret), made_at, secret)


def name_of(secret: bytes) -> str:
    """16 hexadecimal digits that say which key this is, and nothing of what it is."""
    return hashlib.sha256(b"labmw store key\n" + secret).hexdigest()[:16]


def read(file: Path) -> tuple[StoreKey, ...]:
    """The keys of a file, the newest last; raises StoreError, with the remedy, for a file that is not there, not sound or open to others."""
    given = handed_over(file)
    others = 0o037 if given else 0o077  # an access list for labmw's user shows as a group that may read
    file = given or file
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(_MOST + 1)
    except FileNotFoundError as error:
        raise StoreError(
            f"there is no key file at {file}; put it there from where its copy is kept, or make the first one with "
            "`labmw store key new`"
        ) from error
    except OSError as error:
        raise StoreError(f"the key file {file} cannot be read ({error}); give labmw's user permission on it") from error
    if mode & others:
        raise StoreError(
            f"the key file {file} can be read by others than its owner (mode {mode & 0o777:o}); run chmod 600 {file}"
        )
    try:
        keys = _keys(content)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        # The words of the problem could hold a secret: they are not repeated.
        raise StoreError(
            f"the key file {file} is damaged ({type(error).__name__}); put its copy in its place"
        ) from None
    if not keys:
        raise StoreError(f"the key file {file} holds no key; put its copy in its place")
    return keys


def handed_over(file: Path) -> Path | None:
    """The copy of a key file that the service manager has handed over; None where it has not."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    copy = Path(folder) / file.name if folder else None
    return copy if copy is not None and copy.exists() else None


def write(file: Path, keys: Sequence[StoreKey], *, new: bool = False) -> None:
    """Replace the file as a whole, readable by its owner alone; `new`: it must not exist. Raises StoreError."""
    if (copy := handed_over(file)) is not None:
        raise StoreError(
            f"the key file was handed over by the service manager ({copy}) and cannot be changed from here; stop labmw and "
            "call the command as the user to whom the key file belongs"
        )
    if new and file.exists():
        raise StoreError(f"{file} exists already; a key file is never overwritten: `labmw store key rotate` changes it")
    partial = file.with_name(file.name + ".partial")
    text = _HEAD + "".join(
        f'\n[[key]]\nname = "{one.name}"\nmade_at = "{one.made_at}"\nsecret = "{base64.b64encode(one.secret).decode()}"\n'
        for one in keys
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"the key file {file} cannot be written ({error}); check its folder") from error


def _keys(content: bytes) -> tuple[StoreKey, ...]:
    if len(content) > _MOST:
        raise ValueError("too long")
    found = []
    for one in tomllib.loads(content.decode("utf-8"))["key"]:
        secret = base64.b64decode(one["secret"], validate=True)
        if len(secret) != SIZE or name_of(secret) != one["name"]:
            raise ValueError("not its name")
        found.append(StoreKey(str(one["name"]), str(one["made_at"]), secret))
    return tuple(found)
