"""May this analyzer release this test now? Quality control, calibration, reagent and the moving average of patients.

What is not known of them is unknown, never in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from labmw.model import Module
from rules.checks.finding import About, Finding, Limits
from rules.checks.options import read_span
from rules.strict import Table
from rules.subject import Facts, Subject

NOTHING = Module()
NO_TIME = timedelta(0)


def _at(one: Subject) -> datetime | None:
    return one.case.result.completed or one.case.now


def _known(one: Subject) -> tuple[Module, Facts]:
    module = one.case.module or NOTHING
    return module, (("value", one.shown), ("module", module.name or "-"))


def _unknown(facts: Facts, what: str, why: str = "not known") -> Finding:
    return Finding(None, "gate-unknown", (*facts, ("what", what)), f"{what} {why}")


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.4g}"


@dataclass(frozen=True, slots=True)
class QcCheck:
    """Quality control of this test on this module: in control, and not older than `max_age`."""

    max_age: timedelta
    name: str = "qc"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "module", "hours", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when it failed or is overdue; a warning (1-2s) stops nothing."""
        module, facts = _known(one)
        if module.qc == "failed":
            return Finding(True, "qc-failed", facts, f"qc failed at {module.qc_at}")
        at = _at(one)
        if module.qc not in ("ok", "warning") or module.qc_at is None or at is None:
            return _unknown(facts, "qc")
        age = at - module.qc_at
        if age < NO_TIME:
            return _unknown(facts, "qc", "is later than the measurement")
        detail = f"qc {module.qc}, age > limit [{_hours(age)} h vs {_hours(self.max_age)} h] -> "
        if age > self.max_age:
            told = (*facts, ("hours", _hours(age)), ("limit", _hours(self.max_age)))
            return Finding(True, "qc-overdue", told, f"{detail}true")
        return Finding(False, "qc-overdue", (), f"{detail}false")


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """The calibration is not older than `max_age`."""

    max_age: timedelta
    name: str = "calibration"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "module", "hours", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when it is too old."""
        module, facts = _known(one)
        at = _at(one)
        if module.calibrated is None or at is None:
            return _unknown(facts, "calibration")
        age = at - module.calibrated
        if age < NO_TIME:
            return _unknown(facts, "calibration", "is later than the measurement")
        truth = age > self.max_age
        detail = f"calibration age > limit [{_hours(age)} h vs {_hours(self.max_age)} h] -> {str(truth).lower()}"
        told = (*facts, ("hours", _hours(age)), ("limit", _hours(self.max_age)))
        return Finding(truth, "calibration-old", told if truth else (), detail)


@dataclass(frozen=True, slots=True)
class ReagentCheck:
    """The reagent is neither expired nor on board too long, and its lot was accepted."""

    on_board: timedelta
    name: str = "reagent"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "module", "lot", "why"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire at the first of the three that is so; unknown when one is not known."""
        module, facts = _known(one)
        at = _at(one)
        told = (*facts, ("lot", module.reagent_lot or "-"))
        if module.reagent_accepted is False:
            return Finding(True, "reagent", (*told, ("why", "lot")), "lot not accepted")
        if at is None:
            return _unknown(facts, "reagent")
        if module.reagent_expires is not None and at > module.reagent_expires:
            return Finding(True, "reagent", (*told, ("why", "expiry")), f"expired {module.reagent_expires}")
        if module.reagent_opened is not None and at - module.reagent_opened > self.on_board:
            return Finding(True, "reagent", (*told, ("why", "on-board")), f"opened {module.reagent_opened}")
        unsaid = module.reagent_accepted is None or module.reagent_expires is None or module.reagent_opened is None
        if unsaid or module.reagent_partly:
            return _unknown(facts, "reagent")
        return Finding(False, "reagent", (), f"lot {module.reagent_lot} in order")


@dataclass(frozen=True, slots=True)
class AverageCheck:
    """The moving average of patients for this test raises no alarm."""

    name: str = "average"
    numeric: bool = False
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "module"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire while it does."""
        module, facts = _known(one)
        if module.average not in ("ok", "alarm"):
            return _unknown(facts, "average")
        truth = module.average == "alarm"
        return Finding(truth, "average-alarm", facts if truth else (), f"moving average {module.average}")


def read_qc(table: Table, about: About) -> QcCheck:
    """Read the keys of a QC gate."""
    return QcCheck(read_span(table, "max_age"))


def read_calibration(table: Table, about: About) -> CalibrationCheck:
    """Read the keys of a calibration gate."""
    return CalibrationCheck(read_span(table, "max_age"))


def read_reagent(table: Table, about: About) -> ReagentCheck:
    """Read the keys of a reagent gate."""
    return ReagentCheck(read_span(table, "on_board"))
