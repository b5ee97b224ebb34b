"""How good is a method against what is asked of it, and which rules does it need? Sigma, and Westgard's choice by it.

The total error allowed is the laboratory's decision; keep its source and date beside the number.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.qc.westgard import Rule


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rules, on how many control measurements, over how many runs."""

    rules: tuple[Rule, ...]
    measurements: int
    runs: int


def sigma(allowed: float, bias: float, cv: float) -> float:
    """Return (allowed total error - |bias|) / CV, all in percent; raises ValueError where there is no CV."""
    if not cv > 0:
        raise ValueError(f"a CV of {cv} % has no sigma; measure it on at least twenty control results")
    return (allowed - abs(bias)) / cv


def plan(value: float, levels: int) -> Plan:
    """Return the rules for a sigma with two or three levels (Westgard Sigma Rules, no 1-2s warning); raises ValueError for others."""
    if levels == 2:
        if value >= 6:
            return Plan((Rule.W1_3S,), 2, 1)
        if value >= 5:
            return Plan((Rule.W1_3S, Rule.W2_2S, Rule.R_4S), 2, 1)
        if value >= 4:
            return Plan((Rule.W1_3S, Rule.W2_2S, Rule.R_4S, Rule.W4_1S), 4, 1)
        return Plan((Rule.W1_3S, Rule.W2_2S, Rule.R_4S, Rule.W4_1S, Rule.X8), 4, 2)
    if levels == 3:
        if value >= 6:
            return Plan((Rule.W1_3S,), 3, 1)
        if value >= 5:
            return Plan((Rule.W1_3S, Rule.W2OF3_2S, Rule.R_4S), 3, 1)
        if value >= 4:
            return Plan((Rule.W1_3S, Rule.W2OF3_2S, Rule.R_4S, Rule.W3_1S), 3, 1)
        return Plan((Rule.W1_3S, Rule.W2OF3_2S, Rule.R_4S, Rule.W3_1S, Rule.X6), 6, 1)
    raise ValueError(f"there is no plan for {levels} levels; use two or three")
