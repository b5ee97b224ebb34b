"""Which analyzer is to do a test? By test, urgency and load, and another one only where it was found comparable. Pure.

A test without a route goes to every analyzer that knows it, as IHE LAW has it (the first result ends it for the others). A route names the
analyzers that may do a test, the one that is preferred first. Another than the preferred one is given it only when a comparison is on record
and has not run out; with one analyzer, or without a comparison, the test is pinned. Quality control that failed takes an analyzer out for that
test, whatever the route says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from labmw.lab.fitness import UNCONTROLLED, Fitness

URGENT = frozenset({"S", "A"})
_HOLDS = frozenset({"broadcast", "accepted", "in-process"})  # states of an AWOS that the analyzer has, or may have


@dataclass(frozen=True, slots=True)
class Comparison:
    """What says that these analyzers give the same: the document, who signed it, and until when it holds (None: no end)."""

    document: str
    by: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where some tests are done. `urgent`: where stat and as soon as possible go instead, in order of preference."""

    links: tuple[str, ...]
    urgent: tuple[str, ...] = ()
    by: Literal["preference", "load"] = "preference"
    comparison: Comparison | None = None

    def preferred(self, priority: str) -> tuple[str, ...]:
        """The analyzers for an order of this urgency, the preferred one first; those for urgent ones are followed by the others."""
        if priority not in URGENT or not self.urgent:
            return self.links
        return (*self.urgent, *(one for one in self.links if one not in self.urgent))

    def interchangeable(self, today: date) -> bool:
        """Whether another analyzer than the preferred one may do it."""
        found = self.comparison
        return found is not None and (found.until is None or today <= found.until)


@dataclass(frozen=True, slots=True)
class Routing:
    """Every route, by LOINC code. `available`: whether an analyzer can be reached; `today` decides whether a comparison still holds."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    available: Callable[[str], bool] = lambda link: True
    today: Callable[[], date] = date.today

    @property
    def compared(self) -> frozenset[str]:
        """The tests that another analyzer than the preferred one may do today."""
        today = self.today()
        return frozenset(test for test, route in self.routes.items() if route.interchangeable(today))

    def asks(self, link: str, order: Any, made: Sequence[Any], fit: Fitness = UNCONTROLLED) -> bool:
        """Whether an analyzer that asks is given an order; `made` are the AWOS of the order on every analyzer.

        None whose quality control of the test failed is. What another analyzer has is not given twice, unless that one cannot be reached, or is
        out by its quality control, and a comparison holds. By load, the first that asks gets it: where the tube is put is the laboratory's
        choice, or its track's.
        """
        if fit.out(link, order.loinc):
            return False
        route = self.routes.get(order.loinc)
        if route is None:
            return True
        may = route.preferred(order.priority)
        if link not in may:
            return False
        if any(one.link == link and one.state in _HOLDS for one in made):
            return True  # it has it already
        elsewhere = [one.link for one in made if one.link != link and one.link in may and one.state in _HOLDS]
        stands_in = route.interchangeable(self.today()) and fit.stands_in(link, order.loinc)
        if elsewhere:
            return stands_in and not any(self._able(one, order, fit) for one in elsewhere)
        if may[0] == link:
            return True
        if not stands_in:
            return False
        before = may[: may.index(link)]
        return route.by == "load" or not any(self._able(one, order, fit) for one in before)

    def pushed(
        self,
        order: Any,
        made: Sequence[Any],
        links: Sequence[str],
        load: Mapping[str, int],
        fit: Fitness = UNCONTROLLED,
    ) -> frozenset[str]:
        """Which of these analyzers are told of an order unasked; `load`: how many tests each has to do."""
        links = [one for one in links if not fit.out(one, order.loinc)]
        route = self.routes.get(order.loinc)
        if route is None:
            return frozenset(links)
        may = [one for one in route.preferred(order.priority) if one in links]
        if any(self._busy(one, order, fit, route) for one in made if one.link in route.links + route.urgent):
            return frozenset()
        first = route.preferred(order.priority)[0]
        if route.by == "load" and route.interchangeable(self.today()):
            may = [one for one in may if one == first or fit.stands_in(one, order.loinc)]
            up = [one for one in may if self.available(one)] or may
            return frozenset({min(up, key=lambda one: (load.get(one, 0), up.index(one)))}) if up else frozenset()
        may = [one for one in may if self.asks(one, order, made, fit)]
        return frozenset(may[:1])

    def instead(self, link: str, order: Any, made: Sequence[Any], fit: Fitness) -> str:
        """Where a test is done whose quality control failed here: an analyzer that has it or would be given it; "" for nowhere."""
        has = [
            one.link for one in made if one.link != link and one.state in _HOLDS and not fit.out(one.link, order.loinc)
        ]
        route = self.routes.get(order.loinc)
        able = [one for one in route.preferred(order.priority) if one != link] if route is not None else []
        return next((one for one in (*has, *able) if one in has or self.asks(one, order, made, fit)), "")

    def _able(self, link: str, order: Any, fit: Fitness) -> bool:
        return self.available(link) and not fit.out(link, order.loinc)

    def _busy(self, one: Any, order: Any, fit: Fitness, route: Route) -> bool:
        """Whether an analyzer has the test, so that no other is told of it: what is not begun where quality control failed may move."""
        if one.state not in _HOLDS:
            return False
        moves = fit.out(one.link, order.loinc) and one.state != "in-process" and route.interchangeable(self.today())
        return not moves


EVERYWHERE = Routing()
"""No route: every analyzer that knows a test is given it."""
