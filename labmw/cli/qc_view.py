"""How is quality control shown to a person? Tables and charts, in English and French, in the laboratory's own time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labmw.cli.qc_chart import Mark, chart
from labmw.phrases import Language, say
from labmw.watch.spoken import moment

if TYPE_CHECKING:
    from labmw.config import Config
    from labmw.store import Row
    from rules.qc.sigma import Plan
    from rules.qc.tuning import Choice

COLOURS = {"in-control": "green", "warning": "yellow", "out": "bold red", "unjudged": "magenta", "ok": "green", "alarm": "bold red"}  # fmt: skip
TOLD = 12  # broken rules listed under a chart


def table(language: Language, title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """A table with its heads in words."""
    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for name in columns:
        made.add_column(
            say(f"qc-column-{name}", language), justify="right" if name in right else "left", overflow="fold"
        )
    return made


def add(made: Table, *cells: object, style: str = "") -> None:
    """One line, whatever is in the cells."""
    made.add_row(
        *(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell), style) for cell in cells)
    )


def state_word(state: str, language: Language) -> Text:
    """A state in words and in its colour."""
    return Text(say(f"qc-state-{state}", language), COLOURS.get(state, ""))


def materials(console: Console, language: Language, settings: Config, rows: Sequence[Row]) -> None:
    """Show control materials and lots."""
    zone = ZoneInfo(settings.site.timezone)
    made = table(language, say("qc-materials", language), "material", "name", "level", "lot", "from", "until")
    for row in rows:
        since_ = moment(row.valid_from or None, zone)[:16]
        add(made, row.identifier, row.name, row.level, row.lot or "–", since_, moment(row.valid_to, zone)[:16])
    console.print(made if rows else say("qc-no-materials", language), markup=False)


def targets(console: Console, language: Language, rows: Sequence[Row]) -> None:
    """Show the targets in force."""
    made = table(
        language,
        say("qc-targets", language),
        "test",
        "analyzer",
        "material",
        "lot",
        "mean",
        "sd",
        "unit",
        "source",
        "by",
        right=("mean", "sd"),
    )
    for row in rows:
        where = f"{row.analyzer or '*'} {row.module}".strip()
        add(
            made,
            row.test,
            where,
            row.material,
            row.lot,
            row.mean or row.expected,
            row.sd or "–",
            row.unit,
            row.source,
            row.set_by,
        )
    console.print(made if rows else say("qc-no-targets", language), markup=False)


def derogations(console: Console, language: Language, settings: Config, rows: Sequence[Row]) -> None:
    """Show the derogations that are open."""
    zone = ZoneInfo(settings.site.timezone)
    made = table(
        language, say("qc-derogations", language), "number", "test", "analyzer", "until", "asked", "approved", "why"
    )
    for row in rows:
        add(
            made, row.id, row.test, f"{row.analyzer or '*'} {row.module}".strip(), moment(row.until, zone)[:16], row.asked_by,
            row.approved_by or "–", row.why,
        )  # fmt: skip
    console.print(made if rows else say("qc-no-derogations", language), markup=False)


def calibrations(console: Console, language: Language, settings: Config, rows: Sequence[Row]) -> None:
    """Show the calibrations that stand."""
    zone = ZoneInfo(settings.site.timezone)
    made = table(
        language, say("qc-calibrations", language), "number", "test", "analyzer", "done", "outcome", "lot", "reagent", "by", "why"
    )  # fmt: skip
    for row in rows:
        outcome = Text(say(f"qc-outcome-{row.outcome}", language), "" if row.outcome == "passed" else "bold red")
        where = f"{row.analyzer or '*'} {row.module}".strip()
        add(
            made, row.id, row.test, where, moment(row.at, zone)[:16], outcome, row.lot or "–", row.reagent_lot or "–", row.by, row.why
        )  # fmt: skip
    console.print(made if rows else say("qc-no-calibrations", language), markup=False)


def reagents(console: Console, language: Language, settings: Config, rows: Sequence[Row], lots: Sequence[Row]) -> None:
    """Show reagents on board, and what was decided of lots."""
    zone = ZoneInfo(settings.site.timezone)
    made = table(
        language, say("qc-reagents", language), "number", "test", "analyzer", "part", "lot", "opened", "expires", "by"
    )
    for row in rows:
        where = f"{row.analyzer or '*'} {row.module}".strip()
        opened, expires = (moment(one, zone)[:16] for one in (row.opened_at, row.expires_at))
        add(made, row.id, row.test, where, row.part or "–", row.lot, opened, expires, row.set_by)
    console.print(made if rows else say("qc-no-reagents", language), markup=False)
    if lots:
        decided = table(language, say("qc-lots", language), "test", "analyzer", "lot", "outcome", "done", "by", "why")
        for row in lots:
            word = Text(say(f"qc-lot-{'in' if row.accepted else 'out'}", language), "" if row.accepted else "bold red")
            by = f"{row.by}, {row.second}" if row.second else row.by
            add(decided, row.test, row.analyzer or "*", row.lot, word, moment(row.at, zone)[:16], by, row.why)
        console.print(decided, markup=False)


def status(
    console: Console, language: Language, settings: Config, states: Sequence[Row], plans: Sequence[Row], averages: Sequence[Row],
) -> None:  # fmt: skip
    """Show how every test stands, and what is declared for it."""
    from labmw.lab.quality import most_specific

    zone = ZoneInfo(settings.site.timezone)
    made = table(
        language, say("qc-status", language), "analyzer", "test", "level", "state", "rule", "last", "lot", "gate"
    )
    for row in states:
        plan = most_specific(plans, analyzer=row.analyzer, link=row.link, module=row.module, test=row.test)
        gate = say(f"qc-gate-{plan.gate if plan is not None else 'none'}", language)
        if plan is not None and plan.gate != "none":
            gate += f", {plan.max_age / 60:.4g} h"
        last = moment(row.at, zone)[:16]
        rule = say(f"qc-doubt-{row.rule}", language) if row.state in ("unjudged",) or row.rule in DOUBTS else row.rule
        add(
            made, f"{row.link} {row.module}".strip(), row.test_name or row.test, row.level, state_word(row.state, language), rule, last, row.lot,
            gate,
        )  # fmt: skip
    console.print(made if states else say("qc-nothing", language), markup=False)
    if averages:
        made = table(
            language,
            say("qc-averages", language),
            "analyzer",
            "test",
            "state",
            "value",
            "quiet",
            "algorithm",
            "results",
            right=("value", "results"),
        )
        for row in averages:
            shown = "–" if row.value is None else f"{float(row.value):.5g}"
            add(
                made, row.analyzer, row.test, state_word(row.state, language), shown, f"{row.low} – {row.high} {row.unit}",
                say(f"qc-algorithm-{row.algorithm}", language), row.count,
            )  # fmt: skip
        console.print(made)


DOUBTS = ("flag", "number", "word", "unit", "lot", "target", "excluded", "error")


def show(
    console: Console, language: Language, settings: Config, points: Sequence[Row], restarts: Sequence[Row]
) -> None:
    """Show the Levey-Jennings chart of each level, oldest point left, and what was broken."""
    zone = ZoneInfo(settings.site.timezone)
    levels = sorted({(row.link, row.module, row.level) for row in points})
    for link, module, level in levels:
        own = [row for row in points if (row.link, row.module, row.level) == (link, module, level)]
        name = f"{link} {module}".strip()
        console.print(
            Text(say("qc-chart", language, analyzer=name, test=own[-1].test_name or own[-1].test, level=level), "bold")
        )
        for lot, members in groupby(own, key=lambda row: (row.lot, row.mean, row.sd)):
            _lot(console, language, zone, lot, list(members), restarts)
    console.print(say("qc-legend", language), style="dim", markup=False)


def _lot(
    console: Console, language: Language, zone: ZoneInfo, lot: tuple[str, str | None, str | None], rows: Sequence[Row], restarts: Sequence[Row]
) -> None:  # fmt: skip
    number, mean, sd = lot
    judged = [row for row in rows if row.z is not None]
    facts = {"lot": number or "–", "count": len(rows), "unit": rows[-1].unit, "mean": mean or "–", "sd": sd or "–"}
    console.print(say("qc-chart-lot", language, **facts), markup=False)
    if judged and mean is not None and sd is not None:
        marks: list[Mark] = []
        before = ""
        for row in judged:
            restarted = any(before < one.at <= row.at for one in restarts) and bool(marks)
            marks.append(Mark(moment(row.at, zone)[:10], float(row.z), row.state, bool(row.excluded_at), restarted))
            before = row.at
        for line in chart(marks, Decimal(mean), Decimal(sd), say("qc-mean", language)):
            console.print(Text(line), no_wrap=True, crop=False)
    unusual = [row for row in rows if row.state != "in-control" or row.excluded_at]
    if unusual:
        made = table(language, "", "number", "last", "value", "z", "state", "rule", right=("value", "z"))
        for row in unusual[-TOLD:]:
            broken = ", ".join(dict.fromkeys(one["rule"] for one in json.loads(row.broken)))
            why = (
                say("qc-excluded-by", language, by=row.excluded_by)
                if row.excluded_at
                else broken or say(f"qc-doubt-{row.doubt}", language)
            )
            add(
                made,
                row.id,
                moment(row.at, zone)[:16],
                f"{row.value} {row.unit}".strip(),
                f"{float(row.z):+.2f}" if row.z else "–",
                state_word(row.state, language),
                why,
            )
        console.print(made)


def sigmas(
    console: Console, language: Language, rows: Sequence[tuple[Row, int, float, float, float, float, Plan]]
) -> None:
    """Show sigma and the rules it asks for: (point, count, mean, CV, bias, sigma, plan)."""
    made = table(
        language, say("qc-sigma", language), "analyzer", "test", "level", "points", "mean", "cv", "bias", "sigma", "rules",
        right=("points", "mean", "cv", "bias", "sigma"),
    )  # fmt: skip
    for row, count, mean, cv, bias, value, plan in rows:
        rules = f"{', '.join(plan.rules)}; N{plan.measurements} R{plan.runs}"
        add(
            made,
            row.link,
            row.test_name or row.test,
            row.level,
            count,
            f"{mean:.5g}",
            f"{cv:.2f} %",
            f"{bias:+.2f} %",
            f"{value:.2f}",
            rules,
        )
    console.print(made)


def average_plans(console: Console, language: Language, rows: Sequence[Row]) -> None:
    """Show the averages that are followed."""
    made = table(
        language,
        say("qc-average-plans", language),
        "analyzer",
        "test",
        "algorithm",
        "truncate",
        "quiet",
        "unit",
        "by",
        "why",
    )
    for row in rows:
        how = f"{say(f'qc-algorithm-{row.algorithm}', language)} {row.weight or row.size}"
        add(
            made, row.analyzer or "*", row.test, how, f"{row.truncate_low} – {row.truncate_high}", f"{row.low} – {row.high}", row.unit, row.set_by,
            row.why,
        )  # fmt: skip
    console.print(made if rows else say("qc-no-averages", language), markup=False)


def tuned(console: Console, language: Language, test: str, found: Sequence[Choice]) -> None:
    """Show what each way of averaging would notice, the soonest first."""
    title = say("qc-tune", language, test=test, results=found[0].results, bias=f"{found[0].detection.bias:.4g}")
    made = table(
        language,
        title,
        "algorithm",
        "quiet",
        "false",
        "median",
        "worst",
        "unnoticed",
        right=("false", "median", "worst", "unnoticed"),
    )
    for choice in found:
        one = choice.detection
        name = f"{say(f'qc-algorithm-{choice.algorithm}', language)} {choice.weight if choice.weight is not None else choice.size}"
        add(
            made, name, f"{choice.quiet.low:.5g} – {choice.quiet.high:.5g}", choice.false_alarms, "–" if one.median is None else f"{one.median:.0f}",
            "–" if one.worst is None else f"{one.worst:.0f}", one.unnoticed,
        )  # fmt: skip
    console.print(made)
