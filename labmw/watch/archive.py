"""Can the archive be used, and is it known to be whole? What `labmw check` and `labmw status` say of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from labmw.clock import read_stamp
from labmw.config import Config
from labmw.lab.archive_check import LOOKED, WHERE
from labmw.store import open_reader, revision_of
from labmw.store.archive.folder import ArchiveFolder
from labmw.store.schema import REVISION
from labmw.store.statements import archive as stored
from labmw.store.statements.archive import READABLE
from labmw.store.statements.audit import audit_about
from labmw.store.transaction import Row, Transaction
from labmw.watch.finding import Finding, error, good, warning

OFTEN: Final = timedelta(days=365)
"""So long ago the archive may have been read through: bytes that nobody reads rot without being noticed."""
_KEY: Final = "retention.archive_folder"


@dataclass(frozen=True, slots=True)
class _Known:
    files: int  # that hold what the store does not
    begun: int  # removals that have no end
    looked: Row | None  # when it was last read through, and with which result


def archive(config: Config, now: datetime) -> Iterator[Finding]:
    """Say whether its folder can be used and when it was read through; nothing where there is no archive. Raises StoreError when the store cannot be read."""
    known, folder = _known(config), config.retention.archive_folder
    if not folder:
        if known.files:
            yield error(_KEY, "archive-folder-unset", files=known.files)
        return
    if not Path(folder).is_dir():
        yield error(_KEY, "archive-folder-missing", folder=folder)
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield error(_KEY, "archive-folder-shut", folder=folder)
        return
    if known.begun and not ArchiveFolder(Path(folder)).in_use():
        yield warning(_KEY, "archive-begun", count=known.begun)
    yield _read_through(known, folder, now)


def _read_through(known: _Known, folder: str, now: datetime) -> Finding:
    if not known.files:
        return good(_KEY, "archive-empty", folder=folder)
    if known.looked is None:
        return warning(_KEY, "archive-never-verified", folder=folder, files=known.files)
    day, faults = known.looked.at[:10], json.loads(known.looked.detail).get("faults", 0)
    if faults:
        return error(_KEY, "archive-found-faulty", folder=folder, day=day, faults=faults)
    if read_stamp(known.looked.at) < now - OFTEN:
        return warning(_KEY, "archive-verified-long-ago", folder=folder, day=day)
    return good(_KEY, "archive-good", folder=folder, files=known.files, day=day)


def _known(config: Config) -> _Known:
    if revision_of(config.store.url) != REVISION:
        return _Known(0, 0, None)
    with open_reader(config.store.url) as reader:
        return reader.look(lambda: _look(config.site.id))


def _look(site: str) -> Transaction[_Known]:
    begun = yield stored.writing(site)
    pieces = yield stored.pieces(site)
    looked = [row for row in (yield audit_about(site, [WHERE])) if row.what == LOOKED]
    return _Known(
        files=sum(one.state in READABLE for one in pieces),
        begun=len(begun),
        looked=looked[-1] if looked else None,
    )
