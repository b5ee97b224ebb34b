"""Has anything changed about the rule packs since they were read? Files of packs and signatures, and the hour from which a signature holds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from labmw.config import Config
from labmw.errors import PackError
from labmw.watch.inspection import in_force
from rules.pack import SHIPPED
from rules.signature import read_signatures

Mark = tuple[tuple[str, int, int], ...]


def mark(config: Config) -> Mark:
    """What the files are like now: name, size and time of each. Parents that packs extend are files of packs too, and so is the catalogue."""
    folders = [Path(pack) if "/" in pack else SHIPPED / pack for pack in (*config.rules.packs, *config.rules.shadow)]
    places = {parent for folder in folders for parent in (folder, folder.parent)}
    files = {
        file
        for place in places
        for pattern in ("*.toml", "*.csv", "*/pack.toml", "*/*.csv")
        for file in place.glob(pattern)
    }
    files |= set(in_force(config).glob("*.json"))
    if config.mapping.folder:  # its catalogue says which tests never leave without a person
        files |= {file for pattern in ("*.toml", "*.csv") for file in Path(config.mapping.folder).glob(pattern)}
        files |= {Path(config.mapping.signatures)} if config.mapping.signatures else set()
    if config.rules.signatures:
        files.add(Path(config.rules.signatures))
    found = []
    for file in sorted(files):
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((str(file), status.st_size, status.st_mtime_ns))
    return tuple(found)


def falls_due(config: Config, since: datetime, until: datetime) -> bool:
    """Whether a signature begins to hold between two moments."""
    if not config.rules.signatures:
        return False
    try:
        signatures = read_signatures(Path(config.rules.signatures))
    except PackError:
        return False  # the mark tells that it changed; what is wrong with it is said then
    return any(one.effective is not None and since < one.effective <= until for one in signatures)
