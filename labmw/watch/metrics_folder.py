"""Where do the processes leave their counts for the web process? In a folder beside the store or the configuration, emptied at each start."""

from __future__ import annotations

import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""What prometheus_client looks at when it is first imported, so it must be set before a child starts."""


def prepare(beside: Path) -> Path:
    """Make the folder beside a SQLite file, or beside the configuration of a store that is none, or empty it; a temporary one where that cannot be."""
    folder = beside.with_name(f"{beside.name}.metrics").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.db"):  # counts of the last run; nothing else here is ours to remove
            file.unlink()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="labmw-metrics-"))
    return folder


def forget(folder: Path, process: int) -> None:
    """Remove the gauges of a process that has ended: what it last said of a connection is no longer so. Its counters stay."""
    for file in folder.glob(f"gauge_*_{process}.db"):
        file.unlink(missing_ok=True)
