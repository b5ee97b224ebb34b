"""How fast do sixty rules judge? One result at a time beside zen-engine, and a million at once beside our own one-at-a-time.

Both start from what verification has in memory: results with exact decimals, history, patient and tube, limits not looked up yet. zen-engine
takes one flat table, which is made for it in its own process. Both must fire the same rules on every case before anything is timed.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from labmw.model import Case
from rules.engine import judge
from rules.expression import columns
from rules.pack import Packs
from rules.quick import Quick
from rules.replay.cases import Cases
from rules.replay.history import prepared
from rules.replay.judge import judge as replay
from rules.replay.judge import limit_columns, prepare
from rules.replay.lower import Lowered, lower, prefix
from simulators.history import draw, rows
from tests.benchmarks.decode import Comparison
from tests.benchmarks.peers import Peer, PeerMissing
from tests.benchmarks.rounds import Batch, Sample, here, take_turns
from tests.benchmarks.ruleset import described, limits_of, packs, zen

CASES = 100
VERDICT, EXPLAINED, ENGINE = "labmw, verdict", "labmw, verdict and what fired", "labmw, whole record of every rule"
ZEN = "zen-engine 2.1.3, one array expression"
MILLION = 1_000_000


def sixty(rounds: int, seconds: float) -> Comparison:
    """One result under sixty rules; seconds are those of a result."""
    several = packs()
    cases = prepare_cases(several)
    text, names = zen(several)
    aliases = {loinc: one.alias for one in several.active[0].analytes.values() for loinc in one.loincs}
    given = {
        "text": text,
        "names": names,
        "aliases": aliases,
        "limits": limits_of(several),
        "cases": [described(one) for one in cases],
    }
    quick = Quick(several)
    numbers = {f"bench/{rule.id}": place for place, rule in enumerate(several.active[0].rules)}
    fired = [sorted(numbers[one.rule] for one in _explained(quick, case)) for case in cases]
    ours: dict[str, Callable[[], object]] = {
        VERDICT: lambda: [quick.level(case) for case in cases],
        EXPLAINED: lambda: [quick.explained(case) for case in cases],
        ENGINE: lambda: [judge(case, several) for case in cases],
    }
    batches: dict[str, Batch] = {name: _per_case(here(action)) for name, action in ours.items()}
    targets = {VERDICT: 4.0, EXPLAINED: 3.0}
    try:
        with Peer("zen", [json.dumps(given).encode()]) as other:
            assert other.read == fired, "zen-engine fires other rules than we"
            samples = take_turns({ZEN: _per_case(other.batch), **batches}, rounds, seconds)
    except PeerMissing as why:
        return Comparison(take_turns(batches, rounds, seconds), ZEN, targets, str(why))
    return Comparison(samples, ZEN, targets)


def prepare_cases(several: Packs, count: int = CASES) -> list[Case]:
    """Return cases of invented patients that the quick way judges."""
    table = prepare(
        prepared("bench", pl.DataFrame(list(rows(1, draw(1, 120, mishap_rate=0.05))), infer_schema_length=None)),
        [several],
    )
    some = table.filter((pl.col("comparator") == "") & (pl.col("previous_comparator").fill_null("") == "")).sample(
        3 * count, seed=1
    )
    known = Cases.of(table, table["patient"].unique().to_list())
    quick = Quick(several)
    cases: list[Case] = []
    for row in some.iter_rows(named=True):
        case = known.case(row)
        if quick.level(case) is not None and len(cases) < count:
            cases.append(case)
    assert len(cases) == count
    return cases


def _explained(quick: Quick, case: Case) -> tuple[Any, ...]:
    found = quick.explained(case)
    assert found is not None
    return found[1]


def _per_case(batch: Batch) -> Batch:
    return lambda times: batch(max(1, times // CASES)) / CASES


@dataclass(frozen=True, slots=True)
class Replayed:
    """Seconds for a million results: sixty conditions on every row of stored features, one of them, our own loop, and whole packs."""

    results: int
    all_rules: Sample
    one_rule: Sample
    loop: float  # seconds for a million, from the verdicts of this run
    whole: float  # seconds for judge() of a whole history of a million, features stored
    features: float  # seconds to make the features
    memory: float  # MB at most, of this process

    @property
    def times(self) -> float:
        """How many times as fast as the loop."""
        return self.loop / self.all_rules.median

    @property
    def share(self) -> float:
        """What one edited rule takes of all sixty."""
        return self.one_rule.median / self.all_rules.median


def million(rounds: int, verdict: Sample, results: int = MILLION) -> Replayed:
    """A million results of invented patients, several times the same year where one is too short."""
    several = packs()
    year = pl.DataFrame(list(rows(1, draw(1, 800, mishap_rate=0.02))), infer_schema_length=None)
    copies = -(-results // len(year))
    table = pl.concat(
        [year.with_columns((pl.col("patient") + f"/{copy}").alias("patient")) for copy in range(copies)]
    ).head(results)
    began = time.perf_counter()
    made = prepare(prepared("bench", table), [several])
    features = time.perf_counter() - began
    parts = stored(made, several)
    every = [rule.id for rule in several.active[0].rules]
    counts: dict[str, list[float]] = {"all": [], "one": []}
    for _ in range(rounds + 1):
        for name, asked in (("all", every), ("one", every[4:5])):
            began = time.perf_counter()
            hits(parts, asked)
            counts[name].append(time.perf_counter() - began)
    began = time.perf_counter()
    replay(made, several)
    whole = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Replayed(
        results,
        Sample(tuple(counts["all"][1:])),
        Sample(tuple(counts["one"][1:])),
        verdict.median * results,
        whole,
        features,
        memory,
    )


Parts = list[tuple[pl.DataFrame, dict[str, pl.Expr]]]
FLAGS = ("critical-low", "critical-high", "clot", "above-range", "below-range", "haemolysis", "icterus", "lipaemia")


def stored(table: pl.DataFrame, several: Packs) -> Parts:
    """Features as they are stored, test by test, each with its limits; and of the sixty rules those that can apply to it, as conditions."""
    pack = several.active[0]
    found: Parts = []
    for (loinc, code), part in table.group_by("loinc", "unit", maintain_order=True):
        limits = pack.limits.of(str(loinc))[str(code)]
        whole = part.with_columns(
            pl.col("number").alias("value"),
            *limit_columns(limits, f"{pack.id}:"),
            *(pl.col("flags").str.contains(flag, literal=True).alias(f"flag:{flag}") for flag in FLAGS),
        )
        conditions = {}
        for step in several.plan(str(loinc)).steps:
            made = lower(step, str(code))
            assert isinstance(made, Lowered) and prefix(step) == f"{pack.id}:"
            condition = columns.points(made.tree)
            for before, _ in made.before:
                condition &= ~columns.points(before).fill_null(False)
            conditions[step.rule.id] = condition
        found.append((whole.rechunk(), conditions))
    return found


def hits(parts: Parts, rules: Collection[str]) -> Counter[str]:
    """Count how often each of some rules fires: what a biologist waits for."""
    asked = [
        part.lazy().select(condition.sum().alias(name) for name, condition in conditions.items() if name in rules)
        for part, conditions in parts
        if not conditions.keys().isdisjoint(rules)
    ]
    counts: Counter[str] = Counter()
    for one in pl.collect_all(asked):
        counts.update(one.row(0, named=True))
    return counts
