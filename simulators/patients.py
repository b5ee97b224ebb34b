"""Who are the patients and what is measured in them? Invented people, and seeded values that a healthy or a somewhat ill person may have.

The figures are rounded adult textbook ranges, good enough to look like a morning's work; nothing here is a reference interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import Literal

_FAMILY = (
    "ALOUETTE", "BRISEFER", "CASTELNOIR", "DUVALLON", "EGLANTIER", "FONTCLAIRE", "GRANVILLIERS", "HAUTECOEUR", "ISLEMERE", "JONQUIERE",
    "KERVADEC", "LAVANDIER", "MIRABELLE", "NOISERAIE", "ORMOYEN", "PIERREFEU", "QUINTEFEUIL", "ROSEVAL", "SAULERAIE", "TOURNEVENT",
)  # fmt: skip
_GIVEN: Mapping[str, tuple[str, ...]] = {
    "F": ("Adèle", "Blanche", "Camille", "Delphine", "Élise", "Flore", "Gaëlle", "Hortense", "Inès", "Jeanne"),
    "M": ("Anatole", "Basile", "Côme", "Damien", "Émile", "Félix", "Gaspard", "Hugo", "Isidore", "Joël"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient."""

    identifier: str
    family: str
    given: str
    birth: date
    sex: Literal["F", "M"]

    def age(self, on: date) -> int:
        """Return full years."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the values of an analyte lie: mean and standard deviation by sex, the bounds of what is generated, decimals when written."""

    women: tuple[float, float]
    men: tuple[float, float]
    low: float
    high: float
    decimals: int


def person(random: Random, number: int, today: date) -> Person:
    """Return invented person number so-and-so: an adult of 18 to 92 years."""
    sex: Literal["F", "M"] = random.choice(("F", "M"))
    birth = today - timedelta(days=random.randint(18 * 366, 92 * 365))
    return Person(f"P{number:06d}", random.choice(_FAMILY), random.choice(_GIVEN[sex]), birth, sex)


def _both(mean: float, deviation: float, low: float, high: float, decimals: int) -> Spread:
    return Spread((mean, deviation), (mean, deviation), low, high, decimals)


# In SI units as French laboratories use them; a dialect that sends other units says by what to multiply.
ANALYTES: Mapping[str, Spread] = {
    "sodium": _both(140, 2.0, 134, 146, 0),  # mmol/L
    "potassium": _both(4.2, 0.3, 3.4, 5.1, 1),  # mmol/L
    "chloride": _both(103, 2.2, 96, 109, 0),  # mmol/L
    "urea": _both(5.4, 1.3, 2.5, 8.5, 1),  # mmol/L
    "creatinine": Spread((66, 10), (84, 12), 44, 115, 0),  # umol/L
    "glucose": _both(5.1, 0.5, 3.9, 7.4, 1),  # mmol/L
    "calcium": _both(2.38, 0.08, 2.15, 2.58, 2),  # mmol/L
    "protein": _both(71, 4, 62, 81, 0),  # g/L
    "albumin": _both(42, 3, 35, 50, 0),  # g/L
    "bilirubin": _both(9, 3, 3, 20, 1),  # umol/L
    "asat": Spread((22, 5), (26, 6), 10, 42, 0),  # U/L
    "alat": Spread((20, 6), (27, 8), 8, 48, 0),  # U/L
    "ggt": Spread((20, 7), (30, 11), 8, 60, 0),  # U/L
    "alp": _both(70, 15, 35, 115, 0),  # U/L
    "crp": _both(2.5, 1.5, 0.6, 7.0, 1),  # mg/L
    "cholesterol": _both(5.0, 0.8, 3.2, 7.2, 2),  # mmol/L
    "triglycerides": _both(1.2, 0.4, 0.5, 2.6, 2),  # mmol/L
    "haemolysis-index": _both(5, 2, 1, 12, 0),  # mg/dL of haemoglobin
    "icterus-index": _both(1, 0.4, 0, 2, 0),  # mg/dL of bilirubin
    "lipaemia-index": _both(8, 3, 1, 18, 0),  # mg/dL of triglyceride emulsion
    "leucocytes": _both(6.8, 1.4, 4.2, 10.2, 2),  # 10*9/L
    "erythrocytes": Spread((4.55, 0.25), (5.05, 0.28), 3.95, 5.75, 2),  # 10*12/L
    "mcv": _both(89, 3, 81, 98, 1),  # fL
    "mch": _both(30.0, 1.0, 27.2, 32.8, 1),  # pg
    "platelets": _both(255, 50, 155, 400, 0),  # 10*9/L
    "mpv": _both(10.2, 0.7, 8.5, 12.2, 1),  # fL
    "rdw": _both(13.1, 0.6, 11.6, 14.8, 1),  # %
    "lymphocytes-share": _both(30, 4, 18, 40, 1),  # %
    "monocytes-share": _both(7.5, 1.2, 4.0, 10.5, 1),  # %
    "eosinophils-share": _both(2.4, 0.9, 0.4, 5.5, 1),  # %
    "basophils-share": _both(0.6, 0.2, 0.1, 1.2, 1),  # %
    "tsh": _both(1.9, 0.7, 0.5, 4.0, 2),  # m[IU]/L
    "free-t4": _both(15, 2, 10.5, 20.5, 1),  # pmol/L
    "ferritin": Spread((60, 25), (140, 50), 16, 290, 0),  # ng/mL
    "vitamin-b12": _both(340, 80, 160, 640, 0),  # pmol/L
    "viral-load": _both(4200, 2600, 60, 12000, 0),  # {copies}/mL
}

_OTHERS = ("lymphocytes", "monocytes", "eosinophils", "basophils")  # the leucocytes that are not neutrophils
_SHARES = ("neutrophils", *_OTHERS)


class Body:
    """The values of one person on one morning: asked twice, the same answer; what is computed from others fits them."""

    def __init__(self, random: Random, who: Person, *, fixed: Mapping[str, Decimal] | None = None) -> None:
        self._random, self._who = random, who
        self._values: dict[str, Decimal] = dict(fixed or {})

    def value(self, analyte: str) -> Decimal:
        """Return the value of an analyte, in the unit `ANALYTES` tells; raises KeyError for an analyte nobody has described."""
        known = self._values.get(analyte)
        if known is None:
            known = self._computed(analyte) if analyte in _COMPUTED or analyte in _SHARES else self._drawn(analyte)
            self._values[analyte] = known
        return known

    def _drawn(self, analyte: str) -> Decimal:
        spread = ANALYTES[analyte]
        mean, deviation = spread.women if self._who.sex == "F" else spread.men
        number = min(spread.high, max(spread.low, self._random.gauss(mean, deviation)))
        return rounded(Decimal(number), spread.decimals)

    def _computed(self, analyte: str) -> Decimal:
        if analyte in _SHARES:  # a count, from the share
            return rounded(self.value("leucocytes") * self.value(f"{analyte}-share") / 100, 2)
        return _COMPUTED[analyte](self)


# A blood count whose parts contradict each other would be caught by any check of plausibility, so these follow from the others.
_COMPUTED: Mapping[str, Callable[[Body], Decimal]] = {
    "haematocrit": lambda body: rounded(body.value("erythrocytes") * body.value("mcv") / 10, 1),  # %
    "haemoglobin": lambda body: rounded(body.value("erythrocytes") * body.value("mch"), 0),  # g/L
    "mchc": lambda body: rounded(body.value("haemoglobin") * 100 / body.value("haematocrit"), 0),  # g/L
    "viral-load-log": lambda body: rounded(body.value("viral-load").log10(), 2),
    "cycle-threshold": lambda body: rounded(40 - 2 * body.value("viral-load-log"), 1),
    "neutrophils-share": lambda body: 100 - sum((body.value(f"{one}-share") for one in _OTHERS), Decimal(0)),  # %
}


def rounded(number: Decimal, decimals: int) -> Decimal:
    """Round as an analyzer does before it prints."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
