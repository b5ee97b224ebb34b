"""What does the store say of this moment? Read-only and all at once, so that `labmw status` also answers when the daemon is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Text, bindparam, literal, select

from labmw.config import Config
from labmw.store import Row, Step, Transaction, open_reader, schema, statements
from labmw.store.lock import holder
from labmw.store.statements import analyzers, average, control, interlab, lookback, recalls, stops, tasks, worklist

_TUBES = (
    select(schema.result.c.message, schema.result.c.specimen)
    .join(schema.quarantine, schema.quarantine.c.message == schema.result.c.message)
    .where(
        schema.quarantine.c.site == bindparam("site", type_=Text()),
        schema.quarantine.c.state == literal("open", Text(), literal_execute=True),  # so that the partial index is used
        schema.quarantine.c.result.is_(None),
        schema.result.c.specimen != "",
    )
    .distinct()
    .order_by(schema.result.c.message, schema.result.c.specimen)
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of the store, and who serves it (a process number, 0 when it is not told, None when nobody)."""

    served_by: int | None
    links: tuple[Row, ...]
    outbox: tuple[Row, ...]
    work: tuple[Row, ...]
    held: tuple[Row, ...]
    quarantine: tuple[Row, ...]
    tubes: Mapping[int, tuple[str, ...]]  # of messages that are in quarantine as a whole
    alerts: tuple[Row, ...]
    to_present: tuple[Row, ...] = ()  # tubes that an analyzer asked about in vain
    tasks: tuple[Row, ...] = ()  # what a person has to do by hand
    controls: tuple[Row, ...] = ()  # how quality control stands
    averages: tuple[Row, ...] = ()  # of patients
    derogations: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()  # analyzers that nobody has accepted yet
    stops: tuple[Row, ...] = ()  # what does not leave by itself just now
    calls: tuple[Row, ...] = ()  # what prescribers have still to be told
    recalls: tuple[Row, ...] = ()  # what has left and is in doubt
    sub_orders: tuple[Row, ...] = ()  # open, with other laboratories and for them
    lookbacks: tuple[Row, ...] = ()  # searches with lines that nobody has dealt with


def take(config: Config) -> Snapshot:
    """Look once; raises StoreError when the store cannot be read."""
    with open_reader(config.store.url, key_file=config.store.key_file) as reader:
        served_by = holder(config.store.url)
        return reader.look(lambda: _look(config.site.id, served_by))


def _look(site: str, served_by: int | None) -> Transaction[Snapshot]:
    tubes: dict[int, tuple[str, ...]] = {}
    for row in (yield Step(_TUBES, {"site": site})):
        tubes[row.message] = (*tubes.get(row.message, ()), row.specimen)
    return Snapshot(
        served_by,
        tubes=tubes,
        links=tuple((yield statements.link_states(site))),
        outbox=tuple((yield statements.outbox_waiting(site))),
        work=tuple((yield statements.work_waiting(site))),
        held=tuple((yield statements.results_held(site))),
        quarantine=tuple((yield statements.quarantine_open(site))),
        alerts=tuple((yield statements.alerts_open(site))),
        to_present=tuple((yield worklist.to_present(site))),
        tasks=tuple((yield tasks.open_tasks(site))),
        controls=tuple((yield control.qc_states(site))),
        averages=tuple((yield average.averages(site))),
        derogations=tuple((yield control.derogations_open(site))),
        changed=tuple((yield analyzers.waiting(site))),
        stops=tuple((yield stops.stops_open(site))),
        calls=tuple((yield recalls.calls_open(site))),
        recalls=tuple((yield recalls.recalls_open(site))),
        sub_orders=tuple((yield interlab.sub_orders_open(site))),
        lookbacks=tuple((yield lookback.lookbacks(site, every=False))),
    )
