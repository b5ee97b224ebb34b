"""Which figures come from the store and not from a process? What waits, since when, and what needs a person; never a patient's data."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from labmw.clock import Clock, read_stamp, stamp
from labmw.errors import StoreError
from labmw.store import Transaction, open_reader, statements
from labmw.store.statements import interlab

log = structlog.get_logger("labmw.console")

FRESH = 5.0  # seconds for which an answer is good: a storm of scrapes is one question to the store


@dataclass(frozen=True, slots=True)
class Figures:
    """What one look at the store found."""

    outbox: tuple[tuple[str, str, int, str], ...]  # destination, state, count, oldest
    results: tuple[tuple[str, int], ...]
    quarantine: tuple[tuple[str, int], ...]
    alerts: tuple[tuple[str, int], ...]
    work: tuple[tuple[str, int, str], ...]
    sub_orders: tuple[tuple[str, str, int, int], ...] = ()  # partner, state, count, late


def figures(site: str, at: str) -> Transaction[Figures]:
    """Ask for everything at one and the same moment."""
    outbox = yield statements.outbox_waiting(site)
    results = yield statements.results_by_state(site)
    quarantine = yield statements.quarantine_by_reason(site)
    alerts = yield statements.alerts_open(site)
    work = yield statements.work_waiting(site)
    sub_orders = yield interlab.open_by_partner(site, at)
    return Figures(  # by place: a tuple has a method named count
        tuple((to, state, count, oldest) for to, state, count, oldest, _ in outbox),
        tuple((state, count) for state, count in results),
        tuple((reason, count) for reason, count, _ in quarantine),
        tuple(Counter(row.kind for row in alerts).items()),
        tuple((kind, count, oldest) for kind, count, oldest in work),
        tuple((partner, state, count, late) for partner, state, count, late in sub_orders),
    )


@dataclass(eq=False, slots=True)
class StoreCollector(Collector):
    """Reads the store, read-only, when somebody asks for the metrics."""

    url: str
    site: str
    destinations: tuple[str, ...]
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: Figures | None = None
    _until: float = 0.0

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the figures; when the store cannot be read, say that and nothing else."""
        readable = GaugeMetricFamily("labmw_store_readable", "1 when the store could be read just now")
        found = self._figures()
        readable.add_metric([], 0 if found is None else 1)
        yield readable
        if found is not None:
            yield from _families(found, self.destinations, self.clock.now())

    def _figures(self) -> Figures | None:
        with self._lock:
            if self.clock.monotonic() >= self._until:
                at = stamp(self.clock.now())
                try:
                    with open_reader(self.url) as reader:
                        self._known = reader.look(lambda: figures(self.site, at))
                except StoreError as error:
                    log.error("the store cannot be read for the metrics", why=str(error))
                    self._known = None
                self._until = self.clock.monotonic() + FRESH
            return self._known


def _families(found: Figures, destinations: tuple[str, ...], now: datetime) -> Iterable[GaugeMetricFamily]:
    depth = GaugeMetricFamily("labmw_outbox_depth", "Messages not yet delivered", labels=["destination", "state"])
    age = GaugeMetricFamily(
        "labmw_outbox_oldest_seconds", "Age of the oldest message that still waits", labels=["destination"]
    )
    waiting = {(to, state): count for to, state, count, _ in found.outbox}
    for destination in sorted({*destinations, *(to for to, *_ in found.outbox)}):
        for state in ("waiting", "claimed", "dead"):
            depth.add_metric([destination, state], waiting.get((destination, state), 0))
        oldest = [since for to, state, _, since in found.outbox if to == destination and state != "dead"]
        age.add_metric([destination], max((_age(since, now) for since in oldest), default=0.0))
    yield depth
    yield age
    yield _counted("labmw_results_stored", "Results in the store, by state", "state", found.results)
    yield _counted("labmw_quarantine_open", "Quarantine entries that wait for a person", "reason", found.quarantine)
    yield _counted("labmw_alerts_open", "Alerts that nobody has closed", "kind", found.alerts)
    yield _counted("labmw_work_waiting", "Messages that wait for a step", "kind", [one[:2] for one in found.work])

    under_way = GaugeMetricFamily(
        "labmw_sub_orders_open", "Sub-orders that have not ended", labels=["partner", "state"]
    )
    late: Counter[str] = Counter()
    for partner, state, count, overdue in found.sub_orders:
        under_way.add_metric([partner, state], count)
        late[partner] += overdue
    yield under_way
    yield _counted("labmw_sub_orders_late", "Sub-orders whose results are overdue", "partner", late.items())


def _counted(name: str, what: str, label: str, counts: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, count in counts:
        family.add_metric([value], count)
    return family


def _age(since: str, now: datetime) -> float:
    return max(0.0, (now - read_stamp(since)).total_seconds())
