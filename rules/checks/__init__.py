"""Which checks may a rule name? The closed table of primitives; each is a frozen value that judges one subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.checks.bounds import ABSURD, CRITICAL, LIMIT
from rules.checks.delta import read_delta
from rules.checks.dilution import read_dilution
from rules.checks.finding import About, Check
from rules.checks.flag import read_flag
from rules.checks.formula import read_consistency, read_contamination
from rules.checks.gates import AverageCheck, read_calibration, read_qc, read_reagent
from rules.checks.hil import read_hil
from rules.checks.identity import read_identity
from rules.checks.linearity import read_linearity
from rules.checks.panel import read_panel
from rules.checks.rcv import read_rcv
from rules.checks.rerun import read_rerun
from rules.checks.schedule import read_schedule
from rules.checks.specimen import read_retest, read_stability
from rules.checks.transition import read_transition
from rules.strict import Table

CHECKS: Mapping[str, Callable[[Table, About], Check]] = {
    "limit": lambda table, about: LIMIT,
    "critical": lambda table, about: CRITICAL,
    "absurd": lambda table, about: ABSURD,
    "delta": read_delta,
    "flag": read_flag,
    "hil": read_hil,
    "rcv": read_rcv,
    "linearity": read_linearity,
    "identity": read_identity,
    "qc": read_qc,
    "calibration": read_calibration,
    "reagent": read_reagent,
    "average": lambda table, about: AverageCheck(),
    "stability": read_stability,
    "retest": read_retest,
    "consistency": read_consistency,
    "contamination": read_contamination,
    "dilution": read_dilution,
    "rerun": read_rerun,
    "transition": read_transition,
    "panel": read_panel,
    "schedule": read_schedule,
}
"""How each check reads its own keys of a rule."""

__all__ = ["ABSURD", "CHECKS", "CRITICAL", "LIMIT", "Check"]
