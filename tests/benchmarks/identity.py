"""Does the score of many tests find exchanged tubes that one test does not? On a public trial's results, set on half of the subjects.

Data: laboratory results of the CDISC pilot study (254 subjects, 47 tests), as published in pharmaversesdtm (Apache-2.0). Outpatients at visits two to
four weeks apart: no hospital, and what is caught here is no promise for one.
"""

from __future__ import annotations

import gzip
import math
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rules.replay import tuning
from rules.replay.features import features
from rules.replay.history import prepared

ROOT = Path(__file__).parents[2]
FILE = Path(os.environ.get("LABMW_CORPUS", ROOT / "../shared/corpus")).parent / "data" / "cdisc_pilot_lb.csv.gz"
WINDOW = 24.0 * 90
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.1)
AT = 0.05
BETTER = 0.20  # of exchanged tubes caught, above the best single delta, at 5 % held for nothing
Z = 1.96


@dataclass(frozen=True, slots=True)
class Found:
    """The curve of the score with its interval, and the best single test at 5 percent."""

    curve: tuple[
        tuple[float, float, float, float, float], ...
    ]  # wanted, held for nothing, caught, and the interval of that
    best: tuning.Tuned
    panels: int

    @property
    def above(self) -> float:
        """How much more the score catches than the best test alone, at a threshold that held at most 5 % for nothing on the half not used.

        A threshold set for 5 % on one half holds more or less on the other: what was only wanted is not counted.
        """
        return max(caught for _, held, caught, _, _ in self.curve if held <= AT) - self.best.caught


def measure(path: Path = FILE) -> Found | None:
    """Return what the data show; None where they are not here."""
    if not path.exists():
        return None
    table = pl.read_csv(gzip.decompress(path.read_bytes()), infer_schema_length=0)
    rows = table.select(
        pl.col("USUBJID").alias("patient"), (pl.col("USUBJID") + " " + pl.col("LBDTC")).alias("specimen"), pl.col("LBTESTCD").alias("loinc"),
        pl.col("LBSTRESN").cast(pl.Float64, strict=False).alias("number"), pl.col("LBSTRESU").fill_null("").alias("unit"),
        pl.col("LBDTC").str.slice(0, 16).str.to_datetime("%Y-%m-%dT%H:%M", strict=False).alias("completed"),
    ).drop_nulls(["number", "completed"])  # fmt: skip
    made = features(prepared(str(path), rows))
    codes = sorted(made["loinc"].unique())
    score = tuning.identity(made, codes, SHARES, WINDOW, at_least=6)
    assert score is not None
    singles = [one for code in codes for one in tuning.delta(made, code, 0.05, WINDOW)]
    best = max((one for one in singles if one.pairs > 500), key=lambda one: one.caught)
    half = score.panels // 2
    curve = tuple((wanted, held, caught, *wilson(caught, half)) for wanted, _, held, caught in score.curve)
    return Found(curve, best, score.panels)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share; panels of one subject are not independent, so it is rather too narrow."""
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    return middle - half, middle + half
