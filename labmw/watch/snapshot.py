"""What does the store say of this moment? Read-only and all at once, so that `labmw status` also answers when the daemon is down."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.config import Config
from labmw.store import Reader, Row, Transaction, statements
from labmw.store.lock import holder


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of the store, and who serves it (a process number, 0 when it is not told, None when nobody)."""

    served_by: int | None
    links: tuple[Row, ...]
    outbox: tuple[Row, ...]
    work: tuple[Row, ...]
    held: tuple[Row, ...]
    quarantine: tuple[Row, ...]
    alerts: tuple[Row, ...]


def take(config: Config) -> Snapshot:
    """Look once; raises StoreError when the store cannot be read."""
    with Reader(config.store.url) as reader:
        served_by = holder(config.store.url)
        return reader.view(_look(config.site.id, served_by))


def _look(site: str, served_by: int | None) -> Transaction[Snapshot]:
    return Snapshot(
        served_by,
        links=tuple((yield statements.link_states(site))),
        outbox=tuple((yield statements.outbox_waiting(site))),
        work=tuple((yield statements.work_waiting(site))),
        held=tuple((yield statements.results_held(site))),
        quarantine=tuple((yield statements.quarantine_open(site))),
        alerts=tuple((yield statements.alerts_open(site))),
    )
