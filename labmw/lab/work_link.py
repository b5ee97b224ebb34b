"""What does the worklist need to know of an analyzer that is told what to do, whatever protocol it speaks?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from labmw.driver import Driver, Hl7Driver
from labmw.driver.order_writing import code_for, dialect_of
from labmw.driver.ordering import OrderDialect
from labmw.errors import DriverError
from labmw.lab.routing import EVERYWHERE, Routing
from protocols.astm.tolerance import STRICT, Tolerances
from protocols.hl7.asking import AskingDialect
from protocols.hl7.datatypes import Code


class WorkLink(Protocol):
    """One analyzer. `push`: it keeps a worklist, and is told of new orders without being asked."""

    @property
    def name(self) -> str:
        """The link's name."""
        ...

    @property
    def push(self) -> bool:
        """Whether it is told unasked."""
        ...

    @property
    def routing(self) -> Routing:
        """Which analyzer is to do which test."""
        ...

    @property
    def loses_worklist(self) -> bool:
        """What it has taken, and asks for again, is lost: the same work goes out under a new identity."""
        ...

    @property
    def asks_for_what_it_lacks(self) -> bool:
        """What it has taken, and asks for again, is given again under the same identity."""
        ...

    def code_of(self, order: Any) -> Code | None:
        """What the analyzer calls the test of an order; None when the order is not for it."""
        ...

    def dilutes(self, factor: str) -> bool:
        """Whether it can be told to measure a specimen diluted 1 to so much."""
        ...


@dataclass(frozen=True, slots=True)
class AstmLink:
    """An analyzer that speaks LIS02-A2, which knows no identity of an order: specimen and test are all that it is told.

    `only`: LOINC codes ordered from this analyzer; empty: all that its driver knows. `patients`: names go along with orders.
    """

    name: str
    driver: Driver
    zone: ZoneInfo
    push: bool = False
    patients: bool = True
    only: frozenset[str] = frozenset()
    host: str = "LABMW"
    encoding: str = "latin-1"
    tolerances: Tolerances = STRICT
    routing: Routing = EVERYWHERE
    loses_worklist: bool = field(default=False, init=False)
    asks_for_what_it_lacks: bool = field(default=True, init=False)

    @property
    def dialect(self) -> OrderDialect:
        """How it is told; raises DriverError where its driver does not say."""
        return dialect_of(self.driver)

    def code_of(self, order: Any) -> Code | None:
        """What the analyzer calls the test of an order; None when the order is not for it."""
        if self.only and order.loinc not in self.only:
            return None
        code = code_for(self.driver, order.loinc)
        return Code(code, order.test_name or code, "L") if code else None

    def dilutes(self, factor: str) -> bool:
        """Whether its dialect has a word for this dilution."""
        return self.driver.orders is not None and factor in self.driver.orders.dilutions


@dataclass(frozen=True, slots=True)
class Hl7Link:
    """An analyzer that asks for its work in a dialect of its own (`protocols.hl7.asking`), which knows no identity of an order.

    It is told what it asks for and nothing else: not new orders, and not that one is taken back.
    """

    name: str
    driver: Hl7Driver
    dialect: AskingDialect
    zone: ZoneInfo
    patients: bool = True
    only: frozenset[str] = frozenset()
    routing: Routing = EVERYWHERE
    push: bool = field(default=False, init=False)
    loses_worklist: bool = field(default=False, init=False)
    asks_for_what_it_lacks: bool = field(default=True, init=False)

    def code_of(self, order: Any) -> Code | None:
        """What the analyzer calls the test of an order; None when the order is not for it."""
        if self.only and order.loinc not in self.only:
            return None
        known = self.driver.order_codes
        if known is not None:
            code = known.get(order.loinc, "")
        else:
            tests = self.driver.tests.items()
            code = next((code for code, test in tests if test.loinc == order.loinc and not test.index), "")
        return Code(code, order.test_name or code, "L") if code else None

    def dilutes(self, factor: str) -> bool:
        """No dialect has a word for a dilution."""
        return False


def asking_of(driver: Driver) -> AskingDialect:
    """How a driver's family asks in HL7; raises DriverError where it does not say."""
    if not isinstance(driver, Hl7Driver) or driver.asks is None:
        raise DriverError(f"driver {driver.name!r} does not say how its queries are answered; leave link.work out")
    return driver.asks
