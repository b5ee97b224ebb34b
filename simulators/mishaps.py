"""What goes wrong between a vein and a result? Planted errors, each with its name, so that rules can be asked what they catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Tube:
    """What is measured in one tube before it is written down; a mishap changes it in place."""

    values: dict[str, float]
    indices: dict[str, float]
    flags: dict[str, str] = field(default_factory=dict)  # by test
    factor: dict[str, float] = field(
        default_factory=dict
    )  # the number is written in another unit than it is said to be
    mishap: str = ""
    touched: frozenset[str] = frozenset()


def _haemolysis(random: Random, tube: Tube) -> frozenset[str]:
    free = random.uniform(80, 400)  # mg/dL of haemoglobin
    tube.indices["haemolysis"] = free
    tube.values["potassium"] += 0.003 * free
    tube.values["asat"] *= 1 + 0.002 * free
    return frozenset({"potassium", "asat"})


def _edta(random: Random, tube: Tube) -> frozenset[str]:
    share = random.uniform(0.03, 0.15)
    tube.values["potassium"] += 60 * share
    tube.values["calcium"] *= 1 - 5 * share
    tube.values["alp"] *= 1 - 4 * share
    return frozenset({"potassium", "calcium", "alp"})


def _drip(random: Random, tube: Tube) -> frozenset[str]:
    share = random.uniform(0.2, 0.5)
    for name in tube.values:
        tube.values[name] *= 1 - share
    tube.values["sodium"] += share * 154
    tube.values["chloride"] += share * 154
    return frozenset(tube.values)


def _unit(random: Random, tube: Tube) -> frozenset[str]:
    name = random.choice(["creatinine", "glucose", "bilirubin"])
    tube.factor[name] = {"creatinine": 1 / 88.4 * 10, "glucose": 18.0, "bilirubin": 0.585}[name]  # mg/L, mg/dL, mg/L
    return frozenset({name})


def _clot(random: Random, tube: Tube) -> frozenset[str]:
    tube.values["platelets"] *= random.uniform(0.1, 0.5)
    tube.values["leucocytes"] *= random.uniform(0.6, 0.95)
    if random.random() < 0.4:
        tube.flags["platelets"] = "clot"
    return frozenset({"platelets", "leucocytes"})


CHEMISTRY: Mapping[str, Callable[[Random, Tube], frozenset[str]]] = {
    "haemolysis": _haemolysis, "edta": _edta, "drip": _drip, "unit": _unit,
}  # fmt: skip
BLOOD_COUNT: Mapping[str, Callable[[Random, Tube], frozenset[str]]] = {"clot": _clot}


def befall(random: Random, tube: Tube, mishaps: Mapping[str, Callable[[Random, Tube], frozenset[str]]]) -> None:
    """Let one mishap happen to a tube."""
    tube.mishap = random.choice(sorted(mishaps))
    tube.touched = mishaps[tube.mishap](random, tube)


def swap(first: Tube, second: Tube) -> None:
    """Exchange what is in two tubes, as happens when two labels do."""
    first.values, second.values = second.values, first.values
    first.indices, second.indices = second.indices, first.indices
    for tube in (first, second):
        tube.mishap, tube.touched = "swap", frozenset(tube.values)
