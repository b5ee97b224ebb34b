"""How does a set of packs judge a whole history? Each test in each unit in columns, what is irregular by the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from labmw.model import VerdictLevel
from rules import facts as known_facts
from rules.analyte import Analyte
from rules.checks.dilution import DilutionCheck
from rules.checks.identity import IdentityCheck
from rules.checks.when import WhenCheck
from rules.engine import judge as engine_judge
from rules.expression import columns
from rules.expression.bounds import bounds
from rules.expression.tree import Truth, flags, numbers
from rules.expression.unit import alike
from rules.guards import ALARMS, IN_DOUBT
from rules.limits import UnitLimits
from rules.pack import Packs, Plan, Step
from rules.replay.cases import Cases
from rules.replay.features import ends, features, with_ratios, with_siblings
from rules.replay.lower import Lowered, lower, prefix
from rules.replay.spread import fired, reached, spread
from rules.rule import Rule
from rules.subject import Scope
from rules.vocabulary import ANY

LEVEL = pl.UInt8
GUARDS = "labmw/guards"
_PLAIN = ("hours", "tube_hours", "age", "haemolysis", "icterus", "lipaemia", "runs")


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict of every judged row (`verdict`), what each rule asked for of it (a column by its name), and the rules that were not asked."""

    table: pl.DataFrame
    rules: tuple[str, ...]
    skipped: Mapping[str, str]  # rule: why
    reaching: tuple[str, ...] = ()  # rules that hold more than their own result: what they reach is a column of its own

    def kept(self, name: str) -> pl.Expr:
        """What a rule, or the guards, ask for of each row, reached ones included."""
        return pl.max_horizontal(name, reached(name)) if name in self.reaching else pl.col(name)

    @property
    def hold_rate(self) -> float:
        """The share of results that do not leave without a person."""
        share = (self.table["verdict"] > int(VerdictLevel.COMMENT)).mean()
        return float(share) if isinstance(share, float) else 0.0


def prepare(table: pl.DataFrame, several: Sequence[Packs]) -> pl.DataFrame:
    """Return the features that these packs ask for, so that each of them judges the same rows."""
    made = features(table)
    siblings: dict[str, Analyte] = {}
    ratios: dict[str, Analyte] = {}
    for packs in several:
        for pack in packs.active:
            for rule in pack.rules:
                match rule.check:
                    case WhenCheck(tree=tree):
                        siblings |= {name: pack.analytes[name] for name in numbers(tree) if name in pack.analytes}
                    case IdentityCheck(deviations=deviations):
                        ratios |= {alias: analyte for alias, (analyte, _) in deviations.items()}
                    case DilutionCheck(tests=tests):
                        ratios |= {analyte.alias: analyte for analyte in tests}
                    case _:
                        pass
    return with_ratios(with_siblings(made, siblings.values()), ratios.values())


def judge(prepared: pl.DataFrame, packs: Packs) -> Judged:
    """Judge every row that is to be judged."""
    skipped: dict[str, str] = {}
    found: list[pl.DataFrame] = []
    names: dict[str, None] = {}
    reaching: dict[str, Rule] = {}
    wanted = prepared.filter(pl.col("judged"))
    for (loinc, unit), part in wanted.group_by("loinc", "unit", maintain_order=True):
        plan = packs.plan(str(loinc))
        several = _Part(prepared, part, packs, plan, str(unit) or "1", skipped).judged()
        names |= dict.fromkeys(step.name for step in plan.steps if step.name not in skipped)
        reaching |= {step.name: step.rule for step in plan.steps if step.name not in skipped and far(step)}
        found.append(several)
    rules = tuple(name for name in names if name not in skipped)
    if not found:
        return Judged(wanted.with_columns(pl.lit(0, LEVEL).alias("verdict")), (), skipped)
    table = pl.concat(found, how="diagonal")
    missing = [name for name in rules if name not in table.columns]
    table = table.with_columns(pl.lit(0, LEVEL).alias(name) for name in missing)
    kept = [*rules, GUARDS]
    table = table.with_columns(
        *(pl.col(name).fill_null(0) for name in kept), *(pl.col(fired(name)).fill_null(False) for name in reaching)
    )
    columns = ["row", "verdict", *kept, *map(fired, reaching)]
    whole = spread(wanted.join(table.select(columns), on="row", how="left"), reaching)
    return Judged(whole.drop(map(fired, reaching)).sort("row"), rules, skipped, tuple(reaching))


def far(step: Step) -> bool:
    """Whether a rule, fired, holds more than its own result."""
    return step.rule.reach != "result" and step.rule.verdict >= VerdictLevel.REVIEW


@dataclass(frozen=True, slots=True)
class _Part:
    """The results of one test in one unit."""

    whole: pl.DataFrame
    table: pl.DataFrame
    packs: Packs
    plan: Plan
    unit: str
    skipped: dict[str, str]

    def judged(self) -> pl.DataFrame:
        odd = reduce(lambda a, b: a | b, [pl.col("irregular"), *(pl.col(f"{name}?") for name in self._siblings())])
        odd |= pl.lit(bool(self.plan.reserved))  # whether it is a first positive is for the engine
        odd |= reduce(
            lambda a, b: a | b, [pl.col(f"{alias}:odd") for alias in self._ratios()], pl.lit(self._elsewhere())
        )
        bounded = reduce(
            lambda a, b: a | b,
            [pl.col("bounded"), *(pl.col(f"{name}_comparator").fill_null("") != "" for name in self._siblings())],
        )
        table = self.table.with_columns(odd.alias("_odd"), bounded.alias("_bounded"), pl.col("number").alias("value"))
        table = table.with_columns(self._flags()).with_columns(self._limits())
        plain = table.filter(~pl.col("_odd") & ~pl.col("_bounded"))
        limited = table.filter(~pl.col("_odd") & pl.col("_bounded"))
        parts = [self._columns(plain, columns.points)]
        if len(limited):
            limited = limited.with_columns(self._ends(limited))
            parts.append(self._columns(limited, lambda condition: pl.lit(bounds(limited, condition))))
        irregular = table.filter(pl.col("_odd"))
        if len(irregular):
            parts.append(self._rows(irregular))
        return pl.concat(parts, how="diagonal")

    def _elsewhere(self) -> bool:
        """Does a condition take `value` in another unit than these results have?"""
        checks = [step.rule.check for step in self.plan.steps]
        return any(isinstance(one, WhenCheck) and one.numeric and not alike(self.unit, one.unit) for one in checks)

    def _siblings(self) -> list[str]:
        used = [
            name
            for step in self.plan.steps
            if isinstance(step.rule.check, WhenCheck)
            for name in numbers(step.rule.check.tree)
            if name in step.rule.check.pack
        ]
        return list(dict.fromkeys(used))

    def _ratios(self) -> list[str]:
        used: list[str] = []
        for step in self.plan.steps:
            check = step.rule.check
            if isinstance(check, IdentityCheck):
                used += check.deviations
            elif isinstance(check, DilutionCheck):
                used += [analyte.alias for analyte in check.tests]
        return list(dict.fromkeys(used))

    def _flags(self) -> list[pl.Expr]:
        asked = {flag.value for flag in IN_DOUBT | ALARMS} | {"haemolysis", "icterus", "lipaemia", "unknown"}
        for step in self.plan.steps:
            made = lower(step, self.unit)
            if isinstance(made, Lowered):
                asked.update(flags(made.tree))
        words = pl.col("flags").str.split(" ")
        strange = [text for text in self.table["flags"].unique() if not known_facts.FLAGS.issuperset(text.split())]
        found = [words.list.contains(flag).alias(f"flag:{flag}") for flag in sorted(asked - {"unknown"})]
        return [*found, (words.list.contains("unknown") | pl.col("flags").is_in(strange)).alias("flag:unknown")]

    def _limits(self) -> list[pl.Expr]:
        """Find the row of limits as `UnitLimits.row` does; a limit that is not there is never crossed."""
        several = {prefix(step): step.limits[self.unit] for step in self.plan.steps if self.unit in step.limits}
        return [made for before, limits in several.items() for made in limit_columns(limits, before)]

    def _ends(self, table: pl.DataFrame) -> list[pl.Expr]:
        found = ends(table, "value", "comparator") + ends(table, "previous", "previous_comparator")
        for name in self._siblings():
            found += ends(table, name, f"{name}_comparator")
        plain = [*_PLAIN, *(name for name in table.columns if ":" in name and name.endswith(("_lo", "_hi", ":row")))]
        for name in plain:
            found += ends(table, name, None)
        return found

    def _columns(self, table: pl.DataFrame, reader: Callable[[Truth], pl.Expr]) -> pl.DataFrame:
        levels: dict[str, pl.Expr] = {}
        fires: list[pl.Expr] = []
        for step in self.plan.steps:
            made = self._answer(step, reader)
            if made is None:
                self.skipped[step.name] = step.rule.check.name
                continue
            levels[step.name] = made[0].cast(LEVEL).alias(step.name)
            if far(step):
                fires.append(made[1].fill_null(False).alias(fired(step.name)))
        table = table.with_columns(self._guards().alias(GUARDS), *levels.values(), *fires)
        said = [one.meta.output_name() for one in fires]
        return table.select(
            "row", pl.max_horizontal(GUARDS, *levels).cast(LEVEL).alias("verdict"), GUARDS, *levels, *said
        )

    def _guards(self) -> pl.Expr:
        hold = reduce(lambda a, b: a | b, [pl.col(f"flag:{flag.value}") for flag in sorted(IN_DOUBT)])
        hold |= pl.col("flag:unknown")
        if not self.plan.packs or not self.plan.numbers or self.plan.stopped:
            hold |= pl.lit(True)
        return pl.when(hold).then(pl.lit(int(VerdictLevel.HOLD))).otherwise(pl.lit(0)).cast(LEVEL)

    def _answer(self, step: Step, reader: Callable[[Truth], pl.Expr]) -> tuple[pl.Expr, pl.Expr] | None:
        """What a rule asks for of each row, and where it has fired; None where the history cannot say."""
        rule = step.rule
        exempt = pl.lit(False)
        if rule.scope.drivers:
            exempt |= ~pl.col("driver").is_in(sorted(rule.scope.drivers))
        if rule.scope.wards:  # a ward that is not known may be one of them
            exempt |= (pl.col("ward") != "") & ~pl.col("ward").is_in(sorted(rule.scope.wards))
        for exemption in rule.exemptions:
            exempt |= pl.col("ward").is_in(sorted(exemption.scope.wards))
        if isinstance(rule.check, IdentityCheck | DilutionCheck):
            found, fires = self._together(step)
        else:
            made = lower(step, self.unit)
            if made is None:
                return None
            found, fires = _said(made, rule.verdict, reader)
        if rule.scope != Scope() or rule.exemptions:
            return pl.when(exempt).then(pl.lit(0)).otherwise(found), fires & ~exempt
        return found, fires

    def _together(self, step: Step) -> tuple[pl.Expr, pl.Expr]:
        """The checks that compare many tests at once with their earlier results."""
        check, verdict = step.rule.check, int(step.rule.verdict)
        assert isinstance(check, IdentityCheck | DilutionCheck)
        hours = check.window.total_seconds() / 3600

        def change(alias: str) -> pl.Expr:
            return pl.when(pl.col(f"{alias}:hours") <= hours).then(pl.col(f"{alias}:ratio"))

        if isinstance(check, IdentityCheck):
            z = [change(alias) / deviation for alias, (_, deviation) in check.deviations.items()]
            count = pl.sum_horizontal([one.is_not_null().cast(pl.Int32) for one in z])
            score = (pl.sum_horizontal([(one * one).fill_null(0.0) for one in z]) / count).sqrt()
            fires = columns.above(score, float(check.threshold))
        else:
            falls = [(1 - change(analyte.alias).exp()) * 100 for analyte in check.tests]
            count = pl.sum_horizontal([one.is_not_null().cast(pl.Int32) for one in falls])
            fires = reduce(lambda a, b: a & b, [(one > float(check.percent)).fill_null(True) for one in falls])
        few = count < check.at_least
        found = pl.when(few).then(pl.lit(int(check.no_previous))).when(fires).then(pl.lit(verdict)).otherwise(pl.lit(0))
        return found, fires & ~few

    def _rows(self, table: pl.DataFrame) -> pl.DataFrame:
        cases = Cases.of(self.whole, table["patient"].unique().to_list())
        names = [step.name for step in self.plan.steps if step.name not in self.skipped]
        reaching = [step.name for step in self.plan.steps if step.name not in self.skipped and far(step)]
        found = []
        for row in table.iter_rows(named=True):
            verdict = engine_judge(cases.case(row), self.packs)
            asked = {one.rule: int(one.level) for one in verdict.reasons}
            guards = max((int(one.level) for one in verdict.reasons if one.rule.startswith("labmw/")), default=0)
            levels = {name: asked.get(name, 0) for name in names}
            words = {name: word for name, word, _ in verdict.trace}
            fires = {fired(name): words[name] == "fired" for name in reaching}
            top = max(guards, *levels.values(), 0)
            found.append({"row": row["row"], "verdict": top, GUARDS: guards, **levels, **fires})
        schema: dict[str, Any] = {
            "row": table["row"].dtype,
            "verdict": LEVEL,
            GUARDS: LEVEL,
            **dict.fromkeys(names, LEVEL),
            **dict.fromkeys(map(fired, reaching), pl.Boolean),
        }
        return pl.DataFrame(found, schema=schema)


def _said(
    made: Lowered | VerdictLevel, verdict: VerdictLevel, reader: Callable[[Truth], pl.Expr]
) -> tuple[pl.Expr, pl.Expr]:
    """What a lowered rule asks for, and where it has fired."""
    if not isinstance(made, Lowered):
        return pl.lit(int(made)), pl.lit(False)
    truth = reader(made.tree)
    found: pl.Expr = (
        pl.when(truth).then(pl.lit(int(verdict))).when(truth.is_null()).then(pl.lit(int(made.unknown))).otherwise(pl.lit(0))
    )  # fmt: skip
    fires = truth
    for condition, instead in reversed(made.before):
        before = reader(condition)
        found = pl.when(before).then(pl.lit(int(instead))).otherwise(found)
        fires &= ~before.fill_null(False)
    return found, fires


def limit_columns(limits: UnitLimits, before: str = "") -> list[pl.Expr]:
    """Return the limits that hold for each row, and which row of the table they come from; names begin with `before`."""
    sexes: tuple[str, ...] = ("F", "M", ANY)
    found: list[tuple[pl.Expr, int, Mapping[str, float]]] = []
    for ward in (*sorted(limits.wards), ANY):
        for specimen in (*sorted(limits.specimens), ANY):
            for sex in sexes:
                bands = limits.groups.get((ward, specimen, sex))
                for row in bands.rows if bands is not None else ():
                    here = _band(row.start.count, row.start.months)
                    if row.end is not None:
                        here &= ~_band(row.end.count, row.end.months)
                    for name, wanted in (("ward", ward), ("kind", specimen), ("sex", sex)):
                        if wanted != ANY:
                            here &= pl.col(name) == wanted
                    values = {}
                    for kind, pair in row.bounds.items():
                        values[f"{kind}_lo"] = float("-inf") if pair.low64 is None else pair.low64
                        values[f"{kind}_hi"] = float("inf") if pair.high64 is None else pair.high64
                    found.append((here, len(found), values))
    names = list(found[0][2]) if found else []
    made = []
    for name in (*names, "row"):
        chain: pl.Expr | None = None
        for here, place, known in reversed(found):
            value = pl.lit(known.get(name, float(place)), dtype=pl.Float64)
            chain = pl.when(here).then(value) if chain is None else pl.when(here).then(value).otherwise(chain)
        assert chain is not None
        made.append(chain.alias(f"{before}{name}"))
    return made


def _band(count: int, months: bool) -> pl.Expr:
    return pl.col("age_months" if months else "age_days") >= count
