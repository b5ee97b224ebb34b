"""Which checks may a rule name? The closed table of primitives; each is a frozen value that judges one subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.checks.bounds import ABSURD, CRITICAL, LIMIT
from rules.checks.delta import read_delta
from rules.checks.finding import About, Check
from rules.checks.flag import read_flag
from rules.checks.hil import read_hil
from rules.strict import Table

CHECKS: Mapping[str, Callable[[Table, About], Check]] = {
    "limit": lambda table, about: LIMIT,
    "critical": lambda table, about: CRITICAL,
    "absurd": lambda table, about: ABSURD,
    "delta": read_delta,
    "flag": read_flag,
    "hil": read_hil,
}
"""How each check reads its own keys of a rule."""

__all__ = ["ABSURD", "CHECKS", "CRITICAL", "LIMIT", "Check"]
