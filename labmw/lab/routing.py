"""Which analyzer is to do a test? By test, urgency and load, and another one only where it was found comparable. Pure.

A test without a route goes to every analyzer that knows it, as IHE LAW has it (the first result ends it for the others). A route names the
analyzers that may do a test, the one that is preferred first. Another than the preferred one is given it only when a comparison is on record
and has not run out; with one analyzer, or without a comparison, the test is pinned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

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

    def asks(self, link: str, order: Any, made: Sequence[Any]) -> bool:
        """Whether an analyzer that asks is given an order; `made` are the AWOS of the order on every analyzer.

        What another analyzer has is not given twice, unless that one cannot be reached and a comparison holds. By load, the first that asks
        gets it: where the tube is put is the laboratory's choice, or its track's.
        """
        route = self.routes.get(order.loinc)
        if route is None:
            return True
        may = route.preferred(order.priority)
        if link not in may:
            return False
        if any(one.link == link and one.state in _HOLDS for one in made):
            return True  # it has it already
        elsewhere = [one.link for one in made if one.link != link and one.link in may and one.state in _HOLDS]
        free = route.interchangeable(self.today())
        if elsewhere:
            return free and not any(self.available(one) for one in elsewhere)
        if may[0] == link:
            return True
        if not free:
            return False
        before = may[: may.index(link)]
        return route.by == "load" or not any(self.available(one) for one in before)

    def pushed(self, order: Any, made: Sequence[Any], links: Sequence[str], load: Mapping[str, int]) -> frozenset[str]:
        """Which of these analyzers are told of an order unasked; `load`: how many tests each has to do."""
        route = self.routes.get(order.loinc)
        if route is None:
            return frozenset(links)
        may = [one for one in route.preferred(order.priority) if one in links]
        may = [one for one in may if self.asks(one, order, made) or route.by == "load"]
        if not may:
            return frozenset()
        if any(one.state in _HOLDS and one.link in route.links + route.urgent for one in made):
            return frozenset()
        if route.by == "load" and route.interchangeable(self.today()):
            up = [one for one in may if self.available(one)] or may
            return frozenset({min(up, key=lambda one: (load.get(one, 0), up.index(one)))})
        first = route.preferred(order.priority)[0]
        return frozenset({one for one in may[:1] if one == first or self.asks(one, order, made)})


EVERYWHERE = Routing()
"""No route: every analyzer that knows a test is given it."""
