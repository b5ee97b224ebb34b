"""Who serves this store? One labmw at a time: an advisory lock on a file beside it, which the kernel drops when its holder dies.

In a PostgreSQL database it is the server's lock (labmw.store.postgresql.lock).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labmw.errors import StoreError
from labmw.store.address import is_postgresql, server_of, sqlite_file

LOOK = 0.2
"""Seconds to wait for a labmw that runs: it may be about to end."""

LOOKERS = 10.0
"""Seconds to wait for whoever has not said who it is: somebody who only looks (`labmw status`) has the lock for an instant, but on a
busy machine an instant may be long, and it must not keep the daemon from starting."""

ORPHANS = 40.0
"""Seconds to wait for the children of a labmw that was killed: they stop by themselves within 30 (labmw.watch.lifeline)."""


def lock_file(url: str) -> Path:
    """The file that carries the lock of a store."""
    file = sqlite_file(url)
    return file.with_name(file.name + ".lock")


@contextmanager
def hold(url: str, patience: float = ORPHANS) -> Iterator[tuple[int, ...]]:
    """Serve this store for as long as the block lasts; raises StoreError when another process already does.

    A PostgreSQL database is held by the connection that writes it (labmw.store.postgresql.writer): here it is only waited for.

    Gives the descriptors to hand to a child. A child that inherits the one of the lock holds the store with its parent, and after it: where the one that took the
    lock was killed, this waits up to `patience` seconds for what it left to finish.
    The file stays: removing it would let a third process lock a new file of the same name while the second holds the old one.
    """
    if is_postgresql(url):
        from labmw.store.aside import ask  # noqa: PLC0415 - asyncpg is loaded only where a URL asks for it
        from labmw.store.postgresql.lock import wait_until_free  # noqa: PLC0415

        ask(wait_until_free(server_of(url), patience))
        yield ()
        return
    path = lock_file(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be opened ({error}); give labmw's user permission on its folder",
            "store-error-lock-unopened",
            path=path,
            said=error,
        ) from error
    try:
        if not _wait(descriptor, path, patience):
            raise StoreError(
                f"another labmw{_named(descriptor)} already serves the store {sqlite_file(url)}; "
                "stop it first, or give this one a store.url of its own",
                "store-error-served",
                process=_process(descriptor) or "?",
                store=sqlite_file(url),
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield (descriptor,)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(url: str) -> int | None:
    """The process that serves this store (0 when it is not told), or None; makes no file."""
    if is_postgresql(url):
        from labmw.store.aside import ask  # noqa: PLC0415
        from labmw.store.postgresql.lock import holder as holder_of_database  # noqa: PLC0415

        return ask(holder_of_database(server_of(url)))
    path = lock_file(url)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be looked at ({error}); give labmw's user permission on it",
            "store-error-lock-unlooked",
            path=path,
            said=error,
        ) from error
    try:
        return None if _take(descriptor, path, shared=True) else _process(descriptor)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, patience: float) -> bool:
    """Try for as long as whoever has it may still let go: orphans, somebody who only looks, a labmw that ends."""
    began = time.monotonic()
    while not _take(descriptor, path):
        waited = time.monotonic() - began
        process = _process(descriptor)
        if waited > (min(patience, LOOKERS) if not process else patience if _is_gone(process) else LOOK):
            return False
        time.sleep(0.01 if waited < LOOK else 0.1)
    return True


def _is_gone(process: int) -> bool:
    """Whether the process that took the lock has ended, so that only its children can still hold it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _take(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise StoreError(
            f"the lock {path} cannot be taken ({error}); keep the store on a local disk",
            "store-error-lock-untaken",
            path=path,
            said=error,
        ) from error
    return True


def _process(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0


def _named(descriptor: int) -> str:
    process = _process(descriptor)
    return f" (process {process})" if process else ""
