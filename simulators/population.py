"""Who falls ill, and what do their tests say over a year? Invented patients with their own set points, correlated tests, illnesses and visits.

Everything follows from one seed. The figures are rounded textbook ones, chosen so that the tests of one person fit each other and earlier
results resemble later ones; they say nothing about anybody, and a rule that is good here is not yet good in a laboratory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from simulators.patients import ANALYTES, Person, person


@dataclass(frozen=True, slots=True)
class Measured:
    """How one test is measured: code, unit, decimals, within-person and analytical CV in percent, and how a value too low is written."""

    loinc: str
    unit: str
    decimals: int
    within: float
    analytical: float
    least: float = 0.0


CHEMISTRY: Mapping[str, Measured] = {
    "sodium": Measured("2951-2", "mmol/L", 0, 0.5, 0.6),
    "potassium": Measured("2823-3", "mmol/L", 1, 3.9, 1.2),
    "chloride": Measured("2075-0", "mmol/L", 0, 1.0, 0.8),
    "urea": Measured("22664-7", "mmol/L", 1, 14.1, 2.5),
    "creatinine": Measured("14682-9", "umol/L", 0, 4.4, 2.0),
    "glucose": Measured("14749-6", "mmol/L", 1, 4.7, 1.5),
    "calcium": Measured("2000-8", "mmol/L", 2, 1.8, 1.0),
    "protein": Measured("2885-2", "g/L", 0, 2.6, 1.2),
    "albumin": Measured("1751-7", "g/L", 0, 2.5, 1.5),
    "bilirubin": Measured("14631-6", "umol/L", 1, 20.0, 4.0, 3.0),
    "asat": Measured("1920-8", "U/L", 0, 9.5, 3.0),
    "alat": Measured("1742-6", "U/L", 0, 9.3, 3.0),
    "ggt": Measured("2324-2", "U/L", 0, 8.9, 2.5),
    "alp": Measured("6768-6", "U/L", 0, 5.3, 2.5),
    "crp": Measured("1988-5", "mg/L", 1, 29.0, 4.0, 0.6),
    "cholesterol": Measured("14647-2", "mmol/L", 2, 5.2, 1.8),
    "triglycerides": Measured("14927-8", "mmol/L", 2, 19.8, 2.0),
}  # fmt: skip
BLOOD_COUNT: Mapping[str, Measured] = {
    "leucocytes": Measured("6690-2", "10*9/L", 2, 10.0, 1.8),
    "erythrocytes": Measured("789-8", "10*12/L", 2, 2.8, 0.9),
    "haemoglobin": Measured("718-7", "g/L", 0, 0.0, 0.5),
    "haematocrit": Measured("4544-3", "%", 1, 0.0, 0.5),
    "mcv": Measured("787-2", "fL", 1, 0.7, 0.5),
    "mch": Measured("785-6", "pg", 1, 0.75, 0.5),
    "mchc": Measured("786-4", "g/L", 0, 0.0, 0.5),
    "platelets": Measured("777-3", "10*9/L", 0, 7.2, 2.5),
}  # fmt: skip
DERIVED = ("haemoglobin", "haematocrit", "mchc")  # from the others, so that a blood count does not contradict itself


@dataclass(frozen=True, slots=True)
class Illness:
    """What an illness does: how common, in which wards, ln shifts of tests at its height, and in how many days it is half gone (0: stays)."""

    name: str
    share: float
    wards: tuple[str, ...]
    shifts: Mapping[str, float]
    half: float = 0.0


ILLNESSES: tuple[Illness, ...] = (
    Illness("kidney disease", 0.05, ("NEPH", "MED"), {"creatinine": 0.9, "urea": 0.9, "potassium": 0.12, "calcium": -0.05, "erythrocytes": -0.12}),
    Illness("dialysis", 0.01, ("DIAL",), {"creatinine": 2.1, "urea": 1.3, "potassium": 0.18, "calcium": -0.08, "erythrocytes": -0.22}),
    Illness("diabetes", 0.08, ("MED", "OUT"), {"glucose": 0.55, "triglycerides": 0.3}),
    Illness("liver disease", 0.03, ("GAST", "MED"), {"asat": 1.1, "alat": 1.0, "ggt": 1.6, "alp": 0.5, "bilirubin": 1.2, "albumin": -0.2, "platelets": -0.6}),
    Illness("hepatitis", 0.01, ("GAST",), {"asat": 2.7, "alat": 3.1, "ggt": 1.0, "bilirubin": 1.6}, 9),
    Illness("infection", 0.14, ("MED", "EMER", "ICU"), {"crp": 3.6, "leucocytes": 0.7, "albumin": -0.18, "protein": -0.06, "platelets": 0.25, "sodium": -0.015}, 4),
    Illness("bleeding", 0.02, ("SURG", "EMER"), {"erythrocytes": -0.45, "urea": 0.4, "platelets": 0.2}, 15),
    Illness("iron deficiency", 0.05, ("OUT", "MED"), {"mcv": -0.16, "mch": -0.22, "erythrocytes": -0.05, "platelets": 0.25}),
    Illness("chemotherapy", 0.02, ("ONCO",), {"leucocytes": -1.1, "platelets": -0.8, "erythrocytes": -0.2}, 12),
    Illness("heart failure", 0.03, ("CARD", "ICU"), {"sodium": -0.035, "chloride": -0.04, "urea": 0.5, "creatinine": 0.3}),
)  # fmt: skip
# Tests of one person lean together: each factor moves several of them.
FACTORS: tuple[Mapping[str, float], ...] = (
    {"sodium": 0.8, "chloride": 0.7},
    {"urea": 0.5, "creatinine": 0.6},
    {"protein": 0.7, "albumin": 0.7, "calcium": 0.5},
    {"asat": 0.7, "alat": 0.8, "ggt": 0.5},
    {"cholesterol": 0.5, "triglycerides": 0.5, "glucose": 0.3, "alat": 0.3},
    {"mcv": 0.8, "mch": 0.85},
)


@dataclass(slots=True)
class Visitor:
    """One patient: who, where they are treated, their own means in health (ln), and what they have since when."""

    who: Person
    ward: str
    means: dict[str, float]
    ill: list[tuple[Illness, datetime, float]]  # with its strength


def visitor(random: Random, number: int, start: datetime, days: int) -> Visitor:
    """Return an invented patient of a year that begins at `start`."""
    who = person(random, number, start.date())
    drawn = [random.gauss(0, 1) for _ in FACTORS]
    means = {}
    for name, spread in ANALYTES.items():
        if (name not in CHEMISTRY and name not in BLOOD_COUNT) or name in DERIVED:
            continue
        shared = sum(factor.get(name, 0.0) * z for factor, z in zip(FACTORS, drawn, strict=True))
        own = math.sqrt(max(0.1, 1 - sum(factor.get(name, 0.0) ** 2 for factor in FACTORS)))
        z = max(-2.6, min(2.6, shared + own * random.gauss(0, 1)))
        mean, deviation = spread.women if who.sex == "F" else spread.men
        older = 1 + (0.004 if name in ("creatinine", "urea", "glucose") else 0.0) * max(0, who.age(start.date()) - 50)
        means[name] = math.log(max(spread.low * 0.8, (mean + deviation * z) * older))
    ill = []
    ward = random.choice(("OUT", "OUT", "OUT", "EMER", "SURG"))
    for illness in ILLNESSES:
        if random.random() < illness.share:
            onset = start + timedelta(days=random.uniform(-3, days) if illness.half else -400)
            ill.append((illness, onset, random.uniform(0.5, 1.2)))
            ward = random.choice(illness.wards)
    return Visitor(who, ward, means, ill)


def visits(random: Random, one: Visitor, start: datetime, days: int) -> list[datetime]:
    """Return when blood is taken: a stay of daily tubes around an acute illness, a few times a year otherwise, in working hours mostly."""
    moments: list[datetime] = []
    for illness, onset, _ in one.ill:
        if illness.half:
            stay = random.randint(2, 8)
            moments += [onset + timedelta(days=day, hours=random.gauss(0, 1.5)) for day in range(stay)]
        else:
            moments += [start + timedelta(days=random.uniform(0, days)) for _ in range(random.randint(2, 6))]
    moments += [start + timedelta(days=random.uniform(0, days)) for _ in range(random.choice((0, 1, 1, 2)))]
    placed = [
        moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=max(0.0, min(23.5, _hour(random, one.ward))))
        for moment in moments
    ]  # fmt: skip
    return sorted(moment for moment in placed if start <= moment < start + timedelta(days=days))


def _hour(random: Random, ward: str) -> float:
    if ward == "OUT":
        return random.gauss(9, 2.5)
    return random.choice((6, 6, 7, 11, 16, 22)) + random.uniform(0, 2)


def bodily(random: Random, one: Visitor, at: datetime) -> dict[str, float]:
    """Return what is in the blood at a moment, before anything is measured."""
    found = {}
    for name, mean in one.means.items():
        how = CHEMISTRY.get(name) or BLOOD_COUNT[name]
        found[name] = mean + random.gauss(0, how.within / 100)
    for illness, onset, strength in one.ill:
        days = (at - onset) / timedelta(days=1)
        if days < 0:
            continue
        left = strength * (0.5 ** (days / illness.half) if illness.half else random.uniform(0.85, 1.1))
        for name, shift in illness.shifts.items():
            found[name] += shift * left
    return {name: math.exp(value) for name, value in found.items()}
